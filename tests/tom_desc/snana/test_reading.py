import gzip

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tom_desc.snana.columns import OBJECT_COLUMNS, TRUTH_COLUMNS
from tom_desc.snana.reading import BadSurveyFile, read_survey_file, read_truth

SCALE = np.float32(10 ** ((31.4 - 27.5) / 2.5))
HOSTS = ("HOSTGAL", "HOSTGAL2")


def heads(directories):
    return [head for directory in directories for head in sorted(directory.glob("*HEAD.FITS.gz"))]


@pytest.fixture(scope="module")
def real_files(real_survey_directories):
    return {head: read_survey_file(head) for head in heads(real_survey_directories)}


def astropy_tables(head):
    phot = head.with_name(head.name.replace("HEAD", "PHOT"))
    return fits.getdata(head, 1), fits.getdata(phot, 1)


def test_real_files_have_the_documented_numbers(real_files, real_survey_directories):
    files = real_files.values()
    assert sum(len(file.objects["diaobject_id"]) for file in files) == 346
    assert sum(len(file.photometry["psflux"]) for file in files) == 52_172
    assert sum(file.photometry["detected"].sum() for file in files) == 1_862
    truths = [read_truth(directory / f"{directory.name}.DUMP") for directory in real_survey_directories]
    assert sum(len(truth["diaobject_id"]) for truth in truths) == 346


def test_real_fluxes_are_float32_products_bit_for_bit(real_files):
    for head, file in list(real_files.items())[-40:]:
        _, phot = astropy_tables(head)
        flux = phot["FLUXCAL"].astype(np.float32)[phot["MJD"] > 0] * SCALE
        error = phot["FLUXCALERR"].astype(np.float32)[phot["MJD"] > 0] * SCALE
        assert file.photometry["psflux"].tobytes() == flux.tobytes()
        assert file.photometry["psfluxerr"].tobytes() == error.tobytes()
        assert file.photometry["snr"].tobytes() == (flux / error).tobytes()


def test_real_points_are_numbered_within_their_object(real_files):
    for head, file in list(real_files.items())[-10:]:
        table, phot = astropy_tables(head)
        photometry, at = file.photometry, 0
        for row in table:
            points = phot[row["PTROBS_MIN"] - 1 : row["PTROBS_MAX"]]
            mine = {name: values[at : at + len(points)] for name, values in photometry.items()}
            at += len(points)
            assert (mine["diaobject_id"] == int(row["SNID"])).all()
            assert mine["diaforcedsource_id"].tolist() == [
                int(row["SNID"]) * 100_000 + k for k in range(len(points))
            ]
            assert mine["midpointtai"].tolist() == points["MJD"].tolist()
            assert [band.decode() for band in mine["filtername"]] == [b.strip() for b in points["BAND"]]
            assert mine["detected"].tolist() == (points["PHOTFLAG"] & 4096 != 0).tolist()
            assert set(mine["ra"]) == {row["RA"]}
            assert set(mine["decl"]) == {row["DEC"]}
        assert at == len(photometry["psflux"])


def test_real_objects_have_the_values_of_the_file(real_files):
    spelling = {"zspec": "SPECZ", "zspec_err": "SPECZ_ERR", "zphot": "PHOTOZ", "zphot_err": "PHOTOZ_ERR"}
    spelling |= {"mag_y": "MAG_Y", "magerr_y": "MAGERR_Y"}
    for head, file in list(real_files.items())[::10]:
        table, _ = astropy_tables(head)
        for ours in ("mag_u", "mag_y", "magerr_y", "zspec", "zphot_err", "zphot_q050", "snsep", "sqradius"):
            for host in HOSTS:
                upper = ours.upper() if ours != "mag_u" else "MAG_u"
                theirs = f"{host}_{spelling.get(ours, upper)}"
                column = file.objects[f"{host.lower()}_{ours}"]
                if theirs in table.names:
                    assert column.tolist() == table[theirs].astype(np.float32).tolist()
                else:
                    assert column is None
        assert file.objects["z_final"].tolist() == table["REDSHIFT_FINAL"].tolist()
        assert file.objects["ra"].tolist() == table["RA"].tolist()


def test_only_quantiles_of_hostless_classes_are_missing(real_files):
    missing = {
        head.parent.name.split("_")[-1]: {name for name, column in file.objects.items() if column is None}
        for head, file in real_files.items()
    }
    quantiles = {f"{host.lower()}_zphot_q{percent:03d}" for host in HOSTS for percent in range(0, 101, 10)}
    assert missing == {"K17": set(), "SNIb-Templates": set(), "Mdwarf-flare": quantiles}


def test_sentinels_are_kept(real_files):
    flares = [f.objects for head, f in real_files.items() if "Mdwarf" in head.parent.name]
    for objects in flares:
        assert set(objects["hostgal_mag_y"]) <= {np.float32(999)}
        assert set(objects["hostgal2_ra"]) <= {np.float32(-999)}
        assert set(objects["z_final"]) <= {np.float32(-9)}
        assert set(objects["hostgal_sqradius"]) <= {np.float32(-9999)}


def test_real_truth_has_the_values_of_the_file(real_survey_directories):
    for directory in real_survey_directories:
        dump = directory / f"{directory.name}.DUMP"
        names, *rows = [
            line.split()[1:]
            for line in dump.read_text().splitlines()
            if line.startswith(("VARNAMES:", "SN:"))
        ]
        truth = read_truth(dump)
        for ours, theirs, kind in TRUTH_COLUMNS:
            column = [float(row[names.index(theirs)]) for row in rows]
            assert truth[ours].dtype == np.dtype(kind)
            assert truth[ours].tolist() == np.array(column).astype(kind).tolist()
            assert not np.ma.is_masked(truth[ours])


def test_columns_are_those_of_the_tables(small_survey):
    file = read_survey_file(small_survey.write())
    assert set(file.objects) == set(OBJECT_COLUMNS)
    assert len(OBJECT_COLUMNS) == 72
    assert {name: values.dtype.str for name, values in file.photometry.items()} == {
        "diaforcedsource_id": "<i8",
        "midpointtai": "<f8",
        "filtername": "|S1",
        "psflux": "<f4",
        "psfluxerr": "<f4",
        "diaobject_id": "<i8",
        "detected": "|b1",
        "snr": "<f4",
        "ra": "<f8",
        "decl": "<f8",
    }


def test_separator_rows_are_no_points(small_survey):
    file = read_survey_file(small_survey.write())
    assert file.photometry["diaforcedsource_id"].tolist() == [700_000, 700_001, 1_200_000, 1_200_001]
    assert file.photometry["filtername"].tolist() == [b"g", b"Y", b"r", b"i"]
    assert file.photometry["detected"].tolist() == [False, True, True, True]


def test_points_follow_the_order_of_the_objects_not_of_the_file(small_survey):
    small_survey.head = small_survey.head[::-1].copy()
    file = read_survey_file(small_survey.write())
    assert file.photometry["diaobject_id"].tolist() == [12, 12, 7, 7]
    assert file.photometry["filtername"].tolist() == [b"r", b"i", b"g", b"Y"]


def test_the_zeropoints_and_the_flag_are_arguments(small_survey):
    file = read_survey_file(
        small_survey.write(), max_sources_per_object=10, photflag_detect=2048, alert_zeropoint=27.5
    )
    assert file.photometry["psflux"].tolist() == [1.5, 30.0, 12.0, 11.0]
    assert file.photometry["detected"].tolist() == [False, True, True, False]
    assert file.photometry["diaforcedsource_id"].tolist() == [70, 71, 120, 121]


@pytest.mark.parametrize(("points", "isddf"), [(1000, False), (1001, True)])
def test_more_than_a_thousand_points_are_a_deep_field(small_survey, points, isddf):
    small_survey.phot = np.repeat(small_survey.phot[:1], points)
    small_survey.head = small_survey.head[:1].copy()
    small_survey.head["PTROBS_MAX"] = points
    column = read_survey_file(small_survey.write()).objects["isddf"]
    assert column is not None
    assert column.tolist() == [isddf]


def test_an_empty_file_is_an_empty_survey(small_survey):
    small_survey.head = small_survey.head[:0]
    file = read_survey_file(small_survey.write())
    assert {len(values) for values in file.photometry.values()} == {0}
    assert {len(values) for values in file.objects.values() if values is not None} == {0}


def test_an_object_may_have_no_points(small_survey):
    small_survey.head["PTROBS_MAX"][0] = 0
    assert read_survey_file(small_survey.write()).photometry["diaobject_id"].tolist() == [12, 12]


def test_the_phot_file_is_found_by_its_name_where_the_keyword_is_wrong(small_survey):
    small_survey.keywords["PHOTFILE"] = "elsewhere.FITS"
    assert len(read_survey_file(small_survey.write()).photometry["psflux"]) == 4


def test_the_keyword_goes_before_the_name(small_survey):
    head = small_survey.write()
    (head.parent / "A_PHOT.FITS").rename(head.parent / "other.FITS")
    small_survey.keywords["PHOTFILE"] = "other.FITS"
    small_survey.phot = small_survey.phot[:0]
    head = small_survey.write()
    assert len(read_survey_file(head).photometry["psflux"]) == 4


def test_a_gzipped_phot_file_is_found(small_survey):
    head = small_survey.write()
    phot = head.parent / "A_PHOT.FITS"
    (head.parent / "A_PHOT.FITS.gz").write_bytes(gzip.compress(phot.read_bytes()))
    phot.unlink()
    assert len(read_survey_file(head).photometry["psflux"]) == 4


def test_a_missing_phot_file_is_named(small_survey):
    head = small_survey.write()
    (head.parent / "A_PHOT.FITS").unlink()
    with pytest.raises(BadSurveyFile, match=r"A_HEAD\.FITS: no PHOT file A_PHOT\.FITS beside it"):
        read_survey_file(head)


@pytest.mark.parametrize(
    ("table", "column", "row", "value", "problem"),
    [
        ("head", "SNID", 0, "7x", r"A_HEAD\.FITS: SNID '7x' is not an integer"),
        ("head", "SNID", 0, "-7", "SNID '-7' is not an integer"),
        ("head", "SNID", 0, "", "SNID '' is not an integer"),
        ("head", "SNID", 0, "9" * 16, "does not fit into 64 bits"),
        ("head", "SNID", 0, "12", "SNID 12 is there twice"),
        ("head", "RA", 1, np.nan, "RA is not a number"),
        ("head", "PTROBS_MIN", 0, 0, "outside the 6 rows"),
        ("head", "PTROBS_MAX", 1, 7, "outside the 6 rows"),
        ("head", "PTROBS_MAX", 0, 4, "overlap"),
        ("head", "PTROBS_MIN", 1, 9, "PTROBS_MAX below PTROBS_MIN"),
        ("head", "PTROBS_MAX", 0, 3, r"A_PHOT\.FITS: BAND '-' is not one of ugrizY"),
        ("phot", "MJD", 0, np.nan, r"A_PHOT\.FITS: MJD is not a number"),
        ("phot", "MJD", 0, np.inf, "MJD is not a number"),
        ("phot", "BAND", 1, "y", "BAND 'y' is not one of ugrizY"),
        ("phot", "BAND", 1, "gr", "BAND 'gr' is not one of ugrizY"),
        ("phot", "BAND", 1, "", "BAND '' is not one of ugrizY"),
        ("phot", "FLUXCAL", 0, np.nan, "FLUXCAL is not a number"),
        ("phot", "FLUXCAL", 0, 3e37, "FLUXCAL is not a number, or too large"),
        ("phot", "FLUXCALERR", 0, 0.0, "FLUXCALERR is not positive"),
    ],
)
def test_what_is_wrong_is_named(small_survey, table, column, row, value, problem):
    getattr(small_survey, table)[column][row] = value
    with pytest.raises(BadSurveyFile, match=problem):
        read_survey_file(small_survey.write())


def without(rows, column):
    kept = np.zeros(len(rows), [(name, rows.dtype[name]) for name in rows.dtype.names if name != column])
    for name in kept.dtype.names or ():
        kept[name] = rows[name]
    return kept


@pytest.mark.parametrize("column", ["SNID", "DEC", "PTROBS_MAX"])
def test_a_missing_head_column_is_named(small_survey, column):
    small_survey.head = without(small_survey.head, column)
    with pytest.raises(BadSurveyFile, match=rf"A_HEAD\.FITS: no column {column}$"):
        read_survey_file(small_survey.write())


@pytest.mark.parametrize("column", ["MJD", "FLUXCALERR"])
def test_a_missing_phot_column_is_named(small_survey, column):
    small_survey.phot = without(small_survey.phot, column)
    with pytest.raises(BadSurveyFile, match=rf"A_PHOT\.FITS: no column {column}$"):
        read_survey_file(small_survey.write())


def test_more_points_than_an_object_may_have_are_refused(small_survey):
    with pytest.raises(BadSurveyFile, match=r"object 7 has 2 points, more than 1$"):
        read_survey_file(small_survey.write(), max_sources_per_object=1)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    counts=st.lists(st.integers(0, 5), min_size=1, max_size=6),
    snids=st.sets(st.integers(0, 10**12), min_size=6),
    fluxes=st.randoms(use_true_random=False),
)
def test_every_claimed_row_comes_back_in_its_place(small_survey, counts, snids, fluxes):
    ids = list(snids)[: len(counts)]
    stops = np.cumsum([count + 1 for count in counts]) - 1
    small_survey.head = np.zeros(len(counts), small_survey.head.dtype)
    small_survey.head["SNID"] = [str(snid).encode() for snid in ids]
    small_survey.head["PTROBS_MIN"], small_survey.head["PTROBS_MAX"] = stops - counts + 1, stops
    small_survey.phot = np.zeros(sum(counts) + len(counts), small_survey.phot.dtype)
    small_survey.phot["MJD"], small_survey.phot["BAND"], small_survey.phot["FLUXCALERR"] = 61000.0, b"r", 1.0
    small_survey.phot["FLUXCAL"] = [fluxes.uniform(-1e4, 1e4) for _ in small_survey.phot]
    small_survey.phot["MJD"][stops] = -777.0
    read = read_survey_file(small_survey.write()).photometry
    claimed = small_survey.phot[small_survey.phot["MJD"] > 0]
    assert read["psflux"].tobytes() == (claimed["FLUXCAL"] * SCALE).tobytes()
    expected = [snid * 100_000 + k for snid, count in zip(ids, counts, strict=True) for k in range(count)]
    assert read["diaforcedsource_id"].tolist() == expected


def dump_text(*rows, names=None):
    names = names or [theirs for _, theirs, _ in TRUTH_COLUMNS]
    return "# comment\nVARNAMES: " + " ".join(names) + "\n\n" + "".join(f"SN: {row}\n" for row in rows)


def dump_row(cid, **values):
    return " ".join(str(values.get(theirs, cid if theirs == "CID" else 1)) for _, theirs, _ in TRUTH_COLUMNS)


@pytest.fixture
def dump(tmp_path):
    path = tmp_path / "A.DUMP"
    path.write_text(dump_text(dump_row(7), dump_row(12, GALID=10437516168, ZCMB="7.69065e-02")))
    return path


def test_truth_is_keyed_by_our_names(dump):
    truth = read_truth(dump)
    assert list(truth) == [ours for ours, _, _ in TRUTH_COLUMNS]
    assert len(truth) == 35
    assert truth["diaobject_id"].tolist() == [7, 12]
    assert truth["galid"].tolist() == [1, 10437516168]
    assert truth["zcmb"][1] == np.float32(0.0769065)


def test_values_that_may_be_unknown_are_masked(dump):
    dump.write_text(dump_text(dump_row(7, GALID="NULL", GALZPHOT="nan"), dump_row(12)))
    truth = read_truth(dump)
    assert truth["galid"].tolist() == [None, 1]
    assert truth["galzphot"].tolist() == [None, 1.0]


def test_columns_that_may_be_unknown_may_be_missing(dump):
    names = [theirs for _, theirs, _ in TRUTH_COLUMNS if not theirs.startswith("GAL")]
    dump.write_text(dump_text(" ".join(["1"] * len(names)), names=names))
    truth = read_truth(dump)
    assert [truth[name].tolist() for name in ("galid", "galsnddlr")] == [[None], [None]]


def test_a_dump_without_rows_is_empty(dump):
    dump.write_text(dump_text())
    assert {len(column) for column in read_truth(dump).values()} == {0}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("SN: 1 2\n", "0 VARNAMES lines"),
        (dump_text("1", names=["CID"]), "no column LIBID, SIM_SEARCHEFF_MASK"),
        (dump_text(dump_row(1) + " 5"), "rows of 36 values under 35 VARNAMES"),
        (dump_text(dump_row(1), dump_row(2) + " 5"), "rows of unequal length"),
        (dump_text(dump_row("x")), "column CID"),
        (dump_text(dump_row(1, GENTYPE=2**40)), "column GENTYPE has no value, or one too large"),
        (dump_text(dump_row(1, MU="nan")), "column MU has no value"),
        (dump_text(dump_row(1), dump_row(1)), "CID 1 is there twice"),
    ],
)
def test_what_is_wrong_with_a_dump_is_named(dump, text, problem):
    dump.write_text(text)
    with pytest.raises(BadSurveyFile, match=rf"A\.DUMP: {problem}"):
        read_truth(dump)


def test_a_missing_dump_is_named(tmp_path):
    with pytest.raises(BadSurveyFile, match=r"A\.DUMP: no such file"):
        read_truth(tmp_path / "A.DUMP")

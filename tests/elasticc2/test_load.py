"""What the tables hold is what the files say, however often and in however many pieces they are loaded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from django.core.management import CommandError, call_command
from django.db import connection
from numpy.typing import NDArray

from elasticc2.encoding import encode_batch
from elasticc2.histories import read_batch
from elasticc2.keptobjects import read_kept
from tests import original
from tests.elasticc2.sky import hear, message, rows, value
from tom_desc.campaigns.models import Campaign

PPDB = ("ppdbdiaobject", "ppdbdiasource", "ppdbdiaforcedsource", "ppdbalert", "diaobjecttruth")
TRAINING = tuple(f"training{table.removeprefix('ppdb')}" for table in PPDB)
# To the AB zeropoint 31.4 from 27.5, in float32.
FACTOR = np.float32(10**1.56)
DETECTED = 4096

pytestmark = pytest.mark.django_db


def counts(*tables: str) -> tuple[int, ...]:
    return tuple(value(f"SELECT count(*) FROM elasticc2_{table}") for table in tables)


def contents(*tables: str) -> list[Any]:
    return [rows(f"SELECT * FROM elasticc2_{table} ORDER BY 1, 2, 3") for table in tables]


# The real files, read by astropy, by no code of ours.


@dataclass
class Pair:
    """A HEAD file's rows, and those of its PHOT file."""

    head: Any
    phot: Any

    def points(self, row: Any) -> Any:
        """An object's rows of the PHOT file."""
        return self.phot[row["PTROBS_MIN"] - 1 : row["PTROBS_MAX"]]

    def cell(self, row: Any, name: str) -> Any:
        """A value of the HEAD file, None where it has no such column; the case of names does not matter."""
        return row[name] if name in [known.upper() for known in self.head.dtype.names] else None


@pytest.fixture(scope="module")
def files(real_survey_directories: list[Path]) -> list[Pair]:
    heads = [head for model in real_survey_directories for head in sorted(model.glob("*HEAD.FITS.gz"))]
    pairs = [Pair(fits.getdata(head, 1), fits.getdata(phot_of(head), 1)) for head in heads]
    return [pair for pair in pairs if pair.head is not None and len(pair.head)]


def phot_of(head: Path) -> Path:
    return head.with_name(head.name.replace("HEAD", "PHOT"))


def fits_name(column: str) -> str:
    """How SNANA spells a column of the object tables, in capitals."""
    plain = {"ra": "RA", "decl": "DEC", "z_final": "REDSHIFT_FINAL", "z_final_err": "REDSHIFT_FINAL_ERR"}
    name = plain.get(column, column.upper())
    for ours, theirs in (("ZPHOT_ERR", "PHOTOZ_ERR"), ("ZSPEC", "SPECZ")):
        name = name.replace(ours, theirs)
    if name.endswith("_ZPHOT"):
        name = name.replace("_ZPHOT", "_PHOTOZ")
    return name


def bits(values: Sequence[Any]) -> list[int | None]:
    """float32 as the integers of their bits; None stays."""
    return [None if v is None else int(np.float32(v).view(np.uint32)) for v in values]


def test_the_real_files_come_to_the_numbers_of_the_original(real_survey: None) -> None:
    assert counts(*PPDB) == (346, 1862, 52172, 1862, 346)


def test_every_value_of_an_object_is_the_files(real_survey: None, files: list[Pair]) -> None:
    names = [name for name, kind, _ in original.definitions("ppdbdiaobject") if kind == "real"]
    assert len(names) == 68
    columns = ", ".join(["diaobject_id", "ra", "decl", "isddf", "simversion", *names])
    stored = {row[0]: row[1:] for row in rows(f"SELECT {columns} FROM elasticc2_ppdbdiaobject")}
    for pair in files:
        for row in pair.head:
            ra, decl, isddf, simversion, *floats = stored.pop(int(row["SNID"]))
            assert (ra, decl, isddf, simversion) == (row["RA"], row["DEC"], False, "2023-04-01")
            expected = [pair.cell(row, fits_name(name)) for name in names]
            assert bits(floats) == bits(expected)
    assert not stored


def photometry(files: list[Pair]) -> Iterator[tuple[int, int, Any]]:
    """Object, point id and file row of every point."""
    for pair in files:
        for row in pair.head:
            snid = int(row["SNID"])
            for place, point in enumerate(pair.points(row)):
                yield snid, snid * 100_000 + place, point


def test_every_point_is_the_files_bit_for_bit(real_survey: None, files: list[Pair]) -> None:
    expected = [
        (number, point["MJD"], point["BAND"].strip(), point["FLUXCAL"], point["FLUXCALERR"], snid)
        for snid, number, point in photometry(files)
    ]
    ids, mjds, bands, fluxes, errors, objects = zip(*sorted(expected), strict=True)
    stored = rows(
        "SELECT diaforcedsource_id, midpointtai, filtername, psflux, psfluxerr, diaobject_id"
        " FROM elasticc2_ppdbdiaforcedsource ORDER BY diaforcedsource_id"
    )
    found = list(zip(*stored, strict=True))
    assert [found[0], found[1], found[2], found[5]] == [ids, mjds, bands, objects]
    assert scaled(found[3]).tobytes() == (scaled(fluxes) * FACTOR).tobytes()
    assert scaled(found[4]).tobytes() == (scaled(errors) * FACTOR).tobytes()


def scaled(values: Sequence[Any]) -> NDArray[np.float32]:
    return np.array(values, np.float32)


def test_sources_are_the_detected_points_at_their_objects(real_survey: None, files: list[Pair]) -> None:
    detected = sorted(number for _, number, point in photometry(files) if point["PHOTFLAG"] & DETECTED)
    stored = rows(
        "SELECT s.diasource_id, s.psflux, s.psfluxerr, s.snr FROM elasticc2_ppdbdiasource s"
        " JOIN elasticc2_ppdbdiaforcedsource f ON f.diaforcedsource_id = s.diasource_id"
        " AND (f.midpointtai, f.filtername, f.psflux, f.psfluxerr, f.diaobject_id)"
        "   = (s.midpointtai, s.filtername, s.psflux, s.psfluxerr, s.diaobject_id)"
        " JOIN elasticc2_ppdbdiaobject o ON (o.diaobject_id, o.ra, o.decl) = (s.diaobject_id, s.ra, s.decl)"
        " ORDER BY 1"
    )
    ids, fluxes, errors, snr = zip(*stored, strict=True)
    assert list(ids) == detected
    assert scaled(snr).tobytes() == (scaled(fluxes) / scaled(errors)).tobytes()


def test_each_source_has_an_alert_of_its_number_that_is_not_sent(real_survey: None) -> None:
    alerts = "SELECT alert_id, diasource_id, diaobject_id FROM elasticc2_ppdbalert"
    sources = "SELECT diasource_id, diasource_id, diaobject_id FROM elasticc2_ppdbdiasource"
    assert rows(f"({alerts}) EXCEPT ({sources})") == rows(f"({sources}) EXCEPT ({alerts})") == []
    assert value("SELECT count(*) FROM elasticc2_ppdbalert WHERE alertsenttimestamp IS NOT NULL") == 0


TRUTH_NAMES = {"diaobject_id": "CID", "sim_template_index": "NON1A_INDEX"}


def test_every_value_of_the_truth_is_the_dump_files(
    real_survey: None, real_survey_directories: list[Path]
) -> None:
    definitions = original.definitions("diaobjecttruth")
    names = [name for name, _, _ in definitions]
    stored = {row[-1]: row for row in rows(f"SELECT {', '.join(names)} FROM elasticc2_diaobjecttruth")}
    for model in real_survey_directories:
        for truth in dump_rows(model / f"{model.name}.DUMP"):
            row = stored.pop(int(truth["CID"]))
            for (name, kind, _), found in zip(definitions, row, strict=True):
                text = truth[TRUTH_NAMES.get(name, name.upper())]
                assert same(found, text, kind), f"{name} of {truth['CID']}: {found} is not {text}"
    assert not stored


def dump_rows(dump: Path) -> Iterator[dict[str, str]]:
    names: list[str] = []
    for line in dump.read_text().splitlines():
        key, *words = line.split() or [""]
        if key == "VARNAMES:":
            names = [name.upper() for name in words]
        elif key == "SN:":
            yield dict(zip(names, words, strict=True))


def same(found: Any, text: str, kind: str) -> bool:
    if kind == "real":
        return bits([found]) == bits([float(text)])
    return bool(found == (float(text) if kind == "double precision" else int(text)))


# Made files.

POINTS = [
    (60000.0, "g ", 0, 1.5, 0.5),
    (60001.5, "r ", 6144, 30.0, 2.0),
    (60002.5, "Y ", 4096, 25.0, 2.0),
    (60003.5, "z ", 0, 3.0, 2.0),
]
PHOT_COLUMNS = [("MJD", "f8"), ("BAND", "S2"), ("PHOTFLAG", "i4"), ("FLUXCAL", "f4"), ("FLUXCALERR", "f4")]
SEPARATOR = (-777.0, "- ", 0, -777.0, -777.0)
TRUTH = " ".join(
    [
        "LIBID SIM_SEARCHEFF_MASK GENTYPE NON1A_INDEX ZCMB ZHELIO ZCMB_SMEAR RA DEC MWEBV GALID",
        "GALZPHOT GALZPHOTERR GALSNSEP GALSNDDLR RV AV MU LENSDMU PEAKMJD MJD_DETECT_FIRST MJD_DETECT_LAST",
        "DTSEASON_PEAK PEAKMAG_u PEAKMAG_g PEAKMAG_r PEAKMAG_i PEAKMAG_z PEAKMAG_Y SNRMAX SNRMAX2 SNRMAX3",
        "NOBS NOBS_SATURATE",
    ]
)


@dataclass(frozen=True)
class Thing:
    """An object of a made survey."""

    snid: int
    ra: float = 10.0
    decl: float = -5.0
    points: tuple[Any, ...] = field(default_factory=lambda: tuple(POINTS))


class Model:
    """A model directory, one file pair for each list of objects."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self.ids: list[int] = []

    def write(self, prefix: str, *things: Thing) -> Path:
        """A file pair and the truth of all objects so far; the HEAD file."""
        phot: list[Any] = []
        head: list[Any] = []
        for thing in things:
            head.append((str(thing.snid), thing.ra, thing.decl, len(phot) + 1, len(phot) + len(thing.points)))
            phot += [*thing.points, SEPARATOR]
        head_columns = [
            ("SNID", "S16"),
            ("RA", "f8"),
            ("DEC", "f8"),
            ("PTROBS_MIN", "i4"),
            ("PTROBS_MAX", "i4"),
        ]
        path = self.path / f"{prefix}_HEAD.FITS.gz"
        write_table(path, np.array(head, head_columns), PHOTFILE=f"{prefix}_PHOT.FITS")
        write_table(phot_of(path), np.array(phot, PHOT_COLUMNS))
        self.ids = sorted({*self.ids, *(thing.snid for thing in things)})
        self.write_truth()
        return path

    def write_truth(self) -> None:
        lines = [f"VARNAMES: CID {TRUTH}", ""]
        lines += [f"SN: {snid} {' '.join('1' for _ in TRUTH.split())}" for snid in self.ids]
        (self.path / f"{self.path.name}.DUMP").write_text("\n".join(lines) + "\n")


def write_table(path: Path, table: Any, **keywords: str) -> None:
    primary = fits.PrimaryHDU()
    primary.header.update(keywords)
    fits.HDUList([primary, fits.BinTableHDU(table)]).writeto(path, overwrite=True)


@pytest.fixture
def model(tmp_path: Path) -> Model:
    """Two files of two objects each; every object has four points, two of them detections."""
    made = Model(tmp_path / "MODEL")
    made.write("A", Thing(1), Thing(2))
    made.write("B", Thing(3), Thing(4))
    return made


OBJECT_IDS = "SELECT diaobject_id FROM elasticc2_ppdbdiaobject ORDER BY 1"
WHOLE = (4, 8, 16, 8, 4)
HALF = (2, 4, 8, 4, 2)


def load(model: Model, *arguments: object, kind: str = "--ppdb", store: bool = True) -> None:
    do = ["--do"] if store else []
    call_command(
        "load_snana_fits", kind, *do, "-n", "1", "-d", str(model.path), *map(str, arguments), verbosity=0
    )


def news() -> list[list[int]]:
    return [ids for (ids,) in rows("SELECT diaobject_ids FROM elasticc2_loadnews ORDER BY news_id")]


def test_loading_announces_the_objects_of_each_file(model: Model) -> None:
    load(model)
    assert counts(*PPDB) == WHOLE
    assert news() == [[1, 2], [3, 4]]


def test_objects_are_kept_encoded_as_their_rows_are(real_survey: None) -> None:
    assert_kept(rows(OBJECT_IDS))


def test_what_a_file_does_not_have_in_order_is_kept_encoded_all_the_same(model: Model) -> None:
    model.write("A", Thing(2, points=tuple(reversed(POINTS))), Thing(1, points=()), Thing(0))
    load(model)
    assert_kept([(0,), (1,), (2,), (3,), (4,)])


def assert_kept(objectids: list[tuple[int]]) -> None:
    """That these objects and no others are kept, and as reading their rows would have them."""
    ids = [objectid for (objectid,) in objectids]
    with connection.cursor() as cursor:
        assert read_kept(cursor, ids) == encode_batch(read_batch(cursor, ids))
    assert value("SELECT count(*) FROM elasticc2_ppdbencodedobject") == len(ids)


def test_a_training_set_is_not_kept_encoded(model: Model) -> None:
    load(model, kind="--train")
    assert_kept([])


def test_loading_again_changes_nothing(model: Model) -> None:
    load(model)
    before = contents(*PPDB, "ppdbencodedobject")
    load(model)
    assert contents(*PPDB, "ppdbencodedobject") == before
    assert news() == [[1, 2], [3, 4]]


def test_columns_that_a_file_does_not_have_are_null(model: Model) -> None:
    load(model)
    query = "SELECT mwebv, hostgal_ra, hostgal2_magerr_y FROM elasticc2_ppdbdiaobject"
    assert set(rows(query)) == {(None, None, None)}


def test_a_training_set_is_the_same_elsewhere(model: Model) -> None:
    load(model, kind="--train")
    assert counts(*PPDB) == (0, 0, 0, 0, 0)
    assert news() == []
    training = contents(*TRAINING)
    load(model)
    assert contents(*PPDB) == training
    assert counts(*PPDB) == WHOLE


def test_either_the_survey_or_a_training_set_must_be_meant(model: Model) -> None:
    with pytest.raises(CommandError, match="--ppdb"):
        call_command("load_snana_fits", "-d", str(model.path))


def test_a_dry_run_stores_nothing(model: Model, capsys: pytest.CaptureFixture[str]) -> None:
    load(model, store=False)
    assert counts(*PPDB) == (0, 0, 0, 0, 0)
    assert "4 objects, 8 sources, 16 forced sources, 8 alerts, 4 truth rows" in capsys.readouterr().out


def truncate(path: Path) -> bytes:
    """Leave the first half of a file; all of it is returned."""
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    return whole


def test_a_truncated_file_is_named_and_the_others_are_loaded(model: Model) -> None:
    phot = model.path / "A_PHOT.FITS.gz"
    whole = truncate(phot)
    with pytest.raises(
        CommandError, match=r"(?s)1 of 3 files failed.*MODEL/A_HEAD.FITS.gz: .*A_PHOT.FITS.gz"
    ):
        load(model)
    assert counts(*PPDB) == HALF
    phot.write_bytes(whole)
    load(model)
    assert counts(*PPDB) == WHOLE


def test_a_truncated_head_file_is_named(model: Model) -> None:
    truncate(model.path / "B_HEAD.FITS.gz")
    with pytest.raises(CommandError, match=r"MODEL/B_HEAD\.FITS\.gz"):
        load(model)
    assert counts(*PPDB) == HALF


def test_without_truth_the_load_fails_naming_the_file(model: Model) -> None:
    dump = model.path / "MODEL.DUMP"
    dump.unlink()
    with pytest.raises(CommandError, match=r"MODEL\.DUMP"):
        load(model)
    assert counts(*PPDB) == (4, 8, 16, 8, 0)
    model.write_truth()
    load(model)
    assert counts(*PPDB) == WHOLE


def test_truth_of_objects_that_are_not_loaded_is_left_out(model: Model) -> None:
    load(model, "-f", "A_HEAD.FITS.gz")
    assert counts(*PPDB) == HALF


def test_files_are_picked_by_name(model: Model) -> None:
    load(model, "-f", "B_HEAD.FITS.gz")
    assert rows("SELECT diaobject_id FROM elasticc2_ppdbdiaobject ORDER BY 1") == [(3,), (4,)]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["-d", "{model}/nowhere"], "nowhere is not a directory"),
        (["-d", "{model}", "-f", "C_HEAD.FITS.gz"], "C_HEAD.FITS.gz is missing"),
        (["-d", "{model}/.."], "has no .*HEAD.FITS.gz"),
    ],
)
def test_what_is_not_there_is_named_before_anything_is_loaded(
    model: Model, arguments: list[str], complaint: str
) -> None:
    given = [argument.format(model=model.path) for argument in arguments]
    with pytest.raises(CommandError, match=complaint):
        call_command("load_snana_fits", "--ppdb", "--do", *given)
    assert counts(*PPDB) == (0, 0, 0, 0, 0)


def test_the_unit_is_stored_with_the_campaign(model: Model) -> None:
    load(model, "-a", "27.5")
    campaign = Campaign.objects.get(name="elasticc2")
    assert (campaign.zeropoint, campaign.flux_unit) == (27.5, "FLUXCAL")
    assert value("SELECT psflux FROM elasticc2_ppdbdiasource WHERE diasource_id = 100001") == 30.0


def test_another_unit_is_refused_once_there_is_photometry(model: Model) -> None:
    load(model)
    before = contents(*PPDB)
    model.write("C", Thing(5))
    with pytest.raises(CommandError, match=r"photometry at zeropoint 31\.4 is loaded"):
        load(model, "-a", "27.5")
    assert contents(*PPDB) == before
    campaign = Campaign.objects.get(name="elasticc2")
    assert (campaign.zeropoint, campaign.flux_unit) == (31.4, "nJy")


def test_a_dry_run_remembers_no_unit(model: Model) -> None:
    before = Campaign.objects.values().get(name="elasticc2")
    load(model, "-a", "30", store=False)
    assert Campaign.objects.values().get(name="elasticc2") == before


def test_an_object_at_another_position_is_refused_by_name(model: Model) -> None:
    load(model)
    before = contents(*PPDB)
    model.write("C", Thing(5), Thing(2, ra=11.0))
    with pytest.raises(CommandError, match=r"MODEL/C_HEAD.FITS.gz: .*object 2 is loaded already"):
        load(model)
    assert contents(*PPDB[:4]) == before[:4]


def test_points_of_a_longer_file_are_added_and_announced(model: Model) -> None:
    load(model)
    later = [(60010.0, "i ", 4096, 40.0, 2.0), (60011.0, "i ", 0, 4.0, 2.0)]
    model.write("A", Thing(1, points=(*POINTS, *later)), Thing(2))
    load(model)
    assert_kept(rows(OBJECT_IDS))
    assert counts(*PPDB) == (4, 9, 18, 9, 4)
    assert news() == [[1, 2], [3, 4], [1, 2]]
    added = rows("SELECT * FROM elasticc2_ppdbdiasource WHERE diaobject_id = 1 ORDER BY midpointtai")[-1]
    flux, error = np.float32(40) * FACTOR, np.float32(2) * FACTOR
    assert added[:3] == (100004, 60010.0, "i")
    assert bits(added[5:8]) == bits([flux, error, flux / error])


def test_an_object_more_in_a_file_is_added(model: Model) -> None:
    load(model)
    model.write("B", Thing(3), Thing(4), Thing(5, ra=12.0))
    load(model)
    assert_kept(rows(OBJECT_IDS))
    assert counts(*PPDB) == (5, 10, 20, 10, 5)
    assert value("SELECT ra FROM elasticc2_ppdbdiaobject WHERE diaobject_id = 5") == 12.0


def test_an_object_of_two_files_is_loaded_once(model: Model) -> None:
    model.write("C", Thing(4), Thing(5))
    load(model)
    assert counts(*PPDB) == (5, 10, 20, 10, 5)


def test_options_say_how_to_read_the_files(model: Model) -> None:
    load(model, "-s", "tag", "-m", "10", "-p", "2048", "-z", "31.4")
    assert set(rows("SELECT simversion FROM elasticc2_ppdbdiaobject")) == {("tag",)}
    stored = "SELECT diasource_id, psflux FROM elasticc2_ppdbdiasource ORDER BY 1"
    assert rows(stored) == [(number * 10 + 1, 30.0) for number in range(1, 5)]


def test_more_points_than_ids_allow_are_refused(model: Model) -> None:
    with pytest.raises(CommandError, match=r"2 of 3 files failed.*\n.*more than 3"):
        load(model, "-m", "3")
    assert counts(*PPDB) == (0, 0, 0, 0, 0)


def test_an_object_of_many_points_is_one_of_a_deep_field(model: Model) -> None:
    point = POINTS[0]
    thousand = [(point[0] + k / 100, *point[1:]) for k in range(1000)]
    model.write("C", Thing(5, points=tuple(thousand)), Thing(6, points=(*thousand, (60100.0, *point[1:]))))
    load(model)
    assert rows("SELECT diaobject_id FROM elasticc2_ppdbdiaobject WHERE isddf") == [(6,)]


def test_an_empty_file_is_no_failure(model: Model) -> None:
    model.write("C")
    load(model)
    assert counts(*PPDB) == WHOLE


def test_an_object_without_photometry_is_loaded_too(model: Model) -> None:
    """In a file of its own and beside others; it is counted once it is there, not before."""
    model.write("C", Thing(7, points=()))
    model.write("D", Thing(8, points=()), Thing(9))
    load(model)
    assert counts(*PPDB) == tuple(a + b for a, b in zip(WHOLE, (3, 2, 4, 2, 3), strict=True))
    load(model)
    assert value("SELECT count(*) FROM elasticc2_ppdbdiaobject") == 7


def test_what_brokers_spoke_of_before_does_not_stop_a_load(model: Model) -> None:
    hear(message(100001))
    load(model)
    assert counts(*PPDB) == WHOLE

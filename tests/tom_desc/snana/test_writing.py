import numpy as np
from astropy.io import fits

from tom_desc.snana.columns import OPTIONAL_OBJECT_COLUMNS, TRUTH_COLUMNS
from tom_desc.snana.writing import PHOT_TYPE, dump_header, dump_lines, head_columns, write_pair


def points(count):
    rows = np.zeros(count, PHOT_TYPE)
    rows["MJD"], rows["BAND"], rows["FLUXCALERR"] = 61000.0 + np.arange(count), b"r", 1.0
    return rows


def written(tmp_path, counts=(2, 3), quantiles=True):
    heads = [{"SNID": str(7 + number)} for number in range(len(counts))]
    write_pair(tmp_path, "A-0001", heads, [points(count) for count in counts], quantiles=quantiles)
    return tmp_path / "A-0001_HEAD.FITS.gz", tmp_path / "A-0001_PHOT.FITS.gz"


def columns_of(path):
    with fits.open(path) as hdus:
        return [(c.name, c.format) for c in hdus[1].columns], hdus[1].header["EXTNAME"]


def test_pointers_leave_out_the_separator_rows(tmp_path):
    head, phot = written(tmp_path)
    table = fits.getdata(head, 1)
    assert table["PTROBS_MIN"].tolist() == [1, 4]
    assert table["PTROBS_MAX"].tolist() == [2, 6]
    assert table["NOBS"].tolist() == [2, 3]
    rows = fits.getdata(phot, 1)
    assert rows["MJD"][[2, 6]].tolist() == [-777.0, -777.0]
    assert rows["BAND"][[2, 6]].tolist() == ["-", "-"]


def test_the_columns_are_those_of_the_real_files(tmp_path, real_survey_directories):
    for model, quantiles in (("K17", True), ("flare", False)):
        real = next(directory for directory in real_survey_directories if directory.name.endswith(model))
        for mine, kind in zip(written(tmp_path, quantiles=quantiles), ("HEAD", "PHOT"), strict=True):
            expected, extname = columns_of(next(real.glob(f"*-0001_{kind}.FITS.gz")))
            expected = [c for c in expected if not c[0].startswith(("SIM_HOSTLIB(", "SIM_GALFRAC"))]
            assert columns_of(mine) == (expected, extname)


def test_the_keywords_tell_what_readers_look_for(tmp_path):
    for quantiles, number in ((True, 11), (False, 0)):
        header = fits.getheader(written(tmp_path, quantiles=quantiles)[0])
        assert header["PHOTFILE"] == "A-0001_PHOT.FITS"
        assert header["NZPHOT_Q"] == number
        assert (header["SURVEY"], header["FILTERS"], header["PHOTFLAG_DETECT"]) == ("LSST", "ugrizY", 4096)


def test_a_file_of_no_objects_has_its_columns(tmp_path):
    head, phot = written(tmp_path, counts=())
    assert len(fits.getdata(head, 1)) == len(fits.getdata(phot, 1)) == 0
    assert ("SNID", "16A") in columns_of(head)[0]


def test_every_column_that_is_read_is_written():
    names = {name for name, _, _ in head_columns(quantiles=True)}
    assert {theirs for _, theirs, _ in OPTIONAL_OBJECT_COLUMNS} <= names


def test_the_same_values_are_the_same_bytes(tmp_path):
    first = [path.read_bytes() for path in written(tmp_path)]
    assert [path.read_bytes() for path in written(tmp_path)] == first


def test_dump_values_are_written_as_snana_writes_them():
    row = {theirs: 0.25 for _, theirs, _ in TRUTH_COLUMNS} | {"CID": 7, "GALID": -9, "PEAKMJD": 61000.12346}
    line = dump_lines([row]).split()
    names = dump_header("X").split("VARNAMES:")[1].split()
    values = dict(zip(names, line[1:], strict=True))
    assert (values["CID"], values["GALID"], values["PEAKMJD"]) == ("7", "-9", "61000.1235")
    assert (values["RA"], values["ZCMB"]) == ("0.250000", "2.50000e-01")

import gzip

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.tom_desc.snana.conftest import write_table
from tom_desc.snana.fits_table import BadSurveyFile, read_fits_table

KINDS = ("u1", "i2", "i4", "i8", "f4", "f8", "S1", "S7")
TABLES = st.lists(st.sampled_from(KINDS), min_size=1, max_size=6).flatmap(
    lambda kinds: hnp.arrays([(f"C{n}", kind) for n, kind in enumerate(kinds)], st.integers(0, 50))
)


def texts(rows):
    """The columns of strings."""
    return [rows[name] for name in rows.dtype.names if rows.dtype[name].kind == "S"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=TABLES)
def test_rows_are_those_that_astropy_wrote(tmp_path, rows):
    # A FITS string ends at its first NUL, and white space at its end does not count: astropy writes none.
    written = [text for column in texts(rows) for text in column.tolist()]
    assume(all(b"\0" not in text and text == text.rstrip() for text in written))
    write_table(tmp_path / "t.fits", rows, "T", {})
    read = read_fits_table(tmp_path / "t.fits").rows
    assert read.dtype.names == rows.dtype.names
    for name in rows.dtype.names:
        assert read[name].astype(rows.dtype[name]).tobytes() == rows[name].tobytes()


def test_real_files_read_as_astropy_reads_them(real_survey_directories):
    for path in sorted(real_survey_directories[0].glob("*-000[1-4]_*.FITS.gz")):
        table = read_fits_table(path)
        with fits.open(path, memmap=False) as hdus:
            expected = hdus[1].data.view(np.ndarray)
            assert table.rows.dtype.names == expected.dtype.names
            assert table.rows.tobytes() == expected.tobytes()
            assert table.header["PHOTFILE"] == hdus[0].header["PHOTFILE"]


def test_a_keyword_value_continues_over_cards(tmp_path):
    name = "long" * 30 + "_PHOT.FITS"
    write_table(tmp_path / "t.fits", np.zeros(1, [("A", "i4")]), "T", {"PHOTFILE": name})
    assert read_fits_table(tmp_path / "t.fits").header["PHOTFILE"] == name


def test_quotes_and_comments_are_not_part_of_a_value(tmp_path):
    write_table(tmp_path / "t.fits", np.zeros(1, [("A", "i4")]), "T", {"SURVEY": ("it's", "a / comment")})
    assert read_fits_table(tmp_path / "t.fits").header["SURVEY"] == "it's"


def test_a_gzipped_file_is_the_same_table(tmp_path, small_survey):
    plain = small_survey.write()
    packed = tmp_path / "packed.fits.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert read_fits_table(packed).rows.tobytes() == read_fits_table(plain).rows.tobytes()


@pytest.mark.parametrize("kept", [0.2, 0.6, 0.99])
def test_a_truncated_gzip_file_is_named(tmp_path, small_survey, kept):
    packed = gzip.compress(small_survey.write().read_bytes())
    (tmp_path / "cut.gz").write_bytes(packed[: int(len(packed) * kept)])
    with pytest.raises(BadSurveyFile, match=r"cut\.gz: truncated or corrupt gzip file"):
        read_fits_table(tmp_path / "cut.gz")


@pytest.mark.parametrize("blocks", [0.5, 1, 1.5, 2])
def test_a_truncated_fits_file_is_named(tmp_path, small_survey, blocks):
    content = small_survey.write().read_bytes()
    (tmp_path / "cut.fits").write_bytes(content[: int(2880 * blocks)])
    with pytest.raises(BadSurveyFile, match=r"cut\.fits: truncated FITS file"):
        read_fits_table(tmp_path / "cut.fits")


def test_a_file_of_something_else_is_named(tmp_path):
    (tmp_path / "x.FITS").write_text("SN: 1 2 3")
    with pytest.raises(BadSurveyFile, match=r"x\.FITS: not a FITS file"):
        read_fits_table(tmp_path / "x.FITS")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(BadSurveyFile, match=r"x\.FITS: no such file"):
        read_fits_table(tmp_path / "x.FITS")


def test_columns_of_several_values_are_refused_by_name(tmp_path):
    write_table(tmp_path / "t.fits", np.zeros(2, [("PAIR", "f4", 2)]), "T", {})
    with pytest.raises(BadSurveyFile, match="column PAIR has unsupported format 2E"):
        read_fits_table(tmp_path / "t.fits")


def test_scaled_columns_are_refused_by_name(tmp_path):
    write_table(tmp_path / "t.fits", np.zeros(2, [("COUNT", "u2")]), "T", {})
    with pytest.raises(BadSurveyFile, match="column COUNT is scaled"):
        read_fits_table(tmp_path / "t.fits")

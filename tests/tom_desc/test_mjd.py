"""Survey time and wall time."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from tom_desc.mjd import mjd_tai, utc


def test_tai_is_37_seconds_ahead_of_utc() -> None:
    assert mjd_tai(datetime(2023, 11, 17, tzinfo=UTC)) == 60265 + 37 / 86400


@given(st.floats(51544, 88069))
def test_a_moment_is_found_again(mjd: float) -> None:
    assert abs(mjd_tai(utc(mjd)) - mjd) < 1e-9

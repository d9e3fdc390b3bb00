"""Degrees and sexagesimal: known positions, carries, the inverse, and what is no position."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tom_desc import sky


def test_a_known_position():
    # M31 (NED): 00h42m44.330s +41d16m07.50s = 10.684708, 41.268750 deg.
    assert sky.position(10.684708333, 41.26875) == "00:42:44.330 +41:16:07.50"


def test_just_below_the_equator_keeps_its_sign():
    assert sky.declination(-0.5) == "-00:30:00.00"


def test_what_rounds_to_zero_has_no_minus():
    assert sky.declination(-1e-9) == "+00:00:00.00"


def test_seconds_that_round_up_carry_to_the_minutes():
    assert sky.declination(9.99999999) == "+10:00:00.00"
    assert sky.right_ascension(14.9999999999) == "01:00:00.000"


def test_right_ascension_goes_round():
    assert sky.right_ascension(359.9999999999) == "00:00:00.000"
    assert sky.right_ascension(-15.0) == sky.right_ascension(345.0) == "23:00:00.000"


def test_places_may_be_none():
    assert sky.right_ascension(90.0, places=0) == "06:00:00"


@pytest.mark.parametrize("degrees", [90.001, -91.0, math.nan, math.inf])
def test_a_declination_beyond_the_poles_is_refused(degrees):
    with pytest.raises(ValueError, match="between -90 and 90"):
        sky.declination(degrees)


def test_what_is_no_position_is_shown_as_nothing():
    assert sky.position(math.nan, 0.0) == sky.position(10.0, -999.0) == ""


def test_blanks_part_as_colons_do():
    assert sky.degrees_of_right_ascension(" 06 00 00 ") == 90.0
    assert sky.degrees_of_declination("-00 30 00.0") == -0.5


@pytest.mark.parametrize("text", ["", "12", "12:60:00", "24:00:00", "-01:00:00", "1:2:3:4", "a:b:c"])
def test_a_text_that_is_no_right_ascension_is_refused(text):
    with pytest.raises(ValueError, match=r"right ascension|not of the form"):
        sky.degrees_of_right_ascension(text)


@pytest.mark.parametrize("text", ["90:00:01", "-91:00:00", "12:00", "+-1:00:00"])
def test_a_text_that_is_no_declination_is_refused(text):
    with pytest.raises(ValueError, match=r"declination|not of the form"):
        sky.degrees_of_declination(text)


@given(st.floats(0, 359.999))
def test_right_ascension_reads_back_to_its_last_place(degrees):
    back = sky.degrees_of_right_ascension(sky.right_ascension(degrees))
    assert back == pytest.approx(degrees, abs=0.5e-3 * 15 / 3600 + 1e-12)


@given(st.floats(-90, 90))
def test_declination_reads_back_to_its_last_place(degrees):
    back = sky.degrees_of_declination(sky.declination(degrees))
    assert back == pytest.approx(degrees, abs=0.5e-2 / 3600 + 1e-12)

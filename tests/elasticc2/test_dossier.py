"""How numbers of an object are written; the rest shows on its page (test_pages)."""

import math

import numpy as np
import pytest

from elasticc2.dossier import Position, in_digits_of, magnitude, position, rounded, shortest


@pytest.mark.parametrize(
    ("value", "error", "written"),
    [
        (3201.2878, 39.5, "3201"),
        (3201.2878, 3.95, "3201.3"),
        (3201.2878, 0.395, "3201.29"),
        (-40.0, 1012.3, "-40"),
        (5.0, 0.0, "5.000"),
        (5.0, math.nan, "5.000"),
        (math.nan, 1.0, "nan"),
    ],
)
def test_a_value_ends_with_the_second_digit_of_its_error(value, error, written):
    assert in_digits_of(value, error) == written


def test_float32_keeps_its_shortest_decimals():
    assert shortest(np.array([3201.2878, np.nan, np.inf], np.float32)) == [3201.2878, None, None]


def test_what_is_no_number_is_none():
    assert rounded(math.nan, 2) is None
    assert rounded(1.005, 2) == 1.0


@pytest.mark.parametrize(("flux", "zeropoint"), [(None, 31.4), (100.0, None), (-1.0, 31.4)])
def test_there_is_no_magnitude_without_a_positive_flux_and_a_zeropoint(flux, zeropoint):
    assert magnitude(flux, zeropoint) is None


def test_a_position_is_in_degrees_sexagesimal_and_a_name():
    assert position(63.714953, -50.091457) == Position(
        "63.714953 -50.091457", "04:14:51.589 -50:05:29.25", "J041451.58-500529.2"
    )


@pytest.mark.parametrize(
    ("ra", "dec", "name"),
    [
        # 59.999 seconds are truncated where rounding would begin the next minute.
        (0.2499958, 0.0166664, "J000059.99+000059.9"),
        (359.99999, -89.99999, "J235959.99-895959.9"),
        (179.99999999999997, 5.0, "J120000.00+050000.0"),
        (359.99999999999994, 4.999999999999999, "J000000.00+050000.0"),
    ],
)
def test_a_name_by_position_is_truncated(ra, dec, name):
    found = position(ra, dec)
    assert found is not None
    assert found.designation == name


@pytest.mark.parametrize(("ra", "dec"), [(math.nan, 0.0), (0.0, math.inf), (10.0, -90.1)])
def test_what_is_no_position_has_no_name(ra, dec):
    assert position(ra, dec) is None

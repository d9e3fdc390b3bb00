"""Flux and magnitude: known pairs, the inverse, and what has no magnitude."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tom_desc.photometry import fluxes, is_significant, limits, magnitudes

NJY = 31.4


def test_flux_one_has_the_magnitude_of_the_zeropoint():
    mag, magerr = magnitudes(1.0, 0.0, zeropoint=NJY)
    assert (float(mag), float(magerr)) == (NJY, 0.0)


def test_five_magnitudes_are_a_factor_of_one_hundred():
    mag, _ = magnitudes([100.0, 10_000.0], [1.0, 1.0], zeropoint=NJY)
    assert mag == pytest.approx([26.4, 21.4])


def test_ten_sigma_are_an_error_of_a_tenth_of_a_magnitude():
    _, magerr = magnitudes(1000.0, 100.0, zeropoint=NJY)
    assert float(magerr) == pytest.approx(0.10857, abs=1e-5)


def test_the_same_light_has_the_same_magnitude_in_fluxcal_and_in_njy():
    fluxcal = np.array([12.5, 300.0])
    in_fluxcal, _ = magnitudes(fluxcal, fluxcal / 10, zeropoint=27.5)
    in_njy, _ = magnitudes(fluxcal * 10**1.56, fluxcal / 10, zeropoint=NJY)
    assert in_njy == pytest.approx(in_fluxcal)


@pytest.mark.parametrize("flux", [0.0, -3.0, np.nan, np.inf, -np.inf])
def test_a_flux_that_is_not_positive_has_no_magnitude(flux):
    mag, magerr = magnitudes(flux, 1.0, zeropoint=NJY)
    assert np.isnan(mag)
    assert np.isnan(magerr)


@pytest.mark.filterwarnings("error")
def test_fluxes_without_a_magnitude_raise_no_warning():
    magnitudes(np.array([0, -1, np.nan, 5], np.float32), np.ones(4, np.float32), zeropoint=NJY)


def test_a_limit_is_the_magnitude_of_three_sigma():
    assert limits(100.0, zeropoint=NJY) == pytest.approx(magnitudes(300.0, 1.0, zeropoint=NJY)[0])


def test_a_limit_needs_an_error():
    assert np.isnan(limits([0.0, np.nan], zeropoint=NJY)).all()


def test_three_sigma_are_significant_and_less_or_negative_is_not():
    assert is_significant([300.0, 299.0, -900.0, 0.0], [100.0, 100.0, 100.0, 0.0]).tolist() == [
        True,
        False,
        False,
        False,
    ]


@given(st.floats(1e-6, 1e12), st.floats(0, 1e6), st.floats(20, 40), st.sampled_from([np.float32, np.float64]))
def test_fluxes_is_the_inverse_of_magnitudes(flux, fluxerr, zeropoint, kind):
    flux, fluxerr = kind(flux), kind(fluxerr)
    back, error = fluxes(*magnitudes(flux, fluxerr, zeropoint=zeropoint), zeropoint=zeropoint)
    assert float(back) == pytest.approx(float(flux), rel=1e-9)
    assert float(error) == pytest.approx(float(fluxerr), rel=1e-9)

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tom_desc.snana import light


@given(st.floats(10.0, 34.0))
def test_magnitudes_and_fluxcal_are_inverse(mag):
    assert light.magnitudes(light.fluxcal(mag)) == pytest.approx(mag)


def test_no_light_is_magnitude_99():
    assert light.magnitudes(np.array([0.0, -5.0])).tolist() == [99.0, 99.0]


@pytest.mark.parametrize("redshift", [0.004, 0.1, 0.5, 1.8])
def test_distance_moduli_are_those_of_a_flat_universe(redshift):
    step = redshift / 100_000
    z = step * (np.arange(100_000) + 0.5)
    comoving = 299792.458 / 70.0 * (step / np.sqrt(0.315 * (1 + z) ** 3 + 0.685)).sum()
    expected = 5 * np.log10(comoving * (1 + redshift) * 1e6 / 10)
    assert light.distance_modulus(redshift) == pytest.approx(expected, abs=1e-6)


def test_near_distances_follow_hubbles_law():
    assert light.distance_modulus(0.001) == pytest.approx(5 * np.log10(299.792458 / 70.0 * 1e5), abs=0.003)


def test_hotter_black_bodies_are_bluer():
    colours = [light.planck(light.WAVELENGTHS, kelvins)[[1, 3]] for kelvins in (4000.0, 10000.0)]
    assert colours[1][0] / colours[1][1] > colours[0][0] / colours[0][1]


def test_dust_dims_the_blue_more():
    assert (np.diff(light.dust(light.WAVELENGTHS, 0.1)) < 0).all()


def test_a_star_has_its_r_magnitude():
    assert light.magnitudes(light.star_fluxes(20.0, 5000.0))[2] == pytest.approx(20.0)

"""Magnitudes, distances, black bodies and dust: what the simulated light curves are made of."""

import numpy as np
from numpy.typing import NDArray

FLUXCAL_ZEROPOINT = 27.5
FAINTEST_MAG = 99.0
# Effective wavelengths of the LSST bands u g r i z Y, in Å.
WAVELENGTHS = np.array([3671.0, 4827.0, 6223.0, 7546.0, 8691.0, 9712.0])
REFERENCE_WAVELENGTH = 4827.0
# A_band / E(B-V) for R_V = 3.1: Schlafly & Finkbeiner 2011, table 6 (LSST), with one point for the
# ultraviolet.
DUST_WAVELENGTHS = np.concatenate([[2000.0], WAVELENGTHS])
DUST_PER_EBV = np.array([8.0, 4.145, 3.237, 2.273, 1.684, 1.323, 1.088])
SECOND_RADIATION_CONSTANT = 1.438776877e8  # hc/k in Å K
SPEED_OF_LIGHT = 299792.458  # km/s
HUBBLE = 70.0  # km/s/Mpc
OMEGA_MATTER = 0.315

Floats = NDArray[np.float64]
Bands = NDArray[np.intp]


def fluxcal(mag: Floats | float) -> Floats:
    """FLUXCAL (zeropoint 27.5) of AB magnitudes."""
    return np.asarray(10.0 ** (-0.4 * (np.asarray(mag) - FLUXCAL_ZEROPOINT)))


def magnitudes(flux: Floats) -> Floats:
    """AB magnitudes of FLUXCAL, 99 where there is (next to) no light."""
    seen = flux > 1e-3
    return np.where(seen, FLUXCAL_ZEROPOINT - 2.5 * np.log10(np.where(seen, flux, 1.0)), FAINTEST_MAG)


def distance_modulus(redshift: float) -> float:
    """Distance modulus in a flat universe with a cosmological constant, by Simpson's rule."""
    z = np.linspace(0.0, redshift, 65)
    weights = np.ones(65)
    weights[1:-1:2], weights[2:-1:2] = 4.0, 2.0
    integrand = 1.0 / np.sqrt(OMEGA_MATTER * (1.0 + z) ** 3 + 1.0 - OMEGA_MATTER)
    comoving = SPEED_OF_LIGHT / HUBBLE * float(weights @ integrand) * redshift / 64.0 / 3.0
    return float(5.0 * np.log10(comoving * (1.0 + redshift)) + 25.0)


def planck(wavelength: Floats | float, temperature: Floats | float) -> Floats:
    """Black-body spectrum per unit frequency, without its constant factors; Å and K."""
    wavelength = np.asarray(wavelength)
    return np.asarray(
        1.0 / (wavelength**3 * np.expm1(SECOND_RADIATION_CONSTANT / (wavelength * temperature)))
    )


def dust(wavelength: Floats, ebv: float) -> Floats:
    """Extinction in magnitudes at the given wavelengths (Å)."""
    return ebv * np.interp(wavelength, DUST_WAVELENGTHS, DUST_PER_EBV)


def star_fluxes(r_mag: float, temperature: float) -> Floats:
    """FLUXCAL in the six bands of a black body of the given r magnitude."""
    spectrum = planck(WAVELENGTHS, temperature)
    return fluxcal(r_mag) * spectrum / spectrum[2]

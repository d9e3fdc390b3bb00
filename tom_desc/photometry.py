"""Flux and AB magnitude of point sources. Pure: arrays (or numbers) in, float64 arrays out.

The zeropoint is the AB magnitude of flux 1: ``mag = zeropoint - 2.5 log10(flux)``. What has no magnitude is
NaN. Errors are 1 sigma and propagate to first order.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

# Five magnitudes are a factor of 100 in flux (Pogson 1856, MNRAS 17, 12).
POGSON = 2.5
# Derivative of a magnitude by the natural logarithm of the flux.
MAG_PER_LN = POGSON / np.log(10)
# Of a flux of less than this many sigma one gives an upper limit instead of a magnitude.
LIMIT_SIGMA = 3.0


def magnitudes(flux: ArrayLike, fluxerr: ArrayLike, *, zeropoint: float) -> tuple[Floats, Floats]:
    """AB magnitudes and their errors; NaN where the flux is not a positive number."""
    values, errors = np.asarray(flux, np.float64), np.asarray(fluxerr, np.float64)
    values = np.where(np.isfinite(values) & (values > 0), values, np.nan)
    return zeropoint - POGSON * np.log10(values), MAG_PER_LN * errors / values


def fluxes(mag: ArrayLike, magerr: ArrayLike, *, zeropoint: float) -> tuple[Floats, Floats]:
    """Fluxes and their errors: the inverse of :func:`magnitudes`."""
    values = 10 ** ((zeropoint - np.asarray(mag, np.float64)) / POGSON)
    return values, values * np.asarray(magerr, np.float64) / MAG_PER_LN


def limits(fluxerr: ArrayLike, *, zeropoint: float, sigma: float = LIMIT_SIGMA) -> Floats:
    """AB magnitude of a flux of ``sigma`` times its error; NaN where the error is not a positive number."""
    return magnitudes(sigma * np.asarray(fluxerr, np.float64), 0.0, zeropoint=zeropoint)[0]


def is_significant(flux: ArrayLike, fluxerr: ArrayLike, *, sigma: float = LIMIT_SIGMA) -> NDArray[np.bool_]:
    """Whether the flux is at least ``sigma`` times its error, so that it has a magnitude worth giving."""
    values = np.asarray(flux, np.float64)
    return np.asarray((values > 0) & (values >= sigma * np.asarray(fluxerr, np.float64)))

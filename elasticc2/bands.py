"""A light curve in words, band by band: how bright it is, since when, and where it is going."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from elasticc2.dossier import Points
from tom_desc.snana.columns import BANDS

# The slope is that of the points of so many days up to the band's latest one ...
SLOPE_DAYS = 14.0
# ... if they cover more than this: points of one night say nothing of days.
SLOPE_LEAST_DAYS = 0.5


@dataclass(frozen=True)
class BandPoint:
    """A point with a magnitude worth giving; ``detected``: of a source, not forced photometry alone.

    Attributes
    ----------
    mjd
        TAI.
    mag, magerr
        AB, 1 sigma.
    age
        Days before the campaign's clock; None where it shows nothing.
    """

    mjd: float
    mag: float
    magerr: float
    detected: bool
    age: float | None


@dataclass(frozen=True)
class Slope:
    """Magnitudes a day, with 1 sigma; positive: it fades. ``points``: of how many."""

    value: float
    error: float
    points: int


@dataclass(frozen=True)
class BandSummary:
    """What a band's points say. ``latest`` and ``peak`` are of the points of S/N >= 3."""

    band: str
    points: int
    detections: int
    first_detection: float | None
    latest: BandPoint | None
    slope: Slope | None
    peak: BandPoint | None


def band_summaries(points: Points, *, clock_mjd: float | None) -> list[BandSummary]:
    """One a band that has a point, in the order of wavelength."""
    return [band_summary(band, points, clock_mjd=clock_mjd) for band in in_order(points.band)]


def in_order(bands: NDArray[np.bytes_]) -> Iterator[str]:
    """The bands that there are, by wavelength; unknown ones last."""
    return iter(sorted(set(letters(bands)), key=lambda band: (BANDS + band).index(band)))


def letters(bands: NDArray[np.bytes_]) -> list[str]:
    """The bands as text, whatever byte they are."""
    return list(bands.tobytes().decode("latin-1"))


def band_summary(band: str, points: Points, *, clock_mjd: float | None) -> BandSummary:
    here = points.band == band.encode("latin-1")
    detections = points.mjd[here & points.detected]
    bright = np.flatnonzero(here & points.significant & np.isfinite(points.mag))

    def point(i: int) -> BandPoint:
        mjd = float(points.mjd[i])
        age = None if clock_mjd is None else clock_mjd - mjd
        return BandPoint(mjd, float(points.mag[i]), float(points.magerr[i]), bool(points.detected[i]), age)

    return BandSummary(
        band=band,
        points=int(here.sum()),
        detections=len(detections),
        first_detection=float(detections[0]) if len(detections) else None,
        latest=point(bright[-1]) if len(bright) else None,
        slope=slope(points.mjd[bright], points.mag[bright], points.magerr[bright]),
        peak=point(bright[np.argmin(points.mag[bright])]) if len(bright) else None,
    )


def slope(mjd: NDArray[np.float64], mag: NDArray[np.float64], magerr: NDArray[np.float64]) -> Slope | None:
    """The slope of the last SLOPE_DAYS of a band, in ascending time.

    A straight line by least squares, weighted by 1/magerr^2 (Bevington & Robinson 2003, section 6.3); its
    error is that which the points' own errors make.

    Returns
    -------
    Slope or None
        None where fewer than two points are left, or all within SLOPE_LEAST_DAYS.
    """
    usable = magerr > 0
    recent = usable & (mjd >= mjd[usable][-1] - SLOPE_DAYS) if usable.any() else usable
    if not recent.any() or np.ptp(mjd[recent]) <= SLOPE_LEAST_DAYS:
        return None
    weight = magerr[recent] ** -2.0
    days = mjd[recent] - np.average(mjd[recent], weights=weight)
    spread = np.sum(weight * days**2)
    return Slope(
        value=float(np.sum(weight * days * mag[recent]) / spread),
        error=float(spread**-0.5),
        points=int(recent.sum()),
    )

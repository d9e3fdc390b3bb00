"""When the simulated survey looks at a position, in which band and how deep.

Nights are counted back from the end of the survey: night k is the 0.35 days that end k days before ``last``,
so that the last night ends exactly there.
"""

from dataclasses import dataclass

import numpy as np

from tom_desc.snana.columns import BANDS
from tom_desc.snana.light import Bands, Floats, fluxcal

NIGHT_DAYS = 0.35
YEAR_DAYS = 365.25
# Mean longitude of the sun at J2000 and the epoch's MJD.
SUN_AT_J2000, J2000 = 280.46, 51544.5
# A position is observed this far, in turns, from opposition; a deep field, always one of them, farther.
SEASON_HALF_TURN, DEEP_SEASON_HALF_TURN = 0.28, 0.32
# 5-sigma depths and instrumental zeropoints (electrons) of single visits in u g r i z Y.
DEPTHS = np.array([23.8, 24.5, 24.0, 23.4, 22.7, 22.0])
DEPTH_SCATTER = 0.2
ZEROPOINTS = np.array([30.4, 31.7, 31.5, 31.3, 31.05, 30.15])
PAIRS = ("ug", "gr", "gr", "ri", "ri", "iz", "iz", "zY", "zY", "ur")
GAPS = np.array([2, 3, 3, 3, 4, 4, 5, 7])
CLOUDED = 0.08
DEEP_VISITS_PER_NIGHT = (8, 80)
DEEP_POINTS = 1200
SECONDS_BETWEEN_DEEP_VISITS = 45.0
DEEP_SEQUENCE = "rgizYrizug"
# Centres of the deep drilling fields: ELAIS S1, XMM-LSS, CDFS, EDFS, COSMOS.
DEEP_FIELDS = ((9.45, -44.03), (35.57, -4.82), (52.98, -28.12), (61.2, -48.42), (150.11, 2.23))


@dataclass(frozen=True)
class Visits:
    """Visits to one position in order of time; ``sky`` is background noise in FLUXCAL, ``psf`` in pixels."""

    mjd: Floats
    band: Bands
    sky: Floats
    zeropoint: Floats
    psf: Floats


def opposition(mjd: Floats | float) -> Floats:
    """Right ascension, in turns, that culminates at midnight (the sun on its mean longitude)."""
    return np.asarray((SUN_AT_J2000 / 360.0 + (np.asarray(mjd) - J2000) / YEAR_DAYS + 0.5) % 1.0)


def season_offset(ra: float, mjd: Floats | float) -> Floats:
    """Turns between a position and opposition, -0.5 to 0.5: negative early in its season."""
    return np.asarray((opposition(mjd) - ra / 360.0 + 0.5) % 1.0 - 0.5)


def draw_position(rng: np.random.Generator, *, deep: bool, last: float) -> tuple[float, float]:
    """A position (degrees) on the survey's sky; two in three are in season on the last night."""
    if deep:
        return _deep_position(rng, last)
    in_season = rng.random() < 0.67
    turn = float(opposition(last)) + float(rng.uniform(-0.26, 0.26)) if in_season else float(rng.random())
    # Uniform on the sphere between declinations -70 and +10.
    sine = float(rng.uniform(-0.9397, 0.1736))
    return round(turn % 1.0 * 360.0, 6) % 360.0, round(float(np.degrees(np.arcsin(sine))), 6)


def _deep_position(rng: np.random.Generator, last: float) -> tuple[float, float]:
    in_season = [f for f in DEEP_FIELDS if abs(season_offset(f[0], last)) < DEEP_SEASON_HALF_TURN]
    fields = in_season if in_season and rng.random() < 0.67 else DEEP_FIELDS
    ra, dec = fields[int(rng.integers(len(fields)))]
    return round(ra + float(rng.uniform(-1.5, 1.5)), 6), round(dec + float(rng.uniform(-1.2, 1.2)), 6)


def draw_visits(rng: np.random.Generator, *, ra: float, deep: bool, first: float, last: float) -> Visits:
    """All visits to a position from ``first`` to ``last``: every few nights, every night in a deep field."""
    nights = np.arange(int(last - first - NIGHT_DAYS) + 1)
    if not deep:
        steps = np.cumsum(rng.choice(GAPS, len(nights) // int(GAPS.min()) + 1))
        nights = np.append(0, steps) + int(rng.integers(0, 4))
        nights = nights[nights <= last - first - NIGHT_DAYS]
    offset = season_offset(ra, last - nights.astype(float))
    half_turn = DEEP_SEASON_HALF_TURN if deep else SEASON_HALF_TURN
    seen = (np.abs(offset) < half_turn) & (rng.random(len(nights)) > CLOUDED)
    middle = last - NIGHT_DAYS / 2 - nights[seen]
    starts = middle - np.clip(offset[seen], -0.09, 0.09) + rng.uniform(-0.02, 0.02, len(middle))
    mjd, band = _deep_night(starts) if deep else _wide_night(rng, starts)
    order = np.argsort(mjd, kind="stable")
    return _conditions(rng, mjd[order], band[order])


def _wide_night(rng: np.random.Generator, starts: Floats) -> tuple[Floats, Bands]:
    """Two visits, half an hour apart, in two bands."""
    pairs = np.array([[BANDS.index(band) for band in pair] for pair in PAIRS])
    band = pairs[rng.integers(len(PAIRS), size=len(starts))]
    later = starts + rng.uniform(0.0222, 0.03, len(starts))
    return np.concatenate([starts, later]), np.concatenate([band[:, 0], band[:, 1]])


def _deep_night(starts: Floats) -> tuple[Floats, Bands]:
    """A sequence through all bands, long enough to make the object's points more than a thousand."""
    fewest, most = DEEP_VISITS_PER_NIGHT
    visits = min(max(-(-DEEP_POINTS // max(len(starts), 1)), fewest), most)
    band = np.array(
        [BANDS.index(DEEP_SEQUENCE[n % len(DEEP_SEQUENCE)]) for n in range(visits)], dtype=np.intp
    )
    mjd = starts[:, None] + np.arange(visits) * (SECONDS_BETWEEN_DEEP_VISITS / 86400.0)
    return mjd.ravel(), np.tile(band, len(starts))


def _conditions(rng: np.random.Generator, mjd: Floats, band: Bands) -> Visits:
    depth = DEPTHS[band] + rng.normal(0.0, DEPTH_SCATTER, len(band))
    zeropoint = np.round(ZEROPOINTS[band] + rng.normal(0.0, 0.03, len(band)), 2)
    psf = np.round(rng.uniform(1.5, 2.4, len(band)), 2)
    return Visits(np.round(mjd, 4), band, fluxcal(depth) / 5.0, zeropoint, psf)

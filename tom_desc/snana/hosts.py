"""Host galaxies of simulated transients, as SNANA's HOSTGAL columns tell them."""

from dataclasses import dataclass

import numpy as np

from tom_desc.snana.columns import BANDS, QUANTILES
from tom_desc.snana.light import Floats, distance_modulus, fluxcal

# Standard deviations of a normal distribution at 0 (a practical edge), 10, ... 100 percent; the upper tail is
# longer.
QUANTILE_SIGMAS = np.array([-2.4, -1.2816, -0.8416, -0.5244, -0.2533, 0.0, 0.2533, 0.55, 0.9, 1.45, 3.2])
# Colours of a galaxy relative to r, and how much redder per unit redshift.
COLOURS = np.array([1.8, 0.6, 0.0, -0.3, -0.5, -0.6])
REDDER = np.array([1.0, 0.9, 0.3, -0.1, -0.3, -0.4])
SERSIC_LIGHT_PER_SQ_ARCSEC = 0.02
NEIGHBOUR_SHARE = 1 / 3

Values = dict[str, float | int]


@dataclass(frozen=True)
class Host:
    """One host candidate: its values under SNANA's column names without the prefix."""

    columns: Values
    mags: Floats
    redshift: float

    def prefixed(self, prefix: str) -> Values:
        """Its HEAD columns."""
        return {f"{prefix}_{name}": value for name, value in self.columns.items()}

    def surface_brightness(self) -> Floats:
        """FLUXCAL per square arcsecond under the transient, u g r i z Y."""
        return np.round(SERSIC_LIGHT_PER_SQ_ARCSEC * fluxcal(self.mags), 4)


def draw_host(
    rng: np.random.Generator, *, redshift: float, ra: float, dec: float, arcsec: float, has_specz: bool
) -> Host:
    """A galaxy about ``arcsec`` from the position (degrees), with a photometric redshift near its own."""
    mags = _mags(rng, redshift)
    columns = _place(rng, ra, dec, arcsec) | _redshifts(rng, redshift, has_specz)
    for band, mag in zip(BANDS, mags, strict=True):
        columns[f"MAG_{band}"] = float(mag)
        columns[f"MAGERR_{band}"] = round(min(0.015 + 0.1 * 10.0 ** (0.4 * (float(mag) - 25.0)), 2.0), 5)
    return Host(columns, mags, redshift)


def draw_hosts(
    rng: np.random.Generator, *, redshift: float, ra: float, dec: float, has_specz: bool
) -> list[Host]:
    """The host and, for a third of the objects, a second candidate farther off in the sky and in redshift."""
    hosts = [draw_host(rng, redshift=redshift, ra=ra, dec=dec, arcsec=0.7, has_specz=has_specz)]
    if rng.random() < NEIGHBOUR_SHARE:
        other = redshift + 0.05 + float(rng.exponential(0.25))
        hosts.append(draw_host(rng, redshift=other, ra=ra, dec=dec, arcsec=4.0, has_specz=False))
    return hosts


def _mags(rng: np.random.Generator, redshift: float) -> Floats:
    r_mag = float(rng.normal(-20.8, 1.0)) + distance_modulus(redshift) + redshift
    return np.round(r_mag + COLOURS + REDDER * redshift + rng.normal(0.0, 0.08, len(BANDS)), 5)


def _place(rng: np.random.Generator, ra: float, dec: float, arcsec: float) -> Values:
    separation = round(float(np.clip(rng.gamma(2.0, arcsec / 2.0), 0.01, 10.0)), 5)
    angle = float(rng.uniform(0.0, 2.0 * np.pi))
    north, east = separation * float(np.cos(angle)), separation * float(np.sin(angle))
    light_radius = float(rng.uniform(0.5, 2.0))
    return {
        "OBJID": int(rng.integers(6_000_000_000, 11_000_000_000)),
        "OBJID2": -9,
        "OBJID_UNIQUE": -9,
        "RA": round(ra + east / 3600.0 / float(np.cos(np.radians(dec))), 8) % 360.0,
        "DEC": round(dec + north / 3600.0, 8),
        "SNSEP": separation,
        "DDLR": round(separation / light_radius, 5),
        "ELLIPTICITY": round(float(rng.beta(1.5, 3.0)), 4),
        "SQRADIUS": round(float(np.clip(rng.lognormal(2.7, 0.5), 4.0, 90.0)), 4),
        "LOGMASS": round(float(rng.normal(10.3, 0.6)), 4),
    }


def _redshifts(rng: np.random.Generator, redshift: float, has_specz: bool) -> Values:
    error = round(0.015 + 0.025 * (1.0 + redshift) * float(rng.uniform(0.6, 1.6)), 5)
    outlier = float(rng.normal(0.0, 0.3)) if rng.random() < 0.05 else 0.0
    zphot = round(abs(redshift + error * float(rng.normal()) + outlier), 5)
    columns: Values = {"PHOTOZ": zphot, "PHOTOZ_ERR": error}
    for percent, sigmas in zip(QUANTILES, QUANTILE_SIGMAS, strict=True):
        columns[f"ZPHOT_Q{percent:03d}"] = round(zphot + error * float(sigmas), 5)
    if has_specz:
        columns |= {"SPECZ": round(redshift + 0.0003 * float(rng.normal()), 5), "SPECZ_ERR": 0.0005}
    return columns

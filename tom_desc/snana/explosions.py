"""Extragalactic transients as expanding, cooling black bodies.

A class is given by its light curve in rest-frame g (a parabolic rise, then magnitudes below the peak at given
days) and by how its temperature falls, which makes the colours, their evolution and the K-correction. The
numbers are round values of the respective classes, good enough to be recognised by eye and by a classifier,
not for cosmology.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tom_desc.snana.light import (
    REFERENCE_WAVELENGTH,
    WAVELENGTHS,
    Bands,
    Floats,
    distance_modulus,
    dust,
    fluxcal,
    planck,
)
from tom_desc.snana.sources import Scene, Source

R_V = 3.1
BLANKETED_BELOW = 4000.0  # Å
INFRARED_ABOVE = 6500.0  # Å
BUMP_DAY, BUMP_WIDTH = 25.0, 8.0
LATEST_DAY = 2000.0
DUST_SCALE = 0.03  # mean E(B-V) in the host
FASTEST_FADE = 1.0  # mag: an object should be caught before it has faded so much


@dataclass(frozen=True)
class Explosion:
    """A class, in rest-frame days, magnitudes, kelvins: ``peak`` is (mean, scatter), ``redshift`` a range."""

    peak: tuple[float, float]
    redshift: tuple[float, float]
    rise: float
    decline: tuple[tuple[float, float], ...]
    temperature: tuple[float, float]
    cooling: float
    blanketing: float = 0.0
    bump: float = 0.0

    def faded(self, days: Floats) -> Floats:
        """Magnitudes below the peak, in rest-frame g; the last slope goes on."""
        (before, upper), (last, lower) = self.decline[-2:]
        slope = (lower - upper) / (last - before)
        knots = ((0.0, 0.0), *self.decline, (LATEST_DAY, lower + slope * (LATEST_DAY - last)))
        return np.interp(days, [day for day, _ in knots], [mag for _, mag in knots])

    def shape(self, days: Floats) -> Floats:
        """Flux in rest-frame g, 1 at the peak, 0 before the explosion."""
        early = np.clip(1.0 - (days / self.rise) ** 2, 0.0, 1.0)
        return np.where(days < 0.0, early * np.sqrt(early), 10.0 ** (-0.4 * self.faded(days)))

    def kelvins(self, days: Floats) -> Floats:
        """Temperature: hotter before the peak, falling towards its late value."""
        hot, cool = self.temperature
        after = cool + (hot - cool) * np.exp(-np.maximum(days, 0.0) / self.cooling)
        return after * (1.0 + 0.3 * np.clip(-days / self.rise, 0.0, 1.0))

    def spectrum(self, days: Floats, wavelength: Floats) -> Floats:
        """Flux per unit frequency at rest-frame wavelengths, 1 at the peak in g."""
        kelvins = self.kelvins(days)
        colour = planck(wavelength, kelvins) / planck(REFERENCE_WAVELENGTH, kelvins)
        lines = 10.0 ** (-0.4e-3 * self.blanketing * np.maximum(BLANKETED_BELOW - wavelength, 0.0))
        second = (
            self.bump * np.exp(-0.5 * ((days - BUMP_DAY) / BUMP_WIDTH) ** 2) * (wavelength > INFRARED_ABOVE)
        )
        return (self.shape(days) + second) * colour * lines

    def bright_days(self) -> float:
        """Rest-frame days from the peak until it has faded by a magnitude."""
        days, mags = zip((0.0, 0.0), *self.decline, strict=True)
        return float(np.interp(FASTEST_FADE, mags, days))

    def draw(self, rng: np.random.Generator, scene: Scene) -> Source:
        """One object of the class that is bright at the anchor."""
        low, high = self.redshift
        # Not by volume, which would put nearly all of them at the limit.
        redshift = low + (high - low) * float(rng.random()) ** 0.6
        stretch = float(np.clip(rng.normal(1.0, 0.08), 0.8, 1.25))
        clock = stretch * (1.0 + redshift)
        phase = float(rng.uniform(-0.5 * self.rise, self.bright_days()))
        peak_mjd = scene.anchor - phase * clock
        mu = distance_modulus(redshift)
        mag = float(rng.normal(*self.peak)) - scene.boost + mu
        ebv = float(rng.exponential(DUST_SCALE))
        flux = self._observed(peak_mjd, clock, redshift, mag, ebv, scene.ebv)
        template = int(rng.integers(1, 400))
        explode = peak_mjd - self.rise * clock
        return Source(flux, peak_mjd, template, explode, redshift, mu, R_V, R_V * ebv)

    def _observed(
        self, peak_mjd: float, clock: float, redshift: float, mag: float, ebv: float, galactic: float
    ) -> Callable[[Floats, Bands], Floats]:
        rest = WAVELENGTHS / (1.0 + redshift)
        scale = fluxcal(mag + dust(rest, ebv) + dust(WAVELENGTHS, galactic)) * (1.0 + redshift)

        def flux(mjd: Floats, band: Bands) -> Floats:
            return scale[band] * self.spectrum((mjd - peak_mjd) / clock, rest[band])

        return flux


SN_IA = Explosion(
    peak=(-19.2, 0.25),
    redshift=(0.04, 0.65),
    rise=18.0,
    decline=((5, 0.1), (10, 0.4), (15, 0.8), (20, 1.3), (30, 2.2), (45, 2.9), (60, 3.2), (150, 5.0)),
    temperature=(11000.0, 5200.0),
    cooling=16.0,
    blanketing=1.5,
    bump=0.11,
)
SN_91BG = Explosion(
    peak=(-17.6, 0.35),
    redshift=(0.02, 0.3),
    rise=14.0,
    decline=((5, 0.3), (10, 1.1), (15, 1.9), (25, 2.6), (60, 3.8), (150, 6.0)),
    temperature=(7500.0, 4800.0),
    cooling=10.0,
    blanketing=2.0,
)
SN_IAX = Explosion(
    peak=(-17.3, 0.6),
    redshift=(0.02, 0.28),
    rise=13.0,
    decline=((5, 0.2), (10, 0.8), (15, 1.5), (25, 2.3), (60, 3.3), (150, 5.0)),
    temperature=(10000.0, 5000.0),
    cooling=11.0,
    blanketing=1.5,
)
SN_IBC = Explosion(
    peak=(-17.7, 0.5),
    redshift=(0.02, 0.33),
    rise=17.0,
    decline=((5, 0.12), (10, 0.5), (20, 1.5), (30, 2.1), (60, 2.9), (150, 4.6)),
    temperature=(8500.0, 5200.0),
    cooling=14.0,
    blanketing=1.8,
)
SN_II = Explosion(
    peak=(-17.4, 0.6),
    redshift=(0.015, 0.3),
    rise=9.0,
    decline=((20, 0.5), (80, 1.5), (95, 2.0), (110, 3.6), (250, 5.0)),
    temperature=(13000.0, 5800.0),
    cooling=18.0,
    blanketing=0.8,
)
SLSN = Explosion(
    peak=(-21.6, 0.5),
    redshift=(0.2, 1.4),
    rise=35.0,
    decline=((10, 0.1), (25, 0.5), (50, 1.4), (80, 2.4), (150, 4.2)),
    temperature=(13500.0, 6500.0),
    cooling=35.0,
    blanketing=0.5,
)
TDE = Explosion(
    peak=(-19.8, 0.6),
    redshift=(0.04, 0.5),
    rise=28.0,
    decline=((15, 0.2), (40, 0.9), (80, 1.7), (150, 2.6), (300, 3.7)),
    temperature=(22000.0, 19000.0),
    cooling=100.0,
)
PISN = Explosion(
    peak=(-20.9, 0.4),
    redshift=(0.15, 0.9),
    rise=110.0,
    decline=((20, 0.1), (60, 0.6), (120, 1.6), (250, 3.4)),
    temperature=(9000.0, 5000.0),
    cooling=70.0,
    blanketing=1.0,
)
ILOT = Explosion(
    peak=(-13.2, 0.7),
    redshift=(0.004, 0.035),
    rise=12.0,
    decline=((10, 0.2), (40, 0.9), (70, 1.8), (100, 3.5), (200, 5.5)),
    temperature=(6500.0, 3800.0),
    cooling=30.0,
    blanketing=0.5,
)
CART = Explosion(
    peak=(-16.0, 0.4),
    redshift=(0.01, 0.13),
    rise=11.0,
    decline=((5, 0.3), (10, 1.0), (15, 1.6), (30, 2.6), (80, 4.3)),
    temperature=(8000.0, 4600.0),
    cooling=9.0,
    blanketing=1.5,
)
KN = Explosion(
    peak=(-15.9, 0.5),
    redshift=(0.01, 0.09),
    rise=0.7,
    decline=((1, 0.7), (2, 1.8), (4, 4.2), (7, 6.5), (12, 9.0)),
    temperature=(9500.0, 2600.0),
    cooling=1.8,
    blanketing=0.5,
)

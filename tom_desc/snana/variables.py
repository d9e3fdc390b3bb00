"""Stars of our galaxy and active nuclei: flares, outbursts, lensing, pulsation, eclipses, a random walk.

All of them shine in the template too; what a survey measures is the difference, which may be negative.
"""

from collections.abc import Callable

import numpy as np

from tom_desc.snana.light import WAVELENGTHS, Bands, Floats, distance_modulus, fluxcal, planck, star_fluxes
from tom_desc.snana.sources import Draw, Scene, Source

PHASES = np.arange(256) / 256.0
# How much more a pulsating star, or a nucleus, varies in the blue than in r.
PULSATION_OF_BAND = np.array([1.5, 1.35, 1.0, 0.82, 0.75, 0.72])
NUCLEUS_OF_BAND = np.array([1.3, 1.15, 1.0, 0.92, 0.87, 0.83])
GALACTIC_TEMPLATES = 1_000_000

Waveform = Callable[[np.random.Generator], Floats]


def _template(rng: np.random.Generator) -> int:
    return int(rng.integers(1, GALACTIC_TEMPLATES))


def _hot_spectrum(mag: float, temperature: float) -> Floats:
    """FLUXCAL in the six bands of a black body of the given g magnitude."""
    spectrum = planck(WAVELENGTHS, temperature)
    return fluxcal(mag) * spectrum / spectrum[1]


def flare(rng: np.random.Generator, scene: Scene) -> Source:
    """M dwarf: up within minutes, down within hours, hot light on a cool star; and a few smaller flares."""
    steady = star_fluxes(float(rng.uniform(18.0, 22.5)), 3100.0)
    decay = float(rng.uniform(0.02, 0.09))
    main = scene.anchor - float(rng.uniform(0.1, 1.0)) * decay
    others = rng.uniform(scene.first, scene.last, int(rng.poisson(2.0)))
    times, sizes = np.append(others, main), np.append(0.3 * rng.random(len(others)), 1.0)
    peak = _hot_spectrum(float(rng.uniform(18.8, 21.8)) - scene.boost, 9500.0)

    def flux(mjd: Floats, band: Bands) -> Floats:
        since = (mjd[:, None] - times) / decay
        after = np.maximum(since, 0.0)
        fading = np.where(since < 0.0, 0.0, 0.65 * np.exp(-after) + 0.35 * np.exp(-after / 4.0))
        return peak[band] * (fading @ sizes)

    return Source(flux, main, _template(rng), main, steady=steady)


def dwarf_nova(rng: np.random.Generator, scene: Scene) -> Source:
    """Outbursts of some days, every few weeks: up within a day, a plateau, down by 0.8 magnitudes a day."""
    quiet = float(rng.uniform(21.5, 24.5))
    steady = star_fluxes(quiet, 9000.0)
    peak = _hot_spectrum(quiet - float(rng.uniform(2.5, 4.5)) - scene.boost, 12000.0)
    plateau = float(rng.uniform(2.0, 10.0))
    main = scene.anchor - float(rng.uniform(0.0, plateau))
    times = _recurring(rng, main, float(rng.uniform(25.0, 120.0)), scene)

    def flux(mjd: Floats, band: Bands) -> Floats:
        since = mjd[:, None] - times
        faded = 0.05 * since + 0.75 * np.maximum(since - plateau, 0.0)
        each = np.where(since < 0.0, np.clip(1.0 + since, 0.0, 1.0), 10.0 ** (-0.4 * faded))
        return peak[band] * each.max(axis=1)

    return Source(flux, main, _template(rng), steady=steady)


def _recurring(rng: np.random.Generator, main: float, period: float, scene: Scene) -> Floats:
    before, after = (int((span + period) / period) for span in (main - scene.first, scene.last - main))
    turns = np.arange(-before, after + 1)
    jitter = np.where(turns == 0, 0.0, rng.uniform(-0.15, 0.15, len(turns)))
    return np.asarray(main + period * (turns + jitter), float)


def lensing(rng: np.random.Generator, scene: Scene) -> Source:
    """A point lens passing before a star (Paczyński 1986)."""
    r_mag = float(rng.uniform(18.0, 22.0)) - scene.boost
    steady = star_fluxes(r_mag, float(rng.uniform(3800.0, 7000.0)))
    crossing = float(np.clip(rng.lognormal(3.2, 0.6), 5.0, 120.0))
    nearest = float(rng.uniform(0.03, 0.6))
    peak_mjd = scene.anchor + float(rng.uniform(-0.7, 0.7)) * crossing

    def flux(mjd: Floats, band: Bands) -> Floats:
        squared = nearest**2 + ((mjd - peak_mjd) / crossing) ** 2
        return steady[band] * ((squared + 2.0) / np.sqrt(squared * (squared + 4.0)) - 1.0)

    return Source(flux, peak_mjd, _template(rng), steady=steady)


def periodic(
    *, r_mag: tuple[float, float], period: tuple[float, float], kelvins: float, waveform: Waveform
) -> Draw:
    """A class of periodic stars; ``waveform`` gives magnitudes above the mean in r over one period."""

    def draw(rng: np.random.Generator, scene: Scene) -> Source:
        steady = star_fluxes(float(rng.uniform(*r_mag)) - scene.boost, kelvins)
        days = float(rng.uniform(*period))
        wave = waveform(rng)
        wave = wave - wave.mean()
        zero = scene.anchor - float(PHASES[wave.argmax()] + rng.uniform(-0.1, 0.1)) * days

        def flux(mjd: Floats, band: Bands) -> Floats:
            brighter = np.interp((mjd - zero) / days, PHASES, wave, period=1.0)
            return steady[band] * (10.0 ** (0.4 * brighter * PULSATION_OF_BAND[band]) - 1.0)

        return Source(flux, zero + float(PHASES[wave.argmax()]) * days, _template(rng), steady=steady)

    return draw


def sawtooth(low: float, high: float) -> Waveform:
    """A fast rise and a slow decline (three harmonics of a sawtooth), peak to peak between the magnitudes."""

    def waveform(rng: np.random.Generator) -> Floats:
        turns = 2.0 * np.pi * PHASES
        wave = sum(np.sin(n * turns) / n for n in (1, 2, 3))
        return np.asarray(float(rng.uniform(low, high)) * wave / np.ptp(wave))

    return waveform


def sine(low: float, high: float) -> Waveform:
    """A sine, peak to peak between the magnitudes."""

    def waveform(rng: np.random.Generator) -> Floats:
        return float(rng.uniform(low, high)) / 2.0 * np.sin(2.0 * np.pi * PHASES)

    return waveform


def eclipses(rng: np.random.Generator) -> Floats:
    """A deep and a shallow eclipse half a period apart, and the ellipsoidal variation of close stars."""
    deep, shallow = float(rng.uniform(0.3, 0.9)), float(rng.uniform(0.1, 0.3))
    width = float(rng.uniform(0.03, 0.07))
    ellipsoidal = float(rng.uniform(0.02, 0.12))
    wave = -ellipsoidal * np.cos(4.0 * np.pi * PHASES)
    for depth, centre in ((deep, 0.25), (shallow, 0.75)):
        wave -= depth * np.exp(-0.5 * ((PHASES - centre) / width) ** 2)
    return wave


CEPHEID = periodic(r_mag=(18.0, 21.5), period=(3.0, 45.0), kelvins=5600.0, waveform=sawtooth(0.35, 0.8))
RR_LYRAE = periodic(r_mag=(18.0, 21.3), period=(0.35, 0.8), kelvins=6800.0, waveform=sawtooth(0.3, 0.9))
DELTA_SCUTI = periodic(r_mag=(17.5, 20.5), period=(0.04, 0.2), kelvins=7500.0, waveform=sine(0.08, 0.35))
ECLIPSING = periodic(r_mag=(17.5, 20.5), period=(0.4, 6.0), kelvins=6000.0, waveform=eclipses)


def nucleus(rng: np.random.Generator, scene: Scene) -> Source:
    """An active nucleus: magnitudes do a damped random walk (Kelly, Bechtold & Siemiginowska 2009)."""
    steady = _hot_spectrum(float(rng.uniform(19.5, 22.3)) - scene.boost, 18000.0)
    redshift = float(rng.uniform(0.15, 1.8))
    days = np.arange(int(scene.first) - 1, int(scene.last) + 2, dtype=float)
    walk = _damped_walk(rng, len(days), float(rng.uniform(40.0, 250.0)), float(rng.uniform(0.12, 0.35)))

    def flux(mjd: Floats, band: Bands) -> Floats:
        brighter = np.interp(mjd, days, walk)
        return steady[band] * (10.0 ** (0.4 * brighter * NUCLEUS_OF_BAND[band]) - 1.0)

    inside = np.clip(days[walk.argmax()], scene.first, scene.last)
    mu = distance_modulus(redshift)
    return Source(flux, float(inside), _template(rng), redshift=redshift, mu=mu, steady=steady)


def _damped_walk(rng: np.random.Generator, steps: int, tau: float, scatter: float) -> Floats:
    """One value a day: an AR(1) process with the given correlation time (days) and standard deviation."""
    keep = float(np.exp(-1.0 / tau))
    kicks = rng.normal(size=steps)
    walk = np.empty(steps)
    walk[0] = kicks[0]
    for step in range(1, steps):
        walk[step] = keep * walk[step - 1] + float(np.sqrt(1.0 - keep * keep)) * kicks[step]
    return scatter * walk

"""What one simulated object does with its light: flux above the template by time and band."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from tom_desc.snana.light import Bands, Floats

UNDEFINED = -9.0


@dataclass(frozen=True)
class Scene:
    """Where and when an object is to be seen.

    ``anchor`` is the MJD of a visit that should find it bright, ``first`` and ``last`` are the ends of the
    survey, ``boost`` are magnitudes by which to make it brighter than its class usually is.
    """

    anchor: float
    first: float
    last: float
    ebv: float
    boost: float


@dataclass(frozen=True)
class Source:
    """One drawn object: ``flux(mjd, band number)`` is FLUXCAL above a template that holds ``steady``."""

    flux: Callable[[Floats, Bands], Floats]
    peak_mjd: float
    template_index: int
    explode_mjd: float = UNDEFINED
    redshift: float = 0.0
    mu: float = 0.0
    rv: float = UNDEFINED
    av: float = UNDEFINED
    steady: Floats = field(default_factory=lambda: np.zeros(6))


Draw = Callable[[np.random.Generator, Scene], Source]

"""The simulated classes: every exact class of the taxonomy, with SNANA's type numbers and its share."""

from dataclasses import dataclass

import numpy as np

from tom_desc.snana import explosions, variables
from tom_desc.snana.sources import Draw


@dataclass(frozen=True)
class Population:
    """One class. ``share`` is its part of all objects; ``gentypes`` are SNANA's types with their parts of the
    class.

    ``detections`` is how many, half an hour apart, it takes to keep an object: what is gone within hours
    needs one.
    """

    name: str
    share: float
    gentypes: dict[int, float]
    draw: Draw
    has_host: bool = True
    detections: int = 2

    def draw_gentype(self, rng: np.random.Generator) -> int:
        """One of the types, by their parts."""
        edges = np.cumsum(list(self.gentypes.values()))
        return list(self.gentypes)[int(np.searchsorted(edges, rng.random() * edges[-1], side="right"))]


POPULATIONS = (
    Population("SNIa", 0.30, {10: 1}, explosions.SN_IA.draw),
    Population("SNIbc", 0.07, {20: 0.3, 21: 0.2, 25: 0.2, 26: 0.2, 27: 0.1}, explosions.SN_IBC.draw),
    Population("SNII", 0.18, {30: 0.25, 31: 0.35, 32: 0.1, 35: 0.1, 36: 0.1, 37: 0.1}, explosions.SN_II.draw),
    Population("SNIax", 0.03, {12: 1}, explosions.SN_IAX.draw),
    Population("SN91bg", 0.02, {11: 1}, explosions.SN_91BG.draw),
    Population("KN", 0.015, {50: 0.5, 51: 0.5}, explosions.KN.draw, detections=1),
    Population("Mdwarf-flare", 0.04, {82: 1}, variables.flare, has_host=False, detections=1),
    Population("dwarf-nova", 0.03, {84: 1}, variables.dwarf_nova, has_host=False),
    Population("uLens", 0.03, {87: 0.5, 88: 0.25, 89: 0.25}, variables.lensing, has_host=False),
    Population("SLSN", 0.03, {40: 1}, explosions.SLSN.draw),
    Population("TDE", 0.03, {42: 1}, explosions.TDE.draw),
    Population("ILOT", 0.015, {45: 1}, explosions.ILOT.draw),
    Population("CART", 0.015, {46: 1}, explosions.CART.draw),
    Population("PISN", 0.015, {59: 1}, explosions.PISN.draw),
    Population("Cepheid", 0.02, {90: 1}, variables.CEPHEID, has_host=False),
    Population("RRL", 0.04, {80: 1}, variables.RR_LYRAE, has_host=False),
    Population("d-Sct", 0.025, {91: 1}, variables.DELTA_SCUTI, has_host=False),
    Population("EB", 0.03, {83: 1}, variables.ECLIPSING, has_host=False),
    Population("AGN", 0.065, {60: 1}, variables.nucleus),
)


def apportion(objects: int) -> list[tuple[Population, int]]:
    """How many objects each class gets, by largest remainders; with enough objects every class has some."""
    floor = 1 if objects >= len(POPULATIONS) else 0
    rest = objects - floor * len(POPULATIONS)
    exact = [population.share * rest for population in POPULATIONS]
    counts = [int(part) for part in exact]
    order = sorted(range(len(exact)), key=lambda n: (counts[n] - exact[n], n))
    for place in range(rest - sum(counts)):
        counts[order[place % len(order)]] += 1
    return [(population, floor + count) for population, count in zip(POPULATIONS, counts, strict=True)]

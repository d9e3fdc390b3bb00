"""Counts of what a command did, which add up over its pieces."""

from dataclasses import astuple, dataclass
from typing import Self


@dataclass(frozen=True)
class Tally:
    """Base of dataclasses whose fields are all counts."""

    def __add__(self, other: Self) -> Self:
        return type(self)(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

"""Measuring: several runs, the median, and what it is compared with.

A benchmark's outcome is a list of :class:`Result`. Machines differ, so a result is a ratio first: the value
beside a limit that was measured in the same run, or beside a number where the goal is one.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Goal:
    """What the ratio of a result has to be; a value of ``or_value`` is enough, too."""

    at_least: bool
    bound: float
    or_value: float | None = None

    def holds(self, ratio: float, value: float) -> bool:
        """Whether the ratio is on the right side, or the value reaches far enough."""
        enough = self.or_value is not None and value >= self.or_value
        return enough or (ratio >= self.bound if self.at_least else ratio <= self.bound)

    def __str__(self) -> str:
        ratio = f"{'>=' if self.at_least else '<='} {self.bound:g}"
        return ratio if self.or_value is None else f"{ratio} or {self.or_value:,.0f}"


def at_least(bound: float) -> Goal:
    """The greater the better."""
    return Goal(at_least=True, bound=bound)


def at_most(bound: float) -> Goal:
    """The less the better."""
    return Goal(at_least=False, bound=bound)


def either(goal: Goal, *, value: float) -> Goal:
    """The goal, or at least this value."""
    return replace(goal, or_value=value)


@dataclass(frozen=True)
class Result:
    """One line of the table.

    Attributes
    ----------
    value, limit
        What was measured and what it is compared with, in ``unit``; each benchmark says what they are.
    goal
        What the ratio of the two has to be; None where nothing was promised.
    detail
        The parts of value and limit, for the reader.
    profile
        Says where the time goes; asked only where the goal is missed.
    """

    name: str
    value: float
    unit: str
    limit: float
    goal: Goal | None = None
    detail: str = ""
    profile: Callable[[], str] | None = None

    @property
    def ratio(self) -> float:
        """Value over limit."""
        return self.value / self.limit

    @property
    def holds(self) -> bool | None:
        """Whether the goal is reached; None where there is none."""
        return None if self.goal is None else self.goal.holds(self.ratio, self.value)

    def as_json(self) -> dict[str, Any]:
        """The entry of the JSON file."""
        return {
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "limit": self.limit,
            "ratio": self.ratio,
            "goal": None if self.goal is None else str(self.goal),
            "holds": self.holds,
        }


def seconds(work: Callable[[], object]) -> float:
    """How long one call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def in_turn(runs: int, *works: Callable[[], float]) -> list[float]:
    """The median outcome of each work, all of them called in turn ``runs`` times.

    In turn, so that what else happens on the machine meanwhile happens to all of them.
    """
    outcomes = [[work() for work in works] for _ in range(runs)]
    return [median(of_work) for of_work in zip(*outcomes, strict=True)]


def percentile(values: Sequence[float], percent: float) -> float:
    """The percentile, between neighbours where it falls between two values."""
    return float(np.percentile(values, percent))

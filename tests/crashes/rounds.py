"""Rounds of a test: the first for everybody, the others on request."""

from typing import Any

import pytest


def rounds(number: int) -> list[Any]:
    """Values of a parameter that a test need not look at: each round throws other dice."""
    return [0, *(pytest.param(each, marks=pytest.mark.soak) for each in range(1, number))]

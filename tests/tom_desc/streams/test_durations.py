"""Lengths of time in words."""

import math
from datetime import UTC, datetime, timedelta

import pytest

from tom_desc.streams.durations import in_words
from tom_desc.streams.templatetags.durations import ago, duration


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.417, "0.42 s"),
        (9.99, "9.99 s"),
        (10.4, "10 s"),
        (60, "1 min"),
        (185, "3 min 5 s"),
        (3_600, "1 h"),
        (3_605, "1 h"),
        (7_320, "2 h 2 min"),
        (86_400 * 2 + 3_600 * 7 + 59, "2 d 7 h"),
        (-2.5, "-2.50 s"),
        (-185, "-3 min 5 s"),
    ],
)
def test_a_length_of_time_is_its_two_greatest_units(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


@pytest.mark.parametrize("seconds", [None, math.nan])
def test_what_is_not_known_is_a_dash(seconds: float | None) -> None:
    assert duration(seconds) == "—"


def test_a_moment_is_told_by_how_long_ago_it_was() -> None:
    assert ago(datetime.now(UTC) - timedelta(hours=2, minutes=3)) == "2 h 3 min ago"


def test_a_moment_by_a_clock_that_is_ahead_is_now() -> None:
    assert ago(datetime.now(UTC) + timedelta(minutes=3)) == "0 s ago"

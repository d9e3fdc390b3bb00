"""Medians, percentiles, ratios and goals."""

import pytest

from benchmarks.measuring import Result, at_least, at_most, either, in_turn, percentile, seconds

KEYS = ["name", "value", "unit", "limit", "ratio", "goal", "holds"]


def test_works_are_called_in_turn_and_give_their_median():
    called = []
    first, second = iter([3.0, 9.0, 1.0]), iter([10.0, 20.0, 30.0])

    def work(name, outcomes):
        called.append(name)
        return next(outcomes)

    medians = in_turn(3, lambda: work("a", first), lambda: work("b", second))
    assert medians == [3.0, 20.0]
    assert called == ["a", "b"] * 3


def test_a_percentile_falls_between_its_neighbours():
    assert percentile([1.0, 2.0, 3.0], 50) == 2.0
    assert percentile([0.0, 1.0], 95) == pytest.approx(0.95)


def test_seconds_are_those_of_one_call():
    calls = []
    assert seconds(lambda: calls.append(1)) >= 0
    assert calls == [1]


@pytest.mark.parametrize(
    ("goal", "value", "holds"),
    [
        (at_least(0.6), 5.9, False),
        (at_least(0.6), 6.0, True),
        (at_most(1.2), 12.0, True),
        (at_most(1.2), 12.1, False),
        (None, 1.0, None),
    ],
)
def test_a_goal_holds_on_its_side_of_the_bound_and_on_the_bound(goal, value, holds):
    assert Result("x", value, "s", 10.0, goal).holds is holds


@pytest.mark.parametrize(("value", "holds"), [(4.9, False), (5.0, True), (8.0, True)])
def test_a_value_may_reach_far_enough_whatever_its_ratio(value, holds):
    assert Result("x", value, "/s", 10.0, either(at_least(0.9), value=5.0)).holds is holds
    assert Result("x", 9.0, "/s", 10.0, either(at_least(0.9), value=50.0)).holds is True


def test_a_goal_says_what_it_wants():
    assert [str(goal) for goal in (at_most(2), either(at_least(0.5), value=30_000))] == [
        "<= 2",
        ">= 0.5 or 30,000",
    ]


def test_the_entry_of_the_json_file_has_the_promised_keys():
    entry = Result("load", 50.0, "rows/s", 100.0, at_least(0.6), "parts").as_json()
    assert list(entry) == KEYS
    assert entry == dict(zip(KEYS, ["load", 50.0, "rows/s", 100.0, 0.5, ">= 0.6", False], strict=True))


def test_where_nothing_was_promised_goal_and_holds_are_null():
    entry = Result("ingest", 1.0, "messages/s", 2.0).as_json()
    assert (entry["goal"], entry["holds"]) == (None, None)

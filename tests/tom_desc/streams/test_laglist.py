"""What there is to see of many partitions."""

from datetime import UTC, datetime, timedelta

from tom_desc.streams.lag import Lag
from tom_desc.streams.laglist import lag_list

MOMENT = datetime(2026, 11, 20, 12, tzinfo=UTC)


def lag(partition: int, messages: int | None, *, source: str = "fink", hours_ago: float = 0) -> Lag:
    heard = MOMENT - timedelta(hours=hours_ago)
    return Lag(source, "g", "out", partition, messages, 0.0, heard, 5, 5 + (messages or 0), None)


def shown(*lags: Lag, most: int = 10) -> tuple[list[int], int, int]:
    found = lag_list(lags, moment=MOMENT, most=most)
    return [one.lag.partition for one in found.rows], found.quiet, found.more


def test_what_is_read_is_shown() -> None:
    assert shown(lag(0, 0), lag(1, 7), lag(2, None)) == ([0, 1, 2], 0, 0)


def test_what_a_consumer_has_left_is_not_shown_unless_messages_wait() -> None:
    assert shown(lag(0, 0), lag(1, 0, hours_ago=25), lag(2, 1, hours_ago=25)) == ([0, 2], 1, 0)


def test_a_consumer_that_stopped_is_shown_as_it_was() -> None:
    stopped = [lag(partition, 0, source="alerce", hours_ago=500) for partition in range(2)]
    assert shown(lag(7, 0), *stopped) == ([7, 0, 1], 0, 0)


def test_of_many_those_furthest_behind_are_shown_in_order() -> None:
    assert shown(lag(0, 5), lag(1, 0), lag(2, 9), lag(3, 1), most=2) == ([0, 2], 0, 2)


def test_a_partition_at_which_nobody_looks_is_silent() -> None:
    rows = lag_list([lag(0, 0), lag(1, 0, hours_ago=0.1)], moment=MOMENT).rows
    assert [row.is_silent for row in rows] == [False, True]


def test_of_nothing_there_is_nothing_to_see() -> None:
    assert shown() == ([], 0, 0)

"""Batches: columns of messages, and how far they bring each partition."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pytest

from tom_desc.streams.batches import EMPTY, NO_TIME, Batch, numbered

A0, A1, B0 = ("a", 0), ("a", 1), ("b", 0)


def batch(*messages: tuple[tuple[str, int], int], reached: dict[tuple[str, int], int] | None = None) -> Batch:
    """A batch of (place, offset)s."""
    places, which = numbered([place for place, _ in messages])
    offsets = np.array([offset for _, offset in messages], np.int64)
    values = [f"{offset}".encode() for offset in offsets]
    return Batch(list(values), places, which, offsets, np.full(len(messages), NO_TIME), reached or {})


MIXED = batch((A0, 5), (B0, 1), (A0, 7), (A1, 0), (B0, 2), reached={A1: 4, B0: 2})


def test_each_message_has_its_topic_and_partition() -> None:
    assert MIXED.topics.tolist() == [b"a", b"b", b"a", b"a", b"b"]
    assert MIXED.partitions.tolist() == [0, 0, 0, 1, 0]


def test_reading_goes_on_after_the_last_message_or_where_it_reached() -> None:
    assert MIXED.next_offsets == {A0: 8, B0: 3, A1: 4}


def test_messages_are_counted_by_partition() -> None:
    assert MIXED.counts() == {A0: 2, B0: 2, A1: 1}
    assert MIXED.counts(np.array([0, 2])) == {A0: 2}
    assert MIXED.counts(np.array([], np.int64)) == {}


def test_of_two_halves_only_the_later_reached_further() -> None:
    first, second = MIXED.halves()
    assert (first.next_offsets, second.next_offsets) == ({A0: 6, B0: 2}, {A0: 8, A1: 4, B0: 3})
    assert first.values + second.values == MIXED.values


@pytest.mark.parametrize("offset", range(4))
def test_parts_of_a_batch_follow_each_other(offset: int) -> None:
    """Whatever is split, all of it is there once and in order."""
    whole = batch(*[((("a", "b")[n % 2], 0), n) for n in range(offset + 2)])
    first, second = whole.halves()
    assert first.follows({A0: 0, B0: 0})
    assert second.follows({A0: 0, B0: 0} | first.next_offsets)
    assert len(first) + len(second) == len(whole)


@pytest.mark.parametrize(
    ("next_offsets", "follows"),
    [
        ({A0: 5, A1: 0, B0: 1}, True),
        ({A0: 2, A1: 0, B0: 0}, True),
        ({A0: 6, A1: 0, B0: 1}, False),
        ({A0: 5, B0: 1}, False),
        ({}, False),
    ],
    ids=["at once", "after a hole", "again", "of nobody", "nobody has any"],
)
def test_a_batch_follows_what_was_stored(next_offsets: dict[tuple[str, int], int], follows: bool) -> None:
    assert MIXED.follows(next_offsets) is follows


@pytest.mark.parametrize("offsets", [(5, 5), (5, 4)])
def test_offsets_that_do_not_grow_follow_nothing(offsets: Sequence[int]) -> None:
    assert not batch(*[(A0, offset) for offset in offsets]).follows({A0: 0})


def test_an_end_of_a_partition_that_is_not_ours_follows_nothing() -> None:
    assert batch(reached={A0: 3}).follows({A0: 3})
    assert not batch(reached={A0: 3}).follows({A1: 3})


def test_a_batch_is_something_if_only_to_move_on() -> None:
    assert not EMPTY
    assert batch(reached={A0: 3})
    assert batch((A0, 3))
    assert EMPTY.next_offsets == {}


def times(milliseconds: int) -> tuple[datetime | None, datetime | None]:
    one = Batch([b""], [A0], np.zeros(1, int), np.zeros(1, int), np.array([milliseconds]))
    return one.time(0), one.sensible_time(0)


def test_times_are_kept_to_the_millisecond() -> None:
    moment = datetime(2023, 11, 14, 22, 13, 20, 123000, tzinfo=UTC)
    assert times(1_700_000_000_123) == (moment, moment)


def test_what_kafka_does_not_know_is_no_time() -> None:
    assert times(NO_TIME) == (None, None)


@pytest.mark.parametrize("milliseconds", [5, -(2**63), 2**63 - 1, 1_700_000_000_000_000])
def test_senseless_times_are_kept_as_senseless_ones(milliseconds: int) -> None:
    kept, sensible = times(milliseconds)
    assert kept is not None and not 2000 <= kept.year < 2100
    assert sensible is None

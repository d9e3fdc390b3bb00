"""The ledger: every night's messages add up, and what is missing is named once."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from django.db import connection

from tests.tom_desc.streams.pollers import rows
from tom_desc.streams import ledger, positions
from tom_desc.streams.ledger import ENDS_BEFORE, Entry, night_of
from tom_desc.streams.positions import Bounds, Claim, Partition, Reader

READER = Reader("test", "cluster", "group", "host:1")
P0, P1 = Partition("said", "id", 0), Partition("said", "id", 1)
NIGHT = date(2026, 1, 1)
COUNTS = (
    "SELECT partition, night, seen, stored, duplicate, dead FROM streams_ledger ORDER BY night, partition"
)
GAPS = "SELECT topic_id, partition, first_offset, end_offset, reason FROM streams_gap ORDER BY id"


@pytest.mark.parametrize(
    ("moment", "night"),
    [
        (datetime(2026, 1, 2, 11, 59, 59, tzinfo=UTC), NIGHT),
        (datetime(2026, 1, 1, 12, tzinfo=UTC), NIGHT),
        (datetime(2026, 1, 2, 12, tzinfo=UTC), date(2026, 1, 2)),
        (datetime(2026, 1, 2, 13, 30, tzinfo=timezone(timedelta(hours=2))), NIGHT),
    ],
)
def test_a_night_is_called_by_the_date_of_its_first_noon(moment: datetime, night: date) -> None:
    assert night_of(moment) == night


def record(*entries: Entry, night: date = NIGHT) -> None:
    with connection.cursor() as cursor:
        ledger.record(cursor, READER, night, entries)


@pytest.mark.django_db
def test_what_is_neither_stored_nor_dead_is_a_duplicate() -> None:
    assert Entry(P0, seen=10, stored=6, dead=1).duplicate == 3


@pytest.mark.django_db
def test_batches_of_a_night_add_up() -> None:
    record(Entry(P1, 10, 6, 1), Entry(P0, 1, 1, 0))
    record(Entry(P1, 5, 0, 5))
    record(Entry(P1, 1, 1, 0), night=date(2026, 1, 2))
    record()
    assert rows(COUNTS) == [
        (0, NIGHT, 1, 1, 0, 0),
        (1, NIGHT, 15, 6, 3, 6),
        (1, date(2026, 1, 2), 1, 1, 0, 0),
    ]


@pytest.mark.django_db
def test_a_letter_that_is_stored_after_all_moves() -> None:
    record(Entry(P0, 10, 6, 3))
    record(Entry(P0, seen=0, stored=1, dead=-2))
    assert rows(COUNTS) == [(0, NIGHT, 10, 7, 2, 1)]


@pytest.mark.django_db
def test_only_partitions_that_miss_messages_are_noted() -> None:
    with connection.cursor() as cursor:
        assert ledger.keep_lost(cursor, READER, {P0: Claim(2, 5, 30), P1: Claim(2, 7, 7)}) == [P0]
    assert [gap[:4] for gap in rows(GAPS)] == [("id", 0, 5, 30)]


@pytest.mark.django_db
def test_a_gap_is_noted_once_however_often_it_is_found() -> None:
    with connection.cursor() as cursor:
        for end in (10, 10, 12):
            ledger.keep_gaps(cursor, READER, {P0: (end, 1000)}, ENDS_BEFORE)
    assert [gap[:4] for gap in rows(GAPS)] == [("id", 0, 10, 1000)]


@pytest.mark.django_db
def test_where_reading_ended_in_an_earlier_life_is_noted_once() -> None:
    anew = Partition("said", "other id", 0)
    with connection.cursor() as cursor:
        positions.claim(cursor, READER, {P0: Bounds(3, 9), P1: Bounds(4, 4)}, starts={})
        rows("UPDATE streams_position SET updated = '2026-01-01 05:06:07+00'")
        positions.claim(cursor, READER, {anew: Bounds(0, 0)}, starts={})
        assert ledger.keep_ends_of_lives(cursor, READER, [anew]) == 2
        assert ledger.keep_ends_of_lives(cursor, READER, [anew]) == 0
    before, after = (
        "the topic was deleted and made anew;",
        "when last looked at, on 2026-01-01 at 05:06:07 UTC",
    )
    assert rows(GAPS) == [
        ("id", 0, 3, None, f"{before} at least the offsets up to 8 were not read {after}"),
        ("id", 1, 4, None, f"{before} all that was there had been read {after}"),
    ]


@pytest.mark.django_db
def test_topics_whose_ids_are_not_known_have_no_lives() -> None:
    with connection.cursor() as cursor:
        positions.claim(cursor, READER, {Partition("said", "", 0): Bounds(3, 9)}, starts={})
        assert ledger.keep_ends_of_lives(cursor, READER, [P0]) == 0

"""The ledger night by night."""

from datetime import date

import pytest

from tom_desc.streams.ledgernights import Counts, night_page, nights
from tom_desc.streams.models import Ledger

pytestmark = pytest.mark.django_db

NIGHT = date(2026, 11, 20)


def enter(
    night: date = NIGHT, *, topic: str = "a", topic_id: str = "1", partition: int = 0, dead: int = 1
) -> None:
    Ledger.objects.create(
        source="fink",
        cluster_id="c",
        topic=topic,
        topic_id=topic_id,
        partition=partition,
        night=night,
        seen=10,
        stored=7,
        duplicate=2,
        dead=dead,
    )


def test_each_partition_of_a_night_has_its_counts() -> None:
    enter(topic="b", partition=1)
    enter(topic="a")
    (night,) = nights([NIGHT])
    assert [(one.source, one.topic, one.partition) for one in night.partitions] == [
        ("fink", "a", 0),
        ("fink", "b", 1),
    ]
    assert night.partitions[0].counts == Counts(seen=10, stored=7, duplicate=2, dead=1)
    assert night.total == Counts(seen=20, stored=14, duplicate=4, dead=2)


def test_a_topic_that_was_made_anew_is_one_row() -> None:
    enter(topic_id="1")
    enter(topic_id="2")
    (night,) = nights([NIGHT])
    assert [one.counts.seen for one in night.partitions] == [20]


def test_counts_that_do_not_add_up_say_so() -> None:
    enter(topic="a")
    enter(topic="b", dead=0)
    (night,) = nights([NIGHT])
    assert [one.counts.adds_up for one in night.partitions] == [True, False]
    assert not night.total.adds_up


def test_nights_come_in_pages_the_latest_first() -> None:
    for day in (18, 19, 20):
        enter(date(2026, 11, day))
    first = night_page(before=None, rows=2)
    assert [night.night.day for night in first.nights] == [20, 19]
    assert first.older == date(2026, 11, 19)
    second = night_page(before=first.older, rows=2)
    assert [night.night.day for night in second.nights] == [18]
    assert second.older is None


def test_before_anything_was_read_there_is_no_night() -> None:
    assert night_page(before=None).nights == []

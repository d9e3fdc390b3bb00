"""Streams in /metrics, of positions and ledger rows that a test chooses."""

from datetime import timedelta

import pytest

from tests.tom_desc.samples import samples
from tests.tom_desc.streams.positions import NOW, STREAM, add_letter, add_night, add_position, ago
from tom_desc.streams import metrics
from tom_desc.streams.models import Gap

pytestmark = pytest.mark.django_db

MESSAGES = ("tom_stream_messages", "source", "topic", "partition", "outcome")


def said(name: str, *labels: str) -> dict[tuple[str, ...], float]:
    return samples(metrics.families(NOW), name, *labels)


def add_gap(**changes: object) -> None:
    Gap.objects.create(**STREAM | {"first_offset": 5, "end_offset": 8, "reason": "expired"} | changes)


def test_lag_is_shown_for_every_partition():
    add_position(end_offset=30)
    add_position(partition=1, end_offset=None)
    partition = ("source", "consumer_group", "topic", "partition")
    first, second = (("test", "testing", "classifications", number) for number in "01")
    assert said("tom_stream_lag_messages", *partition) == {first: 20}
    seconds = said("tom_stream_lag_seconds", *partition)
    assert seconds.keys() == {first, second}
    assert seconds[first] >= 5
    assert seconds[second] == 0


def test_the_age_of_the_pollers_last_look_is_shown():
    add_position(updated=ago(seconds=90))
    assert said("tom_stream_heard_age_seconds", "partition") == {("0",): 90}


def test_a_topic_that_its_source_does_not_read_any_more_is_not_shown():
    add_position(source="a", topic="today", updated=ago(days=3))
    add_position(source="a", topic="yesterday", updated=ago(days=4, seconds=1))
    add_position(source="b", topic="other")
    assert said("tom_stream_heard_age_seconds", "topic").keys() == {("today",), ("other",)}


def test_messages_are_added_up_over_nights_and_topics_made_anew():
    add_night(seen=10, stored=7, duplicate=2, dead=1)
    add_night(seen=5, stored=5, night=(NOW - timedelta(days=1)).date())
    add_night(seen=3, stored=2, dead=1, topic_id="before")
    add_night(partition=1)
    assert {key[2:]: value for key, value in said(*MESSAGES).items()} == {
        ("0", "stored"): 14,
        ("0", "duplicate"): 2,
        ("0", "dead"): 2,
        ("1", "stored"): 10,
        ("1", "duplicate"): 0,
        ("1", "dead"): 0,
    }
    assert said("tom_stream_messages_seen_total", "partition") == {("0",): 18, ("1",): 10}


def test_before_the_first_message_there_are_zeros_to_grow_from():
    add_position()
    stream = ("test", "classifications", "0")
    assert said(*MESSAGES) == {(*stream, outcome): 0 for outcome in ("stored", "duplicate", "dead")}
    assert said("tom_stream_messages_seen_total", "source") == {("test",): 0}
    assert said("tom_stream_gaps_total", "source") == {("test",): 0}
    assert said("tom_dead_letters_waiting", "source") == {("test",): 0}


def test_partitions_without_messages_for_a_month_are_not_counted_any_more():
    add_night(topic="new")
    add_night(topic="lately", night=(NOW - timedelta(days=29)).date())
    add_night(topic="old", night=(NOW - timedelta(days=30)).date())
    assert {key[1] for key in said(*MESSAGES)} == {"new", "lately"}


def test_gaps_are_counted_with_their_offsets_as_far_as_these_are_known():
    add_gap()
    add_gap(topic="other", end_offset=None)
    add_gap(source="quiet", end_offset=6)
    assert said("tom_stream_gaps_total", "source") == {("test",): 2, ("quiet",): 1}
    assert said("tom_stream_gap_offsets_total", "source") == {("test",): 3, ("quiet",): 1}


def test_dead_letters_are_counted_by_source_up_to_a_bound(monkeypatch):
    monkeypatch.setattr(metrics, "MOST_LETTERS", 3)
    for offset in range(5):
        add_letter(offset)
    add_letter(0, source="another")
    add_letter(0, source="another", topic="other")
    assert said("tom_dead_letters_waiting", "source") == {("another",): 2, ("test",): 3}

"""Lag, of positions that a test chooses."""

from datetime import UTC, datetime

import pytest

from tests.tom_desc.streams.positions import NOW, add_position, ago
from tom_desc.streams.lag import Lag, lags

pytestmark = pytest.mark.django_db


def since(moment: datetime) -> float:
    return (datetime.now(UTC) - moment).total_seconds()


def test_a_partition_that_is_read_to_its_end_is_not_late():
    add_position(message_time=ago(days=3))
    assert lags() == [Lag("test", "testing", "classifications", 0, 0, 0.0, NOW, 10, 10, ago(days=3))]


def test_lag_is_what_waits_and_the_age_of_the_last_message_stored():
    add_position(end_offset=25, message_time=ago(minutes=10))
    [lag] = lags()
    assert lag.messages == 15
    assert 600 <= lag.seconds <= since(ago(minutes=10))


def test_where_nothing_was_stored_yet_lag_is_at_least_the_time_since_messages_were_seen_to_wait():
    add_position(next_offset=0, message_time=None, updated=ago(minutes=2))
    [lag] = lags()
    assert lag.messages == 10
    assert 120 <= lag.seconds <= since(ago(minutes=2))


def test_before_the_poller_has_looked_for_the_end_nothing_is_known_to_wait():
    add_position(end_offset=None)
    [lag] = lags()
    assert (lag.messages, lag.seconds) == (None, 0)


def test_an_end_of_before_is_no_negative_lag_nor_is_a_message_from_the_future():
    add_position(next_offset=12)
    add_position(partition=1, end_offset=11, message_time=ago(hours=-1))
    assert [(lag.messages, lag.seconds) for lag in lags()] == [(0, 0), (1, 0)]


def test_a_topic_that_was_made_anew_counts_with_its_own_partitions_only():
    for partition in (0, 1, 2):
        add_position(topic_id="old", partition=partition, end_offset=1000, updated=ago(minutes=1))
    add_position(topic_id="new", next_offset=0, end_offset=3)
    assert [(lag.partition, lag.messages) for lag in lags()] == [(0, 3)]


def test_partitions_of_one_topic_are_looked_at_at_different_times():
    add_position(partition=0, updated=ago(seconds=30))
    add_position(partition=1)
    assert [lag.heard for lag in lags()] == [ago(seconds=30), NOW]


def test_a_topic_that_another_cluster_has_now_is_the_one_heard_of_last():
    add_position(cluster_id="there", end_offset=1000, updated=ago(days=1))
    add_position()
    assert [lag.messages for lag in lags()] == [0]


def test_consumers_groups_and_topics_are_told_apart_and_ordered():
    for source, group, topic in (("b", "y", "t"), ("b", "x", "u"), ("b", "x", "t"), ("a", "z", "t")):
        add_position(source=source, consumer_group=group, topic=topic)
    found = [(lag.source, lag.consumer_group, lag.topic) for lag in lags()]
    assert found == [("a", "z", "t"), ("b", "x", "t"), ("b", "x", "u"), ("b", "y", "t")]


def test_only_the_sources_asked_for_are_listed():
    for source in ("a", "b", "c"):
        add_position(source=source)
    assert [lag.source for lag in lags(sources=("c", "a", "nobody"))] == ["a", "c"]
    assert lags(sources=()) == []

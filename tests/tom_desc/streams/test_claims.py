"""Claims: where each partition is read from, and what is said of messages that are missing."""

import time
from collections.abc import Mapping, Sequence

import pytest
from confluent_kafka import TopicPartition

from tests.kafkalog import KafkaLog, topic_name
from tests.tom_desc.streams.pollers import SECONDS, rows
from tom_desc.streams.claims import Claimed, claim
from tom_desc.streams.positions import Place, Reader
from tom_desc.streams.topics import Topics

READER = Reader("test", "cluster", "group", "host:1")

pytestmark = pytest.mark.django_db


@pytest.fixture
def topics(kafka: str) -> Topics:
    return Topics({"bootstrap.servers": kafka})


class Kafkas:
    """Where Kafka has the group, and of which partitions it was asked."""

    def __init__(self, offsets: Mapping[Place, int] | None = None) -> None:
        self.offsets = offsets or {}
        self.asked: list[Place] = []

    def __call__(self, places: Sequence[Place]) -> Mapping[Place, int]:
        self.asked += places
        return {place: offset for place, offset in self.offsets.items() if place in places}


def claimed(topics: Topics, *places: Place, kafkas: Kafkas | None = None) -> Claimed:
    return claim(READER, topics, places, committed=kafkas or Kafkas())


def starts(claimed: Claimed) -> dict[Place, int]:
    return {place: held.next_offset for place, held in claimed.held.items()}


@pytest.fixture
def ten(log: KafkaLog, topic: str, topics: Topics) -> str:
    """A topic with ten messages in a partition and none in another."""
    log.add_partitions(topic, to=2)
    log.put(topic, [b"x"] * 10, partition=0)
    deadline = time.monotonic() + SECONDS
    while len(topics.ends([(topic, 0), (topic, 1)])) < 2:
        assert time.monotonic() < deadline, "it takes too long"
    return topic


def test_partitions_begin_with_their_first_message(topics: Topics, ten: str) -> None:
    found = claimed(topics, (ten, 0), (ten, 1))
    assert starts(found) == {(ten, 0): 0, (ten, 1): 0}
    assert found.ids == topics.ids([ten])
    assert {held.partition.topic_id for held in found.held.values()} == set(found.ids.values())


@pytest.mark.parametrize(("committed", "start"), [(4, 4), (0, 0), (10, 10), (11, 0)])
def test_or_where_kafka_has_the_group_unless_that_is_beyond_the_end(
    topics: Topics, ten: str, committed: int, start: int
) -> None:
    assert starts(claimed(topics, (ten, 0), kafkas=Kafkas({(ten, 0): committed}))) == {(ten, 0): start}
    assert rows("SELECT * FROM streams_gap") == []


def test_what_kafka_deleted_after_the_groups_place_is_a_gap(topics: Topics, ten: str, log: KafkaLog) -> None:
    log.admin.delete_records([TopicPartition(ten, 0, 6)])[TopicPartition(ten, 0, 6)].result()
    assert starts(claimed(topics, (ten, 0), kafkas=Kafkas({(ten, 0): 4}))) == {(ten, 0): 6}
    assert rows("SELECT first_offset, end_offset FROM streams_gap") == [(4, 6)]


def test_kafka_is_asked_once_and_of_new_partitions_alone(topics: Topics, ten: str) -> None:
    kafkas = Kafkas()
    claimed(topics, (ten, 0), kafkas=kafkas)
    claimed(topics, (ten, 0), (ten, 1), kafkas=kafkas)
    assert kafkas.asked == [(ten, 0), (ten, 1)]


def test_kafka_is_not_asked_where_the_topic_had_another_life(topics: Topics, ten: str, log: KafkaLog) -> None:
    claimed(topics, (ten, 0))
    log.delete(ten)
    log.put(log.make(ten), [b"x"] * 10, partition=0)
    kafkas = Kafkas({(ten, 0): 4})
    assert starts(claimed(topics, (ten, 0), kafkas=kafkas)) == {(ten, 0): 0}
    assert kafkas.asked == []
    assert rows("SELECT first_offset, end_offset FROM streams_gap") == [(0, None)]


def test_topics_that_are_gone_are_left_out(topics: Topics, ten: str) -> None:
    gone = topic_name("gone")
    found = claimed(topics, (ten, 0), (gone, 0))
    assert set(found.held) == {(ten, 0)}
    assert set(found.ids) == {ten}
    assert claimed(topics, (gone, 0)) == Claimed({}, {}, {})
    assert claimed(topics) == Claimed({}, {}, {})


def test_a_partition_that_ends_before_its_position_is_claimed_and_not_read(
    topics: Topics, ten: str, caplog: pytest.LogCaptureFixture
) -> None:
    claimed(topics, (ten, 0), (ten, 1))
    rows("UPDATE streams_position SET next_offset = 11 WHERE partition = 0")
    for _ in range(2):
        found = claimed(topics, (ten, 0), (ten, 1))
        assert set(found.held) == {(ten, 1)}
    assert rows("SELECT partition, first_offset, end_offset FROM streams_gap") == [(0, 10, 11)]
    assert caplog.text.count(f"{ten} [0] ends at 10, before the position 11, and is the same topic") == 2
    assert rows("SELECT epoch FROM streams_position") == [(3,), (3,)]

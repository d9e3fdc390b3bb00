"""A poller's place in a group: what it claims, and how it notices that topics are others."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from confluent_kafka import KafkaException

from tests.kafkalog import KafkaLog, topic_name
from tests.tom_desc.streams.pollers import SECONDS, rows, said, value
from tom_desc.streams import membership, topics
from tom_desc.streams.batches import Batch
from tom_desc.streams.brokers import Broker, DateWindow
from tom_desc.streams.membership import Membership
from tom_desc.streams.positions import Fenced
from tom_desc.streams.subscription import Rejoin
from tom_desc.streams.topics import Topics

pytestmark = pytest.mark.usefixtures("database")

NIGHT = datetime(2026, 1, 1, 3, tzinfo=UTC)
Join = Callable[..., Membership]


@pytest.fixture(autouse=True)
def look_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(membership, "LOOK_SECONDS", 0.0)


@pytest.fixture
def join(kafka: str, group: str) -> Iterator[Join]:
    made: list[Membership] = []

    def make(*topics: str, window: DateWindow | None = None, **how: Any) -> Membership:
        broker = Broker("test", kafka, group, topics, window=window)
        made.append(Membership(broker, **{"now": lambda: NIGHT} | how))
        return made[-1]

    yield make
    for one in made:
        one.leave()


def read_through(member: Membership, messages: int) -> Batch:
    """The batch that has so many messages."""
    deadline = time.monotonic() + SECONDS
    while len(batch := member.read()) < messages:
        assert time.monotonic() < deadline, "it takes too long"
    return batch


def who_read_one(log: KafkaLog, topic: str, join: Join) -> Membership:
    """A member that has read the topic's only message."""
    log.put(topic, said(1))
    one = join(topic)
    read_through(one, 1)
    return one


def test_what_is_read_begins_where_it_was_claimed(log: KafkaLog, topic: str, join: Join) -> None:
    log.put(topic, said(10))
    one = join(topic)
    batch = read_through(one, 10)
    held = one.held[topic, 0]
    assert (held.partition.topic_id, held.epoch, held.next_offset) == (one.claimed.ids[topic], 1, 0)
    assert batch.next_offsets == {(topic, 0): 10}
    assert value("SELECT owner FROM streams_position") == one.reader.owner


def test_a_topic_that_is_the_same_is_found_to_be(log: KafkaLog, topic: str, join: Join) -> None:
    one = who_read_one(log, topic, join)
    one.check({topic})
    one.look_when_due()


def test_a_topic_that_was_made_anew_is_noticed_without_a_message(
    log: KafkaLog, topic: str, join: Join
) -> None:
    one = who_read_one(log, topic, join)
    log.delete(topic)
    one.check({topic})
    log.make(topic)
    for notice in (lambda: one.check({topic}), one.look_when_due):
        with pytest.raises(Rejoin, match=f"the topic {topic} was made anew"):
            notice()


def test_somebody_elses_claim_is_noticed_without_a_message(log: KafkaLog, topic: str, join: Join) -> None:
    one = who_read_one(log, topic, join)
    rows("UPDATE streams_position SET epoch = epoch + 1")
    with pytest.raises(Fenced):
        one.look_when_due()


def test_a_new_day_has_other_topics(log: KafkaLog, join: Join) -> None:
    prefix = topic_name("dated")
    moments = [NIGHT]
    one = join(rf"^{prefix}_(\d{{8}})$", window=DateWindow(-1, 0), now=lambda: moments[-1])
    for day in (30, 31):
        log.put(log.make(f"{prefix}_202512{day}"), said(1))
    read_through(one, 1)
    assert set(one.held) == {(f"{prefix}_20251231", 0)}
    one.look_when_due()
    moments.append(NIGHT + timedelta(days=1))
    with pytest.raises(Rejoin, match="a new day has other topics"):
        one.look_when_due()
    for day in (30, 31):
        log.delete(f"{prefix}_202512{day}")


def test_rewinding_sets_the_positions_of_all_topics_there_are(log: KafkaLog, topic: str, join: Join) -> None:
    log.put(topic, said(10))
    first = join(topic)
    read_through(first, 10)
    rows("UPDATE streams_position SET next_offset = 7")
    join(topic, topic_name("nowhere"), rewind=True)
    assert rows("SELECT next_offset, epoch FROM streams_position") == [(0, 2)]


def test_who_has_no_partitions_looks_whether_kafka_is_there(
    join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = join(topic_name("nowhere"))
    one.look_soon()
    one.look_when_due()
    assert one.looked > 0
    monkeypatch.setattr(topics, "REQUEST_SECONDS", 0.5)
    one.topics = Topics({"bootstrap.servers": "127.0.0.1:1", "log_level": 0})
    with pytest.raises(KafkaException):
        one.look_when_due()


def test_a_partition_that_nobody_in_the_group_reads_is_noticed(
    log: KafkaLog, topic: str, join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the group had overlooked it when it shared out the others."""
    log.put(topic, said(1))
    one = join(topic, overlooked := topic_name("overlooked"))
    read_through(one, 1)
    log.make(overlooked)
    one.look_for_untended()
    assert {partition.place for partition in one.untended} == {(overlooked, 0)}
    monkeypatch.setattr(membership, "PATIENCE_SECONDS", 0.0)
    with pytest.raises(Rejoin, match=rf"nobody in the group reads {overlooked} \[0\]"):
        one.look_for_untended()
    log.delete(overlooked)


def test_partitions_that_others_read_or_that_end_too_early_are_not_untended(
    log: KafkaLog, topic: str, join: Join
) -> None:
    log.add_partitions(topic, to=2)
    log.put(topic, said(1), partition=0)
    one = join(topic)
    read_through(one, 1)
    rows("UPDATE streams_position SET owner = 'another' WHERE partition = 1")
    rows("UPDATE streams_position SET next_offset = 7 WHERE partition = 0")
    one.claim()
    assert set(one.claimed.beyond) == {(topic, 0)}
    one.look_for_untended()
    assert one.untended == {}
    rows("UPDATE streams_position SET updated = now() - interval '1 hour' WHERE partition = 0")
    one.renew()
    one.look_for_untended()
    assert one.untended == {}


def test_who_was_given_nothing_yet_waits_for_the_group(
    log: KafkaLog, topic: str, join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(membership, "PATIENCE_SECONDS", 0.0)
    one = join(topic)
    for _ in range(2):
        one.look_for_untended()
    assert {partition.place for partition in one.untended} == {(topic, 0)}


def test_messages_that_do_not_come_are_noticed(
    log: KafkaLog, topic: str, join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = who_read_one(log, topic, join)
    one.renew()
    assert list(one.still) == [((topic, 0), 0)]
    one.held[topic, 0].next_offset = 1
    one.renew()
    assert one.still == {}
    monkeypatch.setattr(membership, "STILL_SECONDS", 0.0)
    log.put(topic, said(1))
    one.subscription.hold(0.0)
    for _ in range(2):
        one.renew()
    one.subscription.release()
    one.renew()
    with pytest.raises(Rejoin, match=rf"the messages on {topic} \[0\] do not come"):
        one.renew()


def test_a_topic_that_the_consumer_knew_in_an_earlier_life_is_not_claimed_by_it(
    log: KafkaLog, topic: str, join: Join
) -> None:
    one = who_read_one(log, topic, join)
    log.delete(topic)
    log.make(topic)
    with pytest.raises(Rejoin, match=f"the topic {topic} was made anew"):
        one.claim()

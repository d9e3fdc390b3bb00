"""What a topic has between two ends, read from a real Kafka."""

from collections.abc import Iterator

import pytest
from confluent_kafka import KafkaException, TopicPartition

from tests.kafkalog import KafkaLog, topic_name
from tests.localtom import free_port
from tom_desc.streams import delivered
from tom_desc.streams.delivered import NOWHERE, Ends, messages_since, topic_ends
from tom_desc.streams.produce import client_settings
from tom_desc.streams.topics import Topics


@pytest.fixture
def two(log: KafkaLog) -> Iterator[str]:
    """A topic with two partitions, three messages on one and two on the other."""
    name = log.make(topic_name("delivered"), partitions=2)
    log.put(name, [b"a0", b"a1", b"a2"], partition=0)
    log.put(name, [b"b0", b"b1"], partition=1)
    yield name
    log.delete(name)


def ends_of(log: KafkaLog, *names: str) -> dict[str, Ends]:
    return topic_ends(Topics(client_settings(log.server)), names)


def between(log: KafkaLog, topic: str, starts: dict[int, int], ends: dict[int, int]) -> list[bytes]:
    found = messages_since(client_settings(log.server), topic, starts, ends)
    return sorted(message.value() or b"" for message in found)


def test_a_topic_has_an_id_and_an_end_of_each_partition(log: KafkaLog, two: str) -> None:
    (found,) = ends_of(log, two).values()
    assert found.offsets == {0: 3, 1: 2}
    assert found.topic_id


def test_a_topic_made_anew_has_another_id(log: KafkaLog, two: str) -> None:
    before = ends_of(log, two)[two]
    log.delete(two)
    log.make(two)
    after = ends_of(log, two)[two]
    assert after.topic_id not in ("", before.topic_id)
    assert after.offsets == {0: 0}


def test_asking_for_a_topic_makes_none(log: KafkaLog) -> None:
    name = topic_name("never")
    assert ends_of(log, name) == {name: NOWHERE}
    assert log.partitions(name) == []


def test_ends_outlive_their_json() -> None:
    for ends in (NOWHERE, Ends("an id", {0: 3, 12: 2**40})):
        assert Ends.of_json(ends.as_json()) == ends


def test_messages_between_two_ends_are_read(log: KafkaLog, two: str) -> None:
    assert between(log, two, {0: 1, 1: 1}, {0: 3, 1: 2}) == [b"a1", b"a2", b"b1"]


def test_a_partition_without_a_start_is_read_from_its_beginning(log: KafkaLog, two: str) -> None:
    assert between(log, two, {0: 3}, {0: 3, 1: 2}) == [b"b0", b"b1"]


def test_what_came_after_the_end_is_not_read(log: KafkaLog, two: str) -> None:
    ends = dict(ends_of(log, two)[two].offsets)
    log.put(two, [b"later"], partition=0)
    assert between(log, two, {0: 2, 1: 2}, ends) == [b"a2"]


def test_nothing_is_between_two_ends_that_are_the_same(log: KafkaLog, two: str) -> None:
    assert between(log, two, {0: 3, 1: 2}, {0: 3, 1: 2}) == []


def test_messages_of_a_transaction_that_was_given_up_are_not_read(log: KafkaLog, two: str) -> None:
    """Nor does the reader wait for them."""
    start = ends_of(log, two)[two].offsets
    producer = log.new_producer(transactional_id=topic_name("transaction"))
    producer.init_transactions()
    producer.begin_transaction()
    producer.produce(two, b"given up", partition=0)
    producer.flush()
    producer.abort_transaction()
    log.put(two, [b"b2"], partition=1)
    ends = ends_of(log, two)[two].offsets
    assert ends[0] > start[0]
    assert between(log, two, dict(start), dict(ends)) == [b"b2"]


def test_what_has_expired_is_not_waited_for(log: KafkaLog, two: str) -> None:
    kept_from = TopicPartition(two, 0, 2)
    log.admin.delete_records([kept_from])[kept_from].result()
    assert between(log, two, {0: 0, 1: 0}, {0: 3, 1: 2}) == [b"a2", b"b0", b"b1"]


def test_many_messages_are_read_each_once(log: KafkaLog, topic: str) -> None:
    values = [b"%05d" % number for number in range(5000)]
    log.put(topic, values)
    assert between(log, topic, {}, {0: 5000}) == values


def test_each_partition_comes_in_order(log: KafkaLog, topic: str) -> None:
    log.put(topic, [b"%d" % number for number in range(2000)])
    found = messages_since(client_settings(log.server), topic, {0: 500}, {0: 1500})
    assert [message.offset() for message in found] == list(range(500, 1500))


def test_a_server_that_has_gone_away_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivered, "SILENT_S", 0.3)
    nobody = client_settings(f"127.0.0.1:{free_port()}")
    with pytest.raises(KafkaException):
        list(messages_since(nobody, "topic", {}, {0: 5}))

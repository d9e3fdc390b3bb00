"""What Kafka says of topics, asked of a real one."""

import time
from collections.abc import Callable

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from tests.kafkalog import SECONDS, KafkaLog, topic_name
from tom_desc.streams.positions import Bounds
from tom_desc.streams.topics import Topics, complain


@pytest.fixture
def topics(kafka: str) -> Topics:
    return Topics({"bootstrap.servers": kafka})


def until(done: Callable[[], object]) -> None:
    """What was changed is known everywhere in a moment, not at once."""
    deadline = time.monotonic() + SECONDS
    while not done():
        assert time.monotonic() < deadline, "it takes too long"


def test_a_topic_that_is_made_anew_has_another_id(topics: Topics, log: KafkaLog, topic: str) -> None:
    before = topics.ids([topic])
    assert before == topics.ids([topic]) and before[topic]
    log.delete(topic)
    log.make(topic)
    until(lambda: topics.ids([topic]))
    assert topics.ids([topic])[topic] not in ("", before[topic])


def test_of_topics_that_are_not_there_nothing_is_said(topics: Topics, topic: str) -> None:
    assert set(topics.ids([topic, topic_name("nowhere")])) == {topic}
    assert topics.ids([topic_name("nowhere")]) == {}
    assert topics.ids([]) == {}


def test_asking_for_a_topic_does_not_make_it(topics: Topics, log: KafkaLog) -> None:
    name = topic_name("nowhere")
    topics.ids([name])
    assert topics.matching([name]) == {}
    assert log.partitions(name) == []


def test_partitions_begin_with_their_first_message_and_end_after_the_last(
    topics: Topics, log: KafkaLog, topic: str
) -> None:
    log.add_partitions(topic, to=2)
    log.put(topic, [b"x"] * 10, partition=1)
    log.admin.delete_records([TopicPartition(topic, 1, 4)])[TopicPartition(topic, 1, 4)].result()
    until(lambda: len(topics.bounds([(topic, 0), (topic, 1)])) == 2)
    assert topics.bounds([(topic, 0), (topic, 1)]) == {(topic, 0): Bounds(0, 0), (topic, 1): Bounds(4, 10)}
    assert topics.ends([(topic, 1)]) == {(topic, 1): 10}
    assert topics.bounds([]) == {}


def test_names_and_patterns_match_topics_with_their_partitions(topics: Topics, log: KafkaLog) -> None:
    prefix = topic_name("match")
    log.make(f"{prefix}-1", partitions=2)
    log.make(f"{prefix}-x")
    until(lambda: len(topics.matching([f"^{prefix}"])) == 2)
    assert topics.matching([rf"^{prefix}-\d$"]) == {f"{prefix}-1": [0, 1]}
    assert topics.matching([f"{prefix}-x", prefix]) == {f"{prefix}-x": [0]}
    assert set(topics.matching([f"^{prefix}"])) == {f"{prefix}-1", f"{prefix}-x"}
    log.delete(f"{prefix}-1")
    log.delete(f"{prefix}-x")


def test_a_cluster_has_a_name(topics: Topics, kafka: str) -> None:
    assert topics.cluster_id() == Topics({"bootstrap.servers": kafka}).cluster_id()


def test_a_server_that_is_away_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tom_desc.streams.topics.REQUEST_SECONDS", 0.5)
    away = Topics({"bootstrap.servers": "127.0.0.1:1", "log_level": 0})
    for ask in (away.cluster_id, lambda: away.ids(["x"]), lambda: away.ends([("x", 0)])):
        with pytest.raises(KafkaException):
            ask()


@pytest.mark.parametrize(
    ("code", "said"), [(KafkaError._RESOLVE, 1), (KafkaError._AUTHENTICATION, 1), (KafkaError._TRANSPORT, 0)]
)
def test_why_waiting_will_not_help_is_said_once(
    code: int, said: int, caplog: pytest.LogCaptureFixture
) -> None:
    where = topic_name("host")
    for milliseconds in (3, 7):
        complain(KafkaError(code, f"{where}: it will not do (after {milliseconds}ms in state CONNECT)"))
    assert caplog.text.count(f"Kafka refuses us: {where}: it will not do\n") == said


def test_a_host_that_nobody_knows_is_said(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tom_desc.streams.topics.REQUEST_SECONDS", 0.5)
    host = f"{topic_name('host')}.invalid"
    with pytest.raises(KafkaException):
        Topics({"bootstrap.servers": f"{host}:9092"}).cluster_id()
    assert f"Kafka refuses us: {host}:9092/bootstrap: Failed to resolve" in caplog.text


def test_a_partition_that_is_not_settled_yet_is_asked_for_again(
    kafka: str, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one is for a moment after its topic was made."""
    topics = Topics({"bootstrap.servers": kafka})
    waits: list[float] = []

    def unsettled(asked: object) -> dict[object, object]:
        raise KafkaException(KafkaError(KafkaError.NOT_LEADER_FOR_PARTITION))

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            monkeypatch.undo()

    monkeypatch.setattr("tom_desc.streams.topics.there_is", unsettled)
    monkeypatch.setattr("tom_desc.streams.topics.time.sleep", sleep)
    assert topics.ends([(topic, 0)]) == {(topic, 0): 0}
    assert len(waits) == 2


def test_but_not_for_ever(kafka: str, topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsettled(asked: object) -> dict[object, object]:
        raise KafkaException(KafkaError(KafkaError.LEADER_NOT_AVAILABLE))

    monkeypatch.setattr("tom_desc.streams.topics.there_is", unsettled)
    monkeypatch.setattr("tom_desc.streams.topics.REQUEST_SECONDS", 0.3)
    with pytest.raises(KafkaException):
        Topics({"bootstrap.servers": kafka}).ends([(topic, 0)])

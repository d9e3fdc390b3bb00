"""Pretend brokers between two Kafka servers: every alert answered once, whatever happens meanwhile."""

import io
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fastavro
import pytest
from confluent_kafka import KafkaException

from elasticc2.kafkabroker import AnswerWriter, KafkaBroker, Relayed, Route
from localservers.home import Home
from localservers.kafka import Kafka
from tests.kafkalog import KafkaLog, topic_name
from tom_desc.streams.fakebroker import NUGENT, RANDOM_SN_TYPE
from tom_desc.streams.schemas import ALERT, BROKER_CLASSIFICATION, schema

NOW = datetime(2024, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
SENT_MS = 1_700_000_000_123
BOTH = (NUGENT, RANDOM_SN_TYPE)


@pytest.fixture(scope="module")
def log(kafka: str) -> KafkaLog:
    return KafkaLog(kafka)


@pytest.fixture
def route(log: KafkaLog) -> Route:
    """Two alert topics, of which one is there."""
    wfd = log.make(topic_name("wfd"), partitions=2)
    topics = (wfd, topic_name("ddf-full"))
    return Route(log.server, log.server, topics, topic_name("classifications"), topic_name("group"))


def alert(alert_id: int) -> bytes:
    """An alert without history."""
    source = {
        "diaSourceId": alert_id + 7,
        "diaObjectId": None,
        "midPointTai": 60_300.5,
        "filterName": "r",
        "ra": 10.0,
        "decl": -5.0,
        "psFlux": 100.0,
        "psFluxErr": 10.0,
        "snr": 10.0,
    }
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, schema(ALERT), {"alertId": alert_id, "diaSource": source})
    return stream.getvalue()


def answer_all(route: Route, *, batch: int = 100, now: datetime = NOW) -> Relayed:
    with KafkaBroker(route, classifiers=BOTH, now=lambda: now) as broker:
        return sum(broker.batches(batch, once=True), Relayed())


def answers(log: KafkaLog, topic: str) -> list[dict[str, Any]]:
    """The committed answers, in order of alert and classifier."""
    shape = schema(BROKER_CLASSIFICATION)
    found: list[Any] = []
    for message in log.read(topic):
        stream = io.BytesIO(message.value() or b"")
        found.append(fastavro.schemaless_reader(stream, shape, shape))
        assert not stream.read()
    return sorted(found, key=lambda answer: (answer["alertId"], answer["classifierName"]))


def answered(log: KafkaLog, topic: str) -> list[int]:
    """Alert ids, of one classifier's answers and of the other's, which must be the same."""
    ids: dict[str, list[int]] = {classifier.name: [] for classifier in BOTH}
    for answer in answers(log, topic):
        ids[answer["classifierName"]].append(answer["alertId"])
    assert ids[NUGENT.name] == ids[RANDOM_SN_TYPE.name]
    return ids[NUGENT.name]


def test_each_classifier_answers_every_alert_once(log: KafkaLog, route: Route) -> None:
    log.put(route.source_topics[0], map(alert, range(1, 26)))
    assert answer_all(route, batch=7) == Relayed(alerts=25, messages=50, unreadable=0)
    assert answer_all(route) == Relayed()
    assert answered(log, route.dest_topic) == list(range(1, 26))


def test_an_answer_says_when_kafka_had_the_alert_and_when_the_broker(log: KafkaLog, route: Route) -> None:
    log.put(route.source_topics[0], [alert(5)], timestamp=SENT_MS)
    answer_all(route)
    nugent, _ = answers(log, route.dest_topic)
    assert nugent == {
        "alertId": 5,
        "diaSourceId": 12,
        "elasticcPublishTimestamp": datetime.fromtimestamp(SENT_MS / 1000, UTC),
        "brokerIngestTimestamp": NOW,
        "brokerName": "FakeBroker",
        "brokerVersion": "v1.0",
        "classifierName": "NugentClassifier",
        "classifierParams": "100%",
        "classifications": [{"classId": 2222, "probability": 1.0}],
    }


def test_a_group_of_another_name_answers_for_itself(log: KafkaLog, route: Route) -> None:
    log.put(route.source_topics[0], [alert(1)])
    other = Route(log.server, log.server, route.source_topics, topic_name("other"), topic_name("group"))
    assert answer_all(route) == answer_all(other) == Relayed(1, 2, 0)


def test_topics_and_partitions_that_come_later_are_found(log: KafkaLog, route: Route) -> None:
    wfd, ddf = route.source_topics
    with KafkaBroker(route, classifiers=BOTH, now=lambda: NOW) as broker:
        log.put(wfd, [alert(1)])
        done = sum(broker.batches(10, once=True), Relayed())
        log.make(ddf)
        log.add_partitions(wfd, to=3)
        log.put(ddf, [alert(2)])
        log.put(wfd, [alert(3)], partition=2)
        while done.alerts < 3:
            done += broker.answer_batch(10)
    assert answered(log, route.dest_topic) == [1, 2, 3]


@pytest.mark.parametrize("alerts_made_anew", [2, 6])
def test_a_topic_made_anew_begins_at_its_beginning(
    log: KafkaLog, route: Route, alerts_made_anew: int
) -> None:
    """Shorter or longer than it was."""
    topic = route.source_topics[1]
    with KafkaBroker(route, classifiers=BOTH, now=lambda: NOW) as broker:
        log.make(topic)
        log.put(topic, map(alert, range(1, 5)))
        done = Relayed()
        while done.alerts < 4:
            done += broker.answer_batch(10)
        log.delete(topic)
        log.make(topic)
        log.put(topic, map(alert, range(11, 11 + alerts_made_anew)))
        while done.alerts < 4 + alerts_made_anew:
            done += broker.answer_batch(10)
    assert answered(log, route.dest_topic) == [*range(1, 5), *range(11, 11 + alerts_made_anew)]
    assert answer_all(route) == Relayed()


def test_what_is_no_alert_is_counted_and_passed(log: KafkaLog, route: Route) -> None:
    whole = alert(1)
    values = [b"", None, whole[:-1], whole + b"\0", b"\xff" * 40, whole]
    log.put(route.source_topics[0], values, partition=0)
    assert answer_all(route) == Relayed(alerts=1, messages=2, unreadable=5)
    assert answer_all(route) == Relayed()
    assert answered(log, route.dest_topic) == [1]


def test_answers_that_a_killed_broker_did_not_commit_are_made_again(log: KafkaLog, route: Route) -> None:
    log.put(route.source_topics[0], map(alert, range(1, 4)))
    killed = AnswerWriter(route)
    killed.producer.begin_transaction()
    killed.produce(b"half a batch")
    killed.producer.flush()
    assert answer_all(route) == Relayed(3, 6, 0)
    assert answered(log, route.dest_topic) == [1, 2, 3]
    assert len(log.read(route.dest_topic, committed=False)) == 7


def test_whoever_comes_later_for_the_same_group_takes_over(log: KafkaLog, route: Route) -> None:
    log.put(route.source_topics[0], [alert(1)])
    with KafkaBroker(route, classifiers=BOTH, now=lambda: NOW) as first:
        assert sum(first.batches(10, once=True), Relayed()).alerts == 1
        log.put(route.source_topics[0], [alert(2)])
        assert answer_all(route).alerts == 1
        with pytest.raises(KafkaException):
            list(first.batches(10, once=True))
    assert answered(log, route.dest_topic) == [1, 2]


def test_answers_that_kafka_refuses_are_made_again(log: KafkaLog, route: Route) -> None:
    log.put(route.source_topics[0], map(alert, range(1, 4)))
    with KafkaBroker(route, classifiers=BOTH, now=lambda: NOW) as broker:
        while not broker.reader.streams:
            broker.answer_batch(10)
        log.set(route.dest_topic, max_message_bytes="200")
        while not (alerts := broker.reader.read(10)):
            pass
        assert broker.answer(alerts) == Relayed()
        log.set(route.dest_topic, max_message_bytes="1000000")
        assert sum(broker.batches(10, once=True), Relayed()) == Relayed(3, 6, 0)
    assert answered(log, route.dest_topic) == [1, 2, 3]


@pytest.mark.full
def test_the_answers_may_go_to_another_cluster(
    log: KafkaLog, route: Route, kafka_jars: Path, tmp_path: Path
) -> None:
    """Which does not know the topics of the alerts."""
    other = Kafka(Home(tmp_path / "home"), tied=True, jars=kafka_jars)
    other.up()
    try:
        there = replace(route, dest=other.server)
        log.put(route.source_topics[0], map(alert, range(1, 26)))
        assert answer_all(there, batch=7) == Relayed(25, 50, 0)
        log.put(route.source_topics[0], [alert(26)])
        assert answer_all(there) == Relayed(1, 2, 0)
        assert answer_all(there) == Relayed()
        assert answered(KafkaLog(other.server), route.dest_topic) == list(range(1, 27))
    finally:
        other.down()

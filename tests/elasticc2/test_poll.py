"""The campaign's part of polling: batches of Avro messages become broker messages, each once."""

import io
from collections.abc import Iterator
from typing import Any

import fastavro
import numpy as np
import pytest
from django.db import connection, transaction

from elasticc2.poll import decode
from tests.elasticc2.sky import message, rows
from tests.kafkalog import KafkaLog, topic_name
from tests.tom_desc.streams.pollers import own_database, poll_through, poller
from tom_desc.streams.batches import NO_TIME, Batch, numbered
from tom_desc.streams.consume import Counts
from tom_desc.streams.positions import Place
from tom_desc.streams.schemas import BROKER_CLASSIFICATION, schema

SAID_MS = 1_700_000_002_000
STORED = (
    "SELECT alert_id, topicname, topicpartition, streammessage_id, msghdrtimestamp::text, classid,"
    " classifier_id FROM elasticc2_brokermessage ORDER BY alert_id"
)


def encoded(source: int, **changes: Any) -> bytes:
    """A bare record, as brokers put it on a topic."""
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, schema(BROKER_CLASSIFICATION), message(source, **changes))
    return stream.getvalue()


def batch(*messages: tuple[bytes | None, Place, int], kafka_ms: int = SAID_MS) -> Batch:
    places, which = numbered([place for _, place, _ in messages])
    offsets = np.array([offset for *_, offset in messages], np.int64)
    values = [content for content, *_ in messages]
    return Batch(values, places, which, offsets, np.full(len(messages), kafka_ms))


def hear(batch: Batch) -> tuple[dict[Place, int], list[tuple[int, str | None]]]:
    """Store the batch; how many were new, and which were rejected with whose name on them."""
    decoded = decode(batch)
    decoded.prepare()
    with transaction.atomic(), connection.cursor() as cursor:
        stored = decoded.store(cursor)
    return stored, [(reject.place, reject.brokername) for reject in decoded.rejects]


A0, A1, B0 = ("a", 0), ("a", 1), ("b", 0)


@pytest.mark.django_db
def test_messages_are_stored_with_where_they_came_from() -> None:
    mixed = batch((encoded(5), A1, 7), (b"\xff", A1, 8), (None, B0, 1), (encoded(6), B0, 2))
    stored, rejects = hear(mixed)
    assert stored == {A1: 1, B0: 1}
    assert [place for place, _ in rejects] == [1, 2]
    (classifier,) = {row[-1] for row in rows(STORED)}
    assert rows(STORED) == [
        (5, "a", 1, 7, "2023-11-14 22:13:22+00", [2222], classifier),
        (6, "b", 0, 2, "2023-11-14 22:13:22+00", [2222], classifier),
    ]
    before = rows(STORED), rows("SELECT diasource_ids FROM elasticc2_brokernews")
    assert hear(mixed) == ({}, rejects)
    assert (rows(STORED), rows("SELECT diasource_ids FROM elasticc2_brokernews")) == before
    assert before[1] == [([5, 6],)]


@pytest.mark.django_db
def test_of_the_same_message_in_two_places_one_is_stored() -> None:
    twice = batch((encoded(5), A0, 1), (encoded(5), A0, 2), (encoded(5), B0, 9))
    stored, _ = hear(twice)
    assert sum(stored.values()) == 1
    assert hear(twice)[0] == {}


@pytest.mark.django_db
def test_one_alert_may_have_two_opinions_of_one_classifier() -> None:
    changed_mind = batch((encoded(5), A0, 1), (encoded(5, classes=[(2223, 1.0)]), A0, 2))
    assert hear(changed_mind)[0] == {A0: 2}
    assert hear(changed_mind)[0] == {}


@pytest.mark.django_db
def test_a_message_without_a_time_is_stored_without() -> None:
    assert hear(batch((encoded(5), A0, 1), kafka_ms=NO_TIME))[0] == {A0: 1}
    assert rows("SELECT msghdrtimestamp FROM elasticc2_brokermessage") == [(None,)]
    assert hear(batch((encoded(5), A0, 1), kafka_ms=NO_TIME))[0] == {}


@pytest.mark.django_db
def test_of_what_is_not_valid_the_broker_is_named_where_it_can_be_read() -> None:
    stored, rejects = hear(batch((encoded(-5), A0, 1)))
    assert (stored, rejects) == ({}, [(0, "FakeBroker")])
    assert rows("SELECT * FROM elasticc2_brokerclassifier") == []


@pytest.mark.django_db
def test_parts_of_a_batch_are_stored_as_the_whole_is() -> None:
    whole = batch(*[(encoded(source), (A0, B0)[source % 2], source) for source in range(1, 8)])
    parts = [hear(half)[0] for half in whole.halves()]
    assert sum(sum(part.values()) for part in parts) == 7
    assert hear(whole)[0] == {}


@pytest.fixture
def database(migrated_database: str, django_db_blocker: Any) -> Iterator[str]:
    with django_db_blocker.unblock(), own_database(migrated_database) as name:
        yield name


@pytest.mark.usefixtures("database")
def test_what_brokers_say_on_kafka_is_stored_once_and_wrong_things_are_kept(kafka: str) -> None:
    log = KafkaLog(kafka)
    topic = log.make(topic_name("classifications"), partitions=2)
    truncated = encoded(9)[:-3]
    log.put(topic, [*(encoded(source) for source in range(1, 301)), truncated, None, encoded(-5)])
    for counts in (Counts(303, 300, 0, 3), Counts(303, 0, 300, 3)):
        one = poller(kafka, topic_name("group"), topic, decode=decode)
        assert poll_through(one, 303) == counts
        one.leave()
    assert rows("SELECT count(*), count(DISTINCT diasource_id) FROM elasticc2_brokermessage") == [(300, 300)]
    assert rows("SELECT count(*) FROM elasticc2_brokersourceids") == [(300,)]
    assert rows("SELECT brokername FROM streams_deadletter WHERE value IS NOT NULL ORDER BY 1") == [
        ("FakeBroker",),
        ("FakeBroker",),
    ]
    log.delete(topic)

"""Messages to a real Kafka, each with its report."""

import pytest
from confluent_kafka import KafkaError

from tests.kafkalog import KafkaLog, topic_name
from tests.localtom import free_port
from tom_desc.streams import produce
from tom_desc.streams.produce import BATCH_BYTES, NoReports, Outbox, Reports, kafka_server, largest_batch

HEADERS: produce.Headers = [("schema", "some"), ("sent", "now")]


def send_all(outbox: Outbox, topic: str, values: list[bytes], *, key: bytes | None = None) -> Reports:
    reports = Reports()
    for value in values:
        outbox.send(topic, value, key=key, headers=HEADERS, reports=reports)
    outbox.settle(reports)
    return reports


def values_on(log: KafkaLog, topic: str) -> list[bytes | None]:
    return [message.value() for message in log.read(topic)]


def test_the_server_that_is_asked_for_goes_before_that_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KAFKA_SERVER", "environment:1")
    assert kafka_server("asked:1", otherwise="usual:1") == "asked:1"
    assert kafka_server(None, otherwise="usual:1") == "environment:1"
    monkeypatch.delenv("KAFKA_SERVER")
    assert kafka_server(None, otherwise="usual:1") == "usual:1"


def test_messages_arrive_in_order_with_key_and_headers(log: KafkaLog, topic: str) -> None:
    values = [b"%d" % number for number in range(5000)]
    reports = send_all(Outbox(log.server), topic, values, key=b"7")
    assert (reports.waiting, reports.failed) == (0, [])
    messages = log.read(topic)
    assert [message.value() for message in messages] == values
    assert {message.key() for message in messages} == {b"7"}
    assert messages[0].headers() == [("schema", b"some"), ("sent", b"now")]


def test_one_may_go_without_a_key(log: KafkaLog, topic: str) -> None:
    send_all(Outbox(log.server), topic, [b"a"])
    (message,) = log.read(topic)
    assert message.key() is None


def test_reports_say_where_the_partitions_end_now(log: KafkaLog) -> None:
    topic = log.make(topic_name("ends"), partitions=3)
    reports = Reports()
    outbox = Outbox(log.server)
    for number in range(100):
        outbox.send(topic, b"value", key=b"%d" % number, headers=HEADERS, reports=reports)
    outbox.settle(reports)
    assert reports.ends == {topic: {partition: log.end(topic, partition) for partition in range(3)}}
    log.delete(topic)


def test_a_full_queue_is_waited_for(log: KafkaLog, topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(produce, "QUEUE_KB", 100)
    values = [b"%05d" % number * 2000 for number in range(200)]
    reports = send_all(Outbox(log.server), topic, values)
    assert reports.failed == []
    assert values_on(log, topic) == values


def test_a_message_that_is_too_large_fails_alone(log: KafkaLog, topic: str) -> None:
    log.set(topic, max_message_bytes="1000")
    values = [b"before", b"x" * 5000, b"after", b"y" * 5000, b"last"]
    reports = send_all(Outbox(log.server, batch_bytes=1000), topic, values)
    assert [(value, error.code()) for value, error in reports.failed] == [
        (b"x" * 5000, KafkaError.MSG_SIZE_TOO_LARGE),
        (b"y" * 5000, KafkaError.MSG_SIZE_TOO_LARGE),
    ]
    assert values_on(log, topic) == [b"before", b"after", b"last"]


def test_a_batch_is_no_larger_than_every_topic_takes(log: KafkaLog, topic: str) -> None:
    small = log.make(topic_name("small"), max_message_bytes="2000")
    assert largest_batch(log.server, [topic]) == BATCH_BYTES
    assert largest_batch(log.server, [topic, small]) == 2000
    log.delete(small)


def test_without_topics_a_batch_has_the_usual_size(log: KafkaLog) -> None:
    assert largest_batch(log.server, []) == BATCH_BYTES


def test_a_server_that_confirms_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(produce, "SILENT_S", 0.3)
    nobody = f"127.0.0.1:{free_port()}"
    outbox = Outbox(nobody)
    with pytest.raises(NoReports, match=f"^Kafka at {nobody} has confirmed nothing for"):
        send_all(outbox, "topic", [b"value"])
    outbox.abandon()
    assert len(outbox.producer) == 0


def test_what_is_abandoned_is_not_sent_later(log: KafkaLog, topic: str) -> None:
    outbox = Outbox(log.server)
    reports = send_all(outbox, topic, [b"sent"])
    outbox.producer.poll(0)
    for number in range(20_000):
        outbox.send(topic, b"%d" % number, key=None, headers=HEADERS, reports=reports)
    outbox.abandon()
    outbox.producer.flush(5)
    before = log.end(topic)
    send_all(Outbox(log.server), topic, [b"another"])
    assert log.end(topic) == before + 1
    assert reports.failed

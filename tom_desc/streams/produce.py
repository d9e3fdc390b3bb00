"""Producing: messages go out in order, are acknowledged by all replicas, and every report is counted."""

import logging
import os
import time
from collections.abc import Callable, Iterable
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient, ConfigResource  # type: ignore[attr-defined]

log = logging.getLogger(__name__)

# librdkafka's own default. A message larger than that travels alone, and fails alone.
BATCH_BYTES = 1_000_000
# Whether a message is too large is for the server to say.
MESSAGE_BYTES = 1_000_000_000
# Long enough for messages that are handed over together, and little of the wait for a report.
LINGER_MS = 5
QUEUE_KB = 1_000_000
STEP_S = 0.1
# Without a single report for so long the server has gone away. Well before that librdkafka has tried again.
SILENT_S = 30.0
ASK_S = 10.0
FORBIDDEN = {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED}

Headers = list[tuple[str, str | bytes | None]]
OnDelivery = Callable[[KafkaError | None, Message], None]


class NoReports(Exception):
    """Kafka has stopped confirming; what became of the messages in flight is not known."""


def kafka_server(asked: str | None, *, otherwise: str) -> str:
    """Which server to use: the one that is asked for, that of the environment, or the usual one."""
    return asked or os.environ.get("KAFKA_SERVER") or otherwise


def client_settings(server: str) -> dict[str, Any]:
    """librdkafka's; troubles are told as exceptions, not on standard error."""
    return {"bootstrap.servers": server, "log_level": 0, "reconnect.backoff.max.ms": 2000}


def largest_batch(server: str, topics: Iterable[str]) -> int:
    """Bytes of the largest batch that all of these topics take; the usual where the server does not say."""
    resources = [ConfigResource(ConfigResource.Type.TOPIC, topic) for topic in topics]
    if not resources:
        return BATCH_BYTES
    client = AdminClient(client_settings(server))
    asked = client.describe_configs(resources, request_timeout=ASK_S)
    try:
        limits = [int(answer.result()["max.message.bytes"].value) for answer in asked.values()]
    except KafkaException as error:
        if error.args[0].code() not in FORBIDDEN:
            raise
        log.info("how large messages may be is not known: %s", error)
        return BATCH_BYTES
    return min([BATCH_BYTES, *limits])


class Reports:
    """The delivery reports of some messages.

    Attributes
    ----------
    waiting : int
        Messages that are not reported yet.
    failed : list
        Value of each message that was not delivered, and why.
    ends : dict of dicts
        By topic and partition, the offset after the last message delivered.
    """

    def __init__(self) -> None:
        self.waiting = 0
        self.failed: list[tuple[bytes, KafkaError]] = []
        self.ends: dict[str, dict[int, int]] = {}
        self._of: dict[str, OnDelivery] = {}

    def of(self, topic: str) -> OnDelivery:
        """Who hears the reports of a topic; to ask each message for its topic takes as long as all else."""
        if topic not in self._of:
            self._of[topic] = self._listener(self.ends.setdefault(topic, {}))
        return self._of[topic]

    def _listener(self, ends: dict[int, int]) -> OnDelivery:
        def hear(error: KafkaError | None, message: Message) -> None:
            self.waiting -= 1
            if error is not None:
                self.failed.append((message.value() or b"", error))
                return
            offset = message.offset()
            if offset is not None and offset >= 0:
                ends[message.partition() or 0] = offset + 1

        return hear


class Outbox:
    """A producer that loses and doubles nothing while it lives, and keeps each partition in order.

    Parameters
    ----------
    batch_bytes
        The most to send together, no more than the topics take as one message.
    """

    def __init__(self, server: str, *, batch_bytes: int = BATCH_BYTES) -> None:
        self.server = server
        self.producer = Producer(
            client_settings(server)
            | {
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": LINGER_MS,
                "batch.size": batch_bytes,
                "message.max.bytes": MESSAGE_BYTES,
                "queue.buffering.max.kbytes": QUEUE_KB,
            }
        )

    def send(
        self, topic: str, value: bytes, *, key: bytes | None, headers: Headers, reports: Reports
    ) -> None:
        """Hand over a message; what becomes of it is told to ``reports`` while somebody waits for them."""
        hear = reports.of(topic)
        while True:
            try:
                self.producer.produce(topic, value, key=key, headers=headers, on_delivery=hear)
            except BufferError:
                self.settle(reports, down_to=reports.waiting // 2)
            else:
                reports.waiting += 1
                return

    def settle(self, reports: Reports, *, down_to: int = 0) -> None:
        """Wait until no more than so many of these messages are without report.

        Raises
        ------
        NoReports
            Where Kafka confirms nothing any more.
        """
        heard, left = time.monotonic(), len(self.producer)
        while reports.waiting > down_to:
            self.producer.poll(STEP_S)
            if len(self.producer) < left:
                heard, left = time.monotonic(), len(self.producer)
            elif time.monotonic() - heard > SILENT_S:
                raise NoReports(f"Kafka at {self.server} has confirmed nothing for {SILENT_S:.0f} s")

    def serve(self) -> None:
        """Count the reports that are there."""
        self.producer.poll(0)

    def abandon(self) -> None:
        """Let go of what is not confirmed, which may or may not arrive yet."""
        self.producer.purge()
        self.producer.poll(0)

"""Pretend brokers between two Kafka servers: alerts in, answers out, each alert answered exactly once.

A transaction on the answers' server holds the answers to a batch of alerts together with the place where the
next batch begins. The two servers need not be one cluster, and a group can only commit offsets of topics that
its own cluster has; so the places travel as the metadata of the group's offset on the answers' topic.
"""

import io
import json
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, NamedTuple, Self

import fastavro
from confluent_kafka import (
    OFFSET_BEGINNING,
    TIMESTAMP_NOT_AVAILABLE,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from elasticc2.answers import answers, milliseconds
from tom_desc.streams.fakebroker import PretendClassifier
from tom_desc.streams.schemas import ALERT, BROKER_CLASSIFICATION, schema
from tom_desc.tally import Tally

log = logging.getLogger(__name__)

WAIT_SECONDS = 1.0
# Once there is something, what comes so soon after it belongs to the same batch.
GATHER_SECONDS = 0.05
REQUEST_SECONDS = 10.0
# How long Kafka may be away before a command gives up that has not begun yet.
START_SECONDS = 60.0
# Readers of the answers' topic wait so long for the end of a transaction whose broker was killed.
TRANSACTION_MS = 30_000
# Kafka is away, or just back and not ready.
OUTAGES = {
    KafkaError._TRANSPORT,
    KafkaError._TIMED_OUT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
}


class Stream(NamedTuple):
    """A partition of a topic. A topic that was deleted and made anew has another id, and other alerts."""

    topic: str
    topic_id: str
    partition: int


# Of each partition, by the id of its topic and its number, the offset to read next.
Places = dict[tuple[str, int], int]


@dataclass(frozen=True)
class Route:
    """What a group of pretend classifiers reads, and where it answers; servers as host:port."""

    source: str
    dest: str
    source_topics: Sequence[str]
    dest_topic: str
    group: str


@dataclass(frozen=True)
class Relayed(Tally):
    """What was done so far; ``unreadable`` are alerts that are no record of the schema."""

    alerts: int = 0
    messages: int = 0
    unreadable: int = 0

    def __str__(self) -> str:
        return ", ".join(f"{count} {name}" for name, count in asdict(self).items())


class AlertReader:
    """Reads alerts from ``places`` on; topics and partitions that come later are found at the next read."""

    def __init__(self, route: Route, places: Places) -> None:
        self.route = route
        self.places = places
        # None: not known yet.
        self.streams: frozenset[Stream] | None = None
        self.at_end: set[tuple[str, int]] = set()
        self.admin = AdminClient({"bootstrap.servers": route.source})
        self.consumer = self.open()

    def open(self) -> Consumer:
        """A consumer of the known streams. Offsets that Kafka has of its group count for nothing."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.route.source,
                "group.id": self.route.group,
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
                # So soon is a partition seen to be read to its end.
                "fetch.wait.max.ms": 100,
            }
        )
        consumer.assign(
            [
                TopicPartition(topic, partition, self.places.get((topic_id, partition), OFFSET_BEGINNING))
                for topic, topic_id, partition in sorted(self.streams or ())
            ]
        )
        return consumer

    @property
    def is_through(self) -> bool:
        """Whether all that there is was read."""
        return self.streams is not None and len(self.at_end) == len(self.streams)

    def read(self, size: int) -> list[Message]:
        """At most ``size`` alerts; none where nothing came, or it may have come from another topic."""
        events = self.events(size)
        # What was fetched belongs to the topics that we knew only if they are still there.
        streams = existing(self.admin, self.route.source_topics)
        if streams != self.streams:
            self.streams = streams
            self.rewind()
            return []
        for event in events:
            self.note(event)
        return [event for event in events if event.error() is None]

    def events(self, size: int) -> list[Message]:
        """What the consumer has to say, after a wait for the first of it."""
        if self.streams is None or (first := self.consumer.poll(WAIT_SECONDS)) is None:
            return []
        return [first, *self.consumer.consume(size - 1, timeout=GATHER_SECONDS)] if size > 1 else [first]

    def rewind(self) -> None:
        """Read from ``places`` on again, with nothing left of what the consumer knew of its topics."""
        self.at_end.clear()
        self.consumer.close()
        self.consumer = self.open()

    def note(self, event: Message) -> None:
        """Keep account of partitions that are read to their end."""
        error = event.error()
        if error is None:
            self.at_end.discard(partition_of(event))
        elif error.code() == KafkaError._PARTITION_EOF:
            self.at_end.add(partition_of(event))
        else:
            log.warning("reading alerts: %s", error)

    def places_after(self, alerts: Iterable[Message]) -> Places:
        """Where to go on after these; of topics that are gone nothing is kept."""
        ids = {(topic, partition): (topic_id, partition) for topic, topic_id, partition in self.streams or ()}
        known = set(ids.values())
        after = {key: place for key, place in self.places.items() if key in known}
        return after | {ids[partition_of(alert)]: (alert.offset() or 0) + 1 for alert in alerts}


def partition_of(event: Message) -> tuple[str, int]:
    return event.topic() or "", event.partition() or 0


def existing(admin: AdminClient, topics: Sequence[str]) -> frozenset[Stream]:
    """The partitions of those topics that there are.

    Raises
    ------
    KafkaException
        Where the server does not say.
    """
    asked = admin.describe_topics(TopicCollection(list(topics)), request_timeout=REQUEST_SECONDS)
    streams: set[Stream] = set()
    for name, answer in asked.items():
        try:
            topic = answer.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise
        else:
            streams |= {Stream(name, str(topic.topic_id), part.id) for part in topic.partitions}
    return frozenset(streams)


class AnswerWriter:
    """Writes answers and places in one transaction. Whoever writes for the same group later ends this one."""

    def __init__(self, route: Route) -> None:
        self.route = route
        server: dict[str, Any] = {"bootstrap.servers": route.dest}
        patiently(lambda: make_topic(AdminClient(server), route.dest_topic))
        self.producer = Producer(
            server
            | {
                "transactional.id": f"fakebroker-{route.group}-{route.dest_topic}",
                "transaction.timeout.ms": TRANSACTION_MS,
                "linger.ms": 50,
            }
        )
        self.group = Consumer(server | {"group.id": route.group, "isolation.level": "read_committed"})
        # Ends the transaction of a killed broker, so that its places are known.
        patiently(lambda: self.producer.init_transactions(START_SECONDS))

    def places(self) -> Places:
        """Those of the last transaction that was committed."""
        asked = [TopicPartition(self.route.dest_topic, 0)]
        (found,) = patiently(lambda: self.group.committed(asked, timeout=REQUEST_SECONDS))
        kept: dict[str, dict[str, int]] = json.loads(found.metadata or "{}")
        return {
            (topic_id, int(partition)): place
            for topic_id, places in kept.items()
            for partition, place in places.items()
        }

    def commit(self, messages: Iterable[bytes], places: Places) -> bool:
        """Write all of it or nothing; whether it was written.

        Raises
        ------
        KafkaException
            Where another writer of the group has taken over, or Kafka was away for longer than a transaction
            may last.
        """
        self.producer.begin_transaction()
        try:
            for message in messages:
                self.produce(message)
            until_known(lambda: self.producer.send_offsets_to_transaction(*self.mark(places)))
            until_known(self.producer.commit_transaction)
        except KafkaException as error:
            if not error.args[0].txn_requires_abort():
                raise
            log.warning("answers of a batch are given up, and made again: %s", error)
            until_known(self.producer.abort_transaction)
            return False
        return True

    def produce(self, message: bytes) -> None:
        while True:
            try:
                return self.producer.produce(self.route.dest_topic, message)
            except BufferError:
                self.producer.poll(WAIT_SECONDS)

    def mark(self, places: Places) -> tuple[list[TopicPartition], Any]:
        """The group's offset on the answers' topic, which nobody reads, with the places."""
        kept: dict[str, dict[int, int]] = defaultdict(dict)
        for (topic_id, partition), place in places.items():
            kept[topic_id][partition] = place
        mark = TopicPartition(self.route.dest_topic, 0, 0, json.dumps(kept))
        return [mark], self.group.consumer_group_metadata()


def make_topic(admin: AdminClient, name: str) -> None:
    """Make the topic as the server makes topics, unless it is there."""
    (answer,) = admin.create_topics([NewTopic(name)], request_timeout=REQUEST_SECONDS).values()
    try:
        answer.result()
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise


def patiently(ask: Callable[[], Any]) -> Any:
    """The answer of a server that may take its time to be ready."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return ask()
        except KafkaException as error:
            if not is_outage(error) or time.monotonic() > deadline:
                raise
        time.sleep(0.2)


def is_outage(error: KafkaException) -> bool:
    return error.args[0].code() in OUTAGES


def until_known(verb: Callable[[], None]) -> None:
    """Ask until it is known what became of it."""
    while True:
        try:
            return verb()
        except KafkaException as error:
            if not error.args[0].retriable():
                raise


class KafkaBroker:
    """Pretend classifiers that answer every alert on the route."""

    def __init__(
        self, route: Route, *, classifiers: Sequence[PretendClassifier], now: Callable[[], datetime]
    ) -> None:
        self.classifiers = classifiers
        self.now = now
        self.writer = AnswerWriter(route)
        self.reader = AlertReader(route, self.writer.places())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.reader.consumer.close()
        self.writer.group.close()

    def batches(self, size: int, *, once: bool = False) -> Iterator[Relayed]:
        """Answer batch after batch; ``once``: until every alert that there is was answered."""
        while True:
            yield self.answer_batch(size)
            if once and self.reader.is_through:
                return

    def answer_batch(self, size: int) -> Relayed:
        """Answer at most ``size`` alerts, all or none; waits a second for some."""
        try:
            alerts = self.reader.read(size)
        except KafkaException as error:
            if not is_outage(error):
                raise
            log.warning("reading alerts: %s", error)
            self.reader.rewind()
            return Relayed()
        return self.answer(alerts) if alerts else Relayed()

    def answer(self, alerts: list[Message]) -> Relayed:
        """Answer a batch and keep where the next one begins."""
        moment = self.now()
        asked = [known for known in (read_alert(alert, moment) for alert in alerts) if known]
        messages = [encode(answer) for answer in answers(self.classifiers, asked, moment)]
        places = self.reader.places_after(alerts)
        if not self.writer.commit(messages, places):
            self.reader.rewind()
            return Relayed()
        self.reader.places = places
        done = Relayed(len(asked), len(messages), len(alerts) - len(asked))
        log.info("answered %s", done)
        return done


def read_alert(alert: Message, moment: datetime) -> tuple[int, int, int] | None:
    """Alert id, source id and when it was published, ms since 1970; None where it is no alert."""
    stream = io.BytesIO(alert.value() or b"")
    try:
        content: Any = fastavro.schemaless_reader(stream, schema(ALERT), schema(ALERT))
        if stream.read(1):
            raise ValueError("there is more than an alert")
    except (EOFError, IndexError, ValueError, OverflowError) as error:
        log.warning("no alert: %s [%s] at %s: %r", alert.topic(), alert.partition(), alert.offset(), error)
        return None
    kind, published_ms = alert.timestamp()
    if kind == TIMESTAMP_NOT_AVAILABLE:
        published_ms = milliseconds(moment)
    return content["alertId"], content["diaSource"]["diaSourceId"], published_ms


def encode(answer: dict[str, Any]) -> bytes:
    """The answer as brokers put it on their topics: a bare record."""
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, schema(BROKER_CLASSIFICATION), answer)
    return stream.getvalue()

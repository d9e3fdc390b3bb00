"""Ingest: brokers' answers of twenty classes each, from Kafka into a database that has many already.

``ingest``: value is messages a second of one poller, from a topic that is full to the last COMMIT. Limit:
those of PostgreSQL alone, which is handed the same statements and commits with the rows encoded beforehand.

``ingest beside COPY``, ``... librdkafka``, ``... fastavro``: the same value; limit is copying such rows into
the same table with its keys, as many a transaction; reading such messages from Kafka and doing nothing with
them; decoding them. Nothing was promised of these.

``ingest by two pollers``: value is messages a second of two in one group, limit of one.

``ingest, WAL``: bytes of write-ahead log a message; limit: the same of copying.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from time import monotonic
from typing import Any

import fastavro
import numpy as np
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]
from django.db import connection, transaction

from benchmarks import databases
from benchmarks.bench import Bench
from benchmarks.copying import Rows, copy_form
from benchmarks.measuring import Result, at_least, either, in_turn, seconds
from benchmarks.messages import MOMENT_MS, Sources
from benchmarks.polling import poller_of, pollers
from benchmarks.profiling import profile
from elasticc2.ingest import TABLE, TELL, as_array, key_order, message_columns, stream_columns
from tom_desc.streams.decode import decode
from tom_desc.streams.fakebroker import RANDOM_SN_TYPE
from tom_desc.streams.produce import client_settings
from tom_desc.streams.schemas import BROKER_CLASSIFICATION, schema
from tom_desc.streams.subscription import MOST_MESSAGES

DATABASE = "stream"
OBJECTS = 100_000
CLASSIFIER_ID = 1
# Two pollers have one each.
PARTITIONS = 2
PROFILED = 50_000
FILLED_AT_ONCE = 250_000
READ_SECONDS = 10.0

# Night after night over all objects, a message a millisecond.
FILL = f"""
INSERT INTO {TABLE} (streammessage_id, topicname, topicpartition, alert_id, diasource_id, msghdrtimestamp,
    elasticcpublishtimestamp, brokeringesttimestamp, descingesttimestamp, classid, classifier_id, probability)
SELECT n, 'before', 0, source, source, moment, moment, moment, moment,
    ARRAY(SELECT 2222 + class FROM generate_series(1, 20) class), {CLASSIFIER_ID},
    ARRAY(SELECT (n * class %% 1000) / 1000.0 FROM generate_series(1, 20) class)
FROM (SELECT n, (n %% {OBJECTS} + 1) * 100000 + n / {OBJECTS} AS source,
             timestamptz '2023-01-01 00:00 UTC' + n * interval '1 ms' AS moment
      FROM generate_series(%s::bigint, %s::bigint) n) messages"""
WAL = "SELECT pg_current_wal_insert_lsn() - '0/0'"


def run(bench: Bench) -> list[Result]:
    """The stream beside its parts."""
    server = bench.kafka()
    databases.make(DATABASE)
    with databases.using(DATABASE), closing(databases.connect(DATABASE)) as plain:
        with bench.progress.step(f"{bench.scale.stored:,} messages that are there"):
            fill(bench.scale.stored)
        with bench.progress.step("ingest"):
            stream = Stream(server, bench.scale.streamed, plain.cursor())
            return results(stream, bench.scale.runs, bench.scale.stored)


def fill(count: int) -> None:
    """Messages that are there before, with all keys in place."""
    with connection.cursor() as cursor:
        for start in range(0, count, FILLED_AT_ONCE):
            cursor.execute(FILL, (start, min(start + FILLED_AT_ONCE, count) - 1))
        cursor.execute(f"VACUUM ANALYZE {TABLE}")


def results(stream: "Stream", runs: int, stored: int) -> list[Result]:
    """Everything in turn, each time with other messages."""
    works = (
        stream.by_poller,
        stream.by_two_pollers,
        stream.by_postgres_alone,
        stream.copied,
        stream.read,
        stream.decoded,
    )
    one, two, postgres, copy, kafka, avro = (stream.count / taken for taken in in_turn(runs, *works))
    logged = {name: sum(sizes) / (len(sizes) * stream.count) for name, sizes in stream.logged.items()}
    beside = f"{stream.count:,} messages, {MOST_MESSAGES:,} a transaction, beside {stored:,}"
    goal = either(at_least(0.5), value=30_000)
    return [
        Result("ingest", one, "messages/s", postgres, goal, beside, stream.profile),
        Result("ingest beside COPY", one, "messages/s", copy),
        Result("ingest beside librdkafka", one, "messages/s", kafka),
        Result("ingest beside fastavro", one, "messages/s", avro),
        Result("ingest by two pollers", two, "messages/s", one, at_least(1), profile=stream.profile),
        Result("ingest, WAL", logged["ingest"], "bytes/message", logged["COPY"]),
    ]


@dataclass
class Stream:
    """Messages on their way; each work takes ``count`` that nobody has seen, and says how long that took."""

    server: str
    count: int
    cursor: Any
    sources: Sources = field(default_factory=lambda: Sources(OBJECTS))
    logged: dict[str, list[int]] = field(default_factory=lambda: {"ingest": [], "COPY": []})
    topics: int = 0
    values: Sequence[bytes] = ()

    def by_poller(self) -> float:
        """One poller has both partitions."""
        return self.polled(1)

    def by_two_pollers(self) -> float:
        """Two have one each."""
        return self.polled(2)

    def polled(self, count: int) -> float:
        """From the moment at which the messages are there to be read, to the last COMMIT."""
        with (
            self.spoken(self.count) as speak,
            pollers(self.server, self.topic, DATABASE, count=count) as group,
        ):
            group.await_partitions(PARTITIONS // count)
            with self.logging("ingest"):
                start = monotonic()
                speak()
                return group.await_messages(self.count) - start

    def by_postgres_alone(self) -> float:
        """The rest of the work is done before."""
        batches = [prepared(values) for values in pieces(answers(self.sources.next(self.count)))]
        return seconds(lambda: store_all(batches))

    def copied(self) -> float:
        """The table and its keys, and nothing else."""
        batches = [prepared(values) for values in pieces(answers(self.sources.next(self.count)))]
        with self.logging("COPY"):
            return seconds(lambda: copy_all(self.cursor, batches))

    def read(self) -> float:
        """What the pollers read last."""
        settings = {
            "bootstrap.servers": self.server,
            "group.id": "alone",
            "isolation.level": "read_committed",
        }
        with closing(Consumer(settings)) as consumer:
            consumer.list_topics(self.topic)
            return seconds(lambda: read_all(consumer, self.topic, self.count))

    def decoded(self) -> float:
        """The same messages."""
        return seconds(lambda: [decoded_by_fastavro(value) for value in self.values])

    @property
    def topic(self) -> str:
        """The topic that was spoken on last."""
        return f"ingest-{self.topics}"

    @contextmanager
    def spoken(self, count: int) -> Iterator[Callable[[], None]]:
        """Messages on a new topic, which can be read after the call of what is yielded."""
        self.topics += 1
        self.values = answers(self.sources.next(count))
        client = AdminClient(client_settings(self.server))
        client.create_topics([NewTopic(self.topic, PARTITIONS)])[self.topic].result()
        producer = Producer(
            client_settings(self.server)
            | {
                "transactional.id": self.topic,
                "transaction.timeout.ms": 600_000,
                "queue.buffering.max.messages": count,
            }
        )
        producer.init_transactions()
        producer.begin_transaction()
        for number, value in enumerate(self.values):
            producer.produce(self.topic, value, partition=number % PARTITIONS)
        producer.flush()
        yield producer.commit_transaction

    @contextmanager
    def logging(self, name: str) -> Iterator[None]:
        """Note the write-ahead log of the block."""
        before = self.log_end()
        yield
        self.logged[name].append(self.log_end() - before)

    def log_end(self) -> int:
        self.cursor.execute(WAL)
        return int(self.cursor.fetchone()[0])

    def profile(self) -> str:
        """Where the time of a poller goes."""
        left = min(PROFILED, self.count)
        with self.spoken(left) as speak:
            speak()

        def on_poll(counts: Any) -> None:
            nonlocal left
            left -= counts.seen

        poller = poller_of(self.server, self.topic)
        with databases.using(DATABASE):
            return profile(lambda: poller.run(stopping=lambda: left <= 0, on_poll=on_poll))


@dataclass(frozen=True)
class Prepared:
    """A batch as PostgreSQL gets it, encoded beforehand."""

    rows: Rows
    sources: str


def store_all(batches: Sequence[Prepared]) -> None:
    """What :func:`elasticc2.ingest.ingest_stream` asks of PostgreSQL, a transaction for each batch."""
    for batch in batches:
        with transaction.atomic(), connection.cursor() as cursor:
            with transaction.atomic():
                batch.rows.copy(cursor)
            cursor.execute(TELL, (batch.sources,))


def copy_all(cursor: Any, batches: Sequence[Prepared]) -> None:
    """The rows alone."""
    for batch in batches:
        batch.rows.copy(cursor)


def prepared(values: Sequence[bytes]) -> Prepared:
    """A batch, encoded."""
    count = len(values)
    batch, _ = decode(values, np.full(count, MOMENT_MS))
    ids = dict.fromkeys(batch.classifiers, CLASSIFIER_ID)
    origin = stream_columns(np.full(count, b"ingest"), np.zeros(count, np.int64), np.arange(count))
    columns = message_columns(batch, ids) | origin
    order = key_order(columns)
    assert order is not None
    ordered = {name: column.take(order) for name, column in columns.items()}
    with connection.cursor() as cursor:
        return Prepared(copy_form(cursor, TABLE, ordered), as_array(np.unique(batch.source_ids)))


def pieces(values: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """As many as a poller stores in a transaction."""
    return (values[start : start + MOST_MESSAGES] for start in range(0, len(values), MOST_MESSAGES))


def answers(sourceids: Sequence[int]) -> list[bytes]:
    """What a broker says of the sources' alerts: twenty classes each."""
    return [
        encoded(RANDOM_SN_TYPE.answer(alert_id=s, diasource_id=s, published_ms=MOMENT_MS, now_ms=MOMENT_MS))
        for s in sourceids
    ]


def encoded(answer: dict[str, Any]) -> bytes:
    stream = BytesIO()
    fastavro.schemaless_writer(stream, schema(BROKER_CLASSIFICATION), answer)
    return stream.getvalue()


def decoded_by_fastavro(value: bytes) -> Any:
    return fastavro.schemaless_reader(BytesIO(value), schema(BROKER_CLASSIFICATION), None)


def read_all(consumer: Consumer, topic: str, count: int) -> None:
    """Read so many messages from the beginning of a topic.

    Raises
    ------
    TimeoutError
        Where there are not so many.
    """
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])
    while count > 0:
        messages = consumer.consume(min(count, MOST_MESSAGES), timeout=READ_SECONDS)
        if not messages:
            raise TimeoutError(f"{count} messages of {topic} did not come")
        count -= sum(message.error() is None for message in messages)

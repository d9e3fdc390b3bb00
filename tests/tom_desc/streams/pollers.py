"""Pollers in this process, on a real Kafka and a database of their own, and a campaign that stores texts."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import psycopg2
from django.db import connection

from tests.conftest import create_database, drop_database
from tests.localtom import database_name
from tom_desc.streams.batches import Batch
from tom_desc.streams.brokers import Broker
from tom_desc.streams.classifications import Reject
from tom_desc.streams.consume import Counts, Poller
from tom_desc.streams.positions import Place

SECONDS = 180.0
# What the database refuses, by the two SQLSTATE classes that say so.
UNHEARD_OF = b"ok: unheard of"
TOO_LONG = b"ok: " + b"long" * 100

HEARD = """
CREATE TABLE heard (
    value varchar(200) PRIMARY KEY CHECK (value <> 'ok: unheard of'),
    topic text, partition int, "offset" bigint, kafka_ms bigint)"""
HEAR = """
WITH new AS (
    INSERT INTO heard
    SELECT * FROM unnest(%s::text[], %s::text[], %s::int[], %s::bigint[], %s::bigint[]) AS said
    ORDER BY 1
    ON CONFLICT DO NOTHING
    RETURNING topic, partition)
SELECT topic, partition, count(*) FROM new GROUP BY topic, partition"""


@dataclass
class Texts:
    """A batch of which texts are valid that begin with ok."""

    batch: Batch
    rejects: Sequence[Reject]

    def prepare(self) -> None:
        pass

    def store(self, cursor: Any) -> dict[Place, int]:
        dead = {reject.place for reject in self.rejects}
        rows = [row for row in range(len(self.batch)) if row not in dead]
        cursor.execute(
            HEAR,
            (
                [(self.batch.values[row] or b"").decode() for row in rows],
                [self.batch.topics[row].decode() for row in rows],
                *(
                    column[rows].tolist()
                    for column in (self.batch.partitions, self.batch.offsets, self.batch.kafka_ms)
                ),
            ),
        )
        return {(topic, partition): count for topic, partition, count in cursor.fetchall()}


def texts(batch: Batch) -> Texts:
    """The campaign's decode."""
    rejects = [
        Reject(row, f"{value!r} does not begin with ok")
        for row, value in enumerate(batch.values)
        if not (value or b"").startswith(b"ok")
    ]
    return Texts(batch, rejects)


def said(count: int, *, what: str = "") -> list[bytes]:
    """Different valid texts."""
    return [f"ok: {what} {number}".encode() for number in range(count)]


@contextmanager
def own_database(template: str) -> Iterator[str]:
    """Django's connection, in every thread, is to a new database with the schema."""
    name = database_name("poll")
    create_database(name, template=template)
    settings = connection.settings_dict
    before = settings["NAME"]
    connection.close()
    settings["NAME"] = name
    try:
        rows(HEARD)
        yield name
    finally:
        connection.close()
        settings["NAME"] = before
        drop_database(name)


def rows(query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters or None)
        return cursor.fetchall() if cursor.description else []


def value(query: str, *parameters: Any) -> Any:
    return rows(query, *parameters)[0][0]


@contextmanager
def beside(database: str) -> Iterator[Callable[[str], list[tuple[Any, ...]]]]:
    """Asks the database by a connection that is nobody else's."""
    parameters = connection.get_connection_params()
    names = ("host", "port", "user", "password")
    other = psycopg2.connect(dbname=database, **{name: parameters.get(name) for name in names})
    other.autocommit = True

    def ask(query: str) -> list[tuple[Any, ...]]:
        with other.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall()

    yield ask
    other.close()


def poller(server: str, group: str, *topics: str, decode: Any = texts, **how: Any) -> Poller:
    broker = Broker("test", server, group, topics)
    return Poller(broker, decode, **{"now": partial(datetime.now, UTC)} | how)


def poll_until(poller: Poller, done: Callable[[], bool]) -> Counts:
    """Poll, as a process does, until it is done; what all batches came to."""
    total, deadline = Counts(), time.monotonic() + SECONDS
    while not done():
        assert time.monotonic() < deadline, "it takes too long"
        total += poller.poll_once()
    return total


def heard() -> int:
    return int(value("SELECT count(*) FROM heard"))


def poll_through(poller: Poller, messages: int) -> Counts:
    """Poll until so many messages were seen."""
    total, deadline = Counts(), time.monotonic() + SECONDS
    while total.seen < messages:
        assert time.monotonic() < deadline, f"it takes too long; so far {total}"
        total += poller.poll_once()
    return total


@contextmanager
def polling(poller: Poller) -> Iterator[None]:
    """It polls meanwhile, in a thread and with a connection of its own."""
    stop = threading.Event()

    def run() -> None:
        poller.run(stopping=stop.is_set, on_poll=lambda counts: None)
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()

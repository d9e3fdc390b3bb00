"""A sky whose alerts are sent to topics of a test's own, and what is on these topics."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import psycopg2
from confluent_kafka import Message
from django.db import connection

from elasticc2.alerts import AlertAssembler
from elasticc2.encoding import alert_id_of
from elasticc2.histories import DAYS_PREVIOUS
from elasticc2.models import SendRun
from elasticc2.send import How, Order, Sent
from elasticc2.sendruns import AlertTopics, lock, unlock
from tests.elasticc2.sky import Point, add_object, rows
from tests.kafkalog import KafkaLog, topic_name

TABLES = (
    "sendbatch",
    "sendrun",
    "ppdbalert",
    "ppdbdiasource",
    "ppdbdiaforcedsource",
    "diaobjecttruth",
    "ppdbdiaobject",
    "loadnews",
)
MARKED = "SELECT alert_id FROM elasticc2_ppdbalert WHERE alertsenttimestamp IS NOT NULL ORDER BY alert_id"
LONE_SOURCE = """
INSERT INTO elasticc2_ppdbdiasource
    (diasource_id, midpointtai, filtername, ra, decl, psflux, psfluxerr, snr)
VALUES (%s, %s, 'r', 10, -5, 100, 10, 10)"""
LONE_ALERT = "INSERT INTO elasticc2_ppdbalert (alert_id, diasource_id) VALUES (%s, %s)"
DEEP = "UPDATE elasticc2_ppdbdiaobject SET isddf = true WHERE diaobject_id = %s"


def detections(*mjds: float) -> list[Point]:
    return [(mjd, "r", 100.0, True) for mjd in mjds]


def measurements(*mjds: float) -> list[Point]:
    """Forced photometry without a source."""
    return [(mjd, "g", 5.0, False) for mjd in mjds]


def add_deep(objectid: int, points: Sequence[Point]) -> list[int]:
    """An object of a deep-drilling field; ids of its alerts."""
    ids = add_object(objectid, points)
    do(DEEP, objectid)
    return ids


def add_lone(sourceid: int, mjd: float) -> int:
    """A source that belongs to no object, and its alert of the same id."""
    do(LONE_SOURCE, sourceid, mjd)
    do(LONE_ALERT, sourceid, sourceid)
    return sourceid


def do(statement: str, *parameters: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)


def forget_everything() -> None:
    """Empty the PPDB and the record of sending, and set the campaign's clock back."""
    for table in TABLES:
        do(f"DELETE FROM elasticc2_{table}")
    do("UPDATE campaigns_campaign SET sent_mjd = NULL WHERE name = 'elasticc2'")


def marked() -> list[int]:
    """Ids of alerts that are marked sent, ascending."""
    return [alert_id for (alert_id,) in rows(MARKED)]


def assembled(alert_id: int, *, days_previous: float = DAYS_PREVIOUS) -> bytes:
    """One alert, put together for itself."""
    with connection.cursor() as cursor:
        ((_, alert),) = AlertAssembler().assemble(cursor, [alert_id], days_previous=days_previous)
    return alert


def id_of(message: Message) -> int:
    found = alert_id_of(message.value() or b"")
    assert found is not None
    return found


def go_on() -> bool:
    """Nobody asks to stop."""
    return False


@dataclass
class Told:
    """What a run reports of itself."""

    parts: list[Sent] = field(default_factory=list)

    def __call__(self, run: SendRun, more: Sent) -> None:
        self.parts.append(more)


def how(
    *,
    stopping: Callable[[], bool] = go_on,
    report: Callable[[SendRun, Sent], None] | None = None,
    threads: int = 2,
) -> How:
    return How(threads=threads, now=partial(datetime.now, UTC), stopping=stopping, report=report or Told())


@dataclass(frozen=True)
class AlertStreams:
    """The three topics, one partition each if not said otherwise."""

    log: KafkaLog
    wfd: str
    full: str
    limited: str

    @property
    def topics(self) -> AlertTopics:
        return AlertTopics(self.wfd, self.full, self.limited)

    @property
    def options(self) -> list[str]:
        """Of send_elasticc2_alerts: where to send."""
        topics = ["--wfd-topic", self.wfd, "--ddf-full-topic", self.full, "--ddf-limited-topic", self.limited]
        return ["-k", self.log.server, *topics]

    def order(self, **window: Any) -> Order:
        return Order(server=self.log.server, topics=self.topics, **window)

    def ids(self, topic: str) -> list[int]:
        """Ids of the alerts on a topic, in the topic's order."""
        return [id_of(message) for message in self.log.read(topic)]


@contextmanager
def alert_streams(server: str, *, partitions: int = 1) -> Iterator[AlertStreams]:
    """Three new topics, deleted at the end."""
    log = KafkaLog(server)
    names = [
        log.make(topic_name(purpose), partitions=partitions) for purpose in ("wfd", "ddf-full", "ddf-limited")
    ]
    yield AlertStreams(log, *names)
    for name in names:
        if log.partitions(name):
            log.delete(name)


@contextmanager
def beside() -> Iterator[Any]:
    """A cursor of somebody else, on a connection of their own."""
    other = psycopg2.connect(**connection.get_connection_params())
    other.autocommit = True
    try:
        with other.cursor() as cursor:
            yield cursor
    finally:
        other.close()


@contextmanager
def somebody_sends() -> Iterator[None]:
    with beside() as other:
        assert lock(other)
        yield
        unlock(other)

"""Alerts to Kafka: read, put together, delivered and marked.

``send, a year``: value is alerts a second of all nights of a year in one run. Limit: alerts a second of
librdkafka alone with the same bytes, produced and acknowledged by all replicas of the same server.
``send, one night``: alerts a second of one night in which every object is detected, after that year, so that
every object is read anew. Limit: a number.

The sky is made by SQL, object after object, and its objects are kept encoded, as loading survey files does: a
point every third night for a year, of which every fifth is a detection. In the last night of all, every
object is detected.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from uuid import uuid4

from confluent_kafka import Producer
from confluent_kafka.cimpl import NewTopic
from django.db import connection

from benchmarks import databases
from benchmarks.bench import Bench
from benchmarks.measuring import Result, at_least, either, in_turn, seconds
from benchmarks.profiling import profile
from elasticc2.campaign import FORCED_COLUMNS, OBJECT_COLUMNS, OBJECT_FLOATS, SOURCE_COLUMNS
from elasticc2.keptobjects import encode_objects, not_kept
from elasticc2.send import How, Order, send
from elasticc2.sendruns import AlertTopics, Window
from elasticc2.slices import Outgoing, slices
from tom_desc.streams.produce import client_settings
from tom_desc.streams.topics import Topics

SKY = "sending"
OBJECTS_OF_SURVEY = 2
FIRST_MJD, DAYS = 60_300, 365
LAST_NIGHT = FIRST_MJD + DAYS
NIGHTS_BETWEEN, EPOCHS_BETWEEN = 3, 5
THREADS = 3
ENOUGH_OF_A_NIGHT, ENOUGH_OF_A_YEAR = 8_000, 20_000

OBJECTS = f"""
INSERT INTO elasticc2_ppdbdiaobject ({", ".join(OBJECT_COLUMNS)})
SELECT i, 'made', 360 * random(), 60 * random() - 60, {", ".join(["random()"] * len(OBJECT_FLOATS))}, false
FROM generate_series(1000000, 999999 + %(objects)s) i"""
FORCED = f"""
INSERT INTO elasticc2_ppdbdiaforcedsource ({", ".join(FORCED_COLUMNS)})
SELECT i * 100000::bigint + epoch, mjd + i %% 1000 * 1e-4, substr('ugrizY', 1 + (epoch + i) %% 6, 1),
       4000 * random() * random() - 200, 20 + 10 * random(), i
FROM generate_series(1000000, 999999 + %(objects)s) i,
     LATERAL (SELECT epoch, %(first)s + epoch * %(between)s + i %% %(between)s AS mjd
              FROM generate_series(0, %(epochs)s - 1) epoch
              UNION ALL SELECT %(epochs)s, %(last)s) points"""
SOURCES = f"""
INSERT INTO elasticc2_ppdbdiasource ({", ".join(SOURCE_COLUMNS)})
SELECT diaforcedsource_id, midpointtai, filtername, ra, decl, psflux, psfluxerr, psflux / psfluxerr,
       diaobject_id
FROM elasticc2_ppdbdiaforcedsource JOIN elasticc2_ppdbdiaobject USING (diaobject_id)
WHERE diaforcedsource_id %% 100000 %% %(each)s = diaobject_id %% %(each)s
   OR diaforcedsource_id %% 100000 = %(epochs)s
ORDER BY diaforcedsource_id"""
ALERTS = """
INSERT INTO elasticc2_ppdbalert (alert_id, diasource_id, diaobject_id)
SELECT diasource_id, diasource_id, diaobject_id FROM elasticc2_ppdbdiasource ORDER BY diasource_id"""
UNMARK = "UPDATE elasticc2_ppdbalert SET alertsenttimestamp = NULL WHERE alert_id IN (SELECT alert_id {of})"
OF_YEAR_OR_NIGHT = """
FROM elasticc2_ppdbalert JOIN elasticc2_ppdbdiasource USING (diasource_id)
WHERE alertsenttimestamp IS NOT NULL AND midpointtai > %s"""
COUNT_MARKED = f"SELECT count(*) {OF_YEAR_OR_NIGHT}"


def run(bench: Bench) -> list[Result]:
    """A year in one run beside librdkafka, and the night after it."""
    server = bench.kafka()
    database = make_sky(bench, bench.scale.survey * OBJECTS_OF_SURVEY)
    with bench.progress.step("send"), databases.using(database):
        return [a_year(server, bench.scale.runs), a_night(server, bench.scale.runs)]


def make_sky(bench: Bench, objects: int) -> str:
    """The database of the sky, none of it sent."""
    databases.make(SKY)
    epochs = DAYS // NIGHTS_BETWEEN
    values = {
        "objects": objects,
        "first": FIRST_MJD,
        "last": LAST_NIGHT,
        "epochs": epochs,
        "between": NIGHTS_BETWEEN,
        "each": EPOCHS_BETWEEN,
    }
    with (
        bench.progress.step(f"a year of {objects:,} objects"),
        databases.using(SKY),
        connection.cursor() as cursor,
    ):
        cursor.execute("SET session_replication_role = replica")
        for statement in (OBJECTS, FORCED, SOURCES, ALERTS):
            cursor.execute(statement, values)
            bench.progress.tick("rows")
        for _ in encode_objects(not_kept(cursor)):
            bench.progress.tick("encoded objects")
        cursor.execute("VACUUM (ANALYZE)")
        cursor.execute("CHECKPOINT")
    return SKY


def a_year(server: str, runs: int) -> Result:
    """All nights but the last, with librdkafka in turn."""
    messages = list(outgoing(through=LAST_NIGHT - 1))
    of_sending, of_librdkafka = in_turn(
        runs,
        lambda: timed_send(server, after=0, through=LAST_NIGHT - 1, alerts=len(messages)),
        lambda: timed_produce(server, messages),
    )
    size = sum(len(message.value) for message in messages)
    parts = f"{len(messages):,} alerts of {size / len(messages):,.0f} bytes in {DAYS} nights"
    value, limit = len(messages) / of_sending, len(messages) / of_librdkafka
    goal = either(at_least(0.45), value=ENOUGH_OF_A_YEAR)
    inside = partial(profile_of, server, 0, LAST_NIGHT - 1)
    return Result("send, a year", value, "alerts/s", limit, goal, parts, inside)


def a_night(server: str, runs: int) -> Result:
    """The last night, after all others."""
    messages = list(outgoing(through=LAST_NIGHT + 0.5))
    (elapsed,) = in_turn(
        runs,
        lambda: timed_send(server, after=LAST_NIGHT - 0.5, through=LAST_NIGHT + 0.5, alerts=len(messages)),
    )
    size = sum(len(message.value) for message in messages)
    parts = f"{len(messages):,} alerts of {size / len(messages):,.0f} bytes"
    inside = partial(profile_of, server, LAST_NIGHT - 0.5, LAST_NIGHT + 0.5)
    value = len(messages) / elapsed
    return Result("send, one night", value, "alerts/s", ENOUGH_OF_A_NIGHT, at_least(1), parts, inside)


def outgoing(*, through: float) -> Iterator[Outgoing]:
    """The messages of all unsent alerts up to a time."""
    for part in slices(Window.between(None, through), AlertTopics("", "", ""), threads=THREADS):
        yield from part.messages


def timed_send(server: str, *, after: float, through: float, alerts: int) -> float:
    """Seconds of a run, which must have marked all alerts after one time and through another."""
    unmark(after)
    with passing_topics(server) as topics:
        elapsed = seconds(partial(sent, server, topics, through))
    with connection.cursor() as cursor:
        cursor.execute(COUNT_MARKED, (after,))
        (marked,) = cursor.fetchone()
    if marked != alerts:
        raise RuntimeError(f"{marked} of {alerts} alerts are marked")
    return elapsed


def unmark(after: float) -> None:
    """As before the run, with nothing left of it in the table."""
    with connection.cursor() as cursor:
        cursor.execute(UNMARK.format(of=OF_YEAR_OR_NIGHT), (after,))
        cursor.execute("VACUUM FULL ANALYZE elasticc2_ppdbalert")
        cursor.execute("CHECKPOINT")


def sent(server: str, topics: AlertTopics, through: float) -> None:
    """Send what is unsent up to a time."""
    how = How(
        threads=THREADS,
        now=partial(datetime.now, UTC),
        stopping=lambda: False,
        report=lambda run, more: None,
    )
    send(Order(server, topics, through_day=through), how)


def timed_produce(server: str, messages: list[Outgoing]) -> float:
    """Seconds of librdkafka with the same keys and values."""
    producer = Producer(client_settings(server) | {"acks": "all"})
    with passing_topics(server) as topics:
        elapsed = seconds(partial(produce_all, producer, topics.wfd, messages))
        (end,) = Topics(client_settings(server)).ends([(topics.wfd, 0)]).values()
    if end != len(messages):
        raise RuntimeError(f"{end} of {len(messages)} messages arrived")
    return elapsed


def produce_all(producer: Producer, topic: str, messages: list[Outgoing]) -> None:
    """Produce as fast as the queue takes it, and wait for what is left."""
    for message in messages:
        while True:
            try:
                producer.produce(topic, message.value, key=message.key)
            except BufferError:
                producer.poll(0.01)
            else:
                break
    producer.flush()


@contextmanager
def passing_topics(server: str) -> Iterator[AlertTopics]:
    """Empty topics, gone at the end: what a run produces are gigabytes."""
    tag = uuid4().hex
    topics = AlertTopics(*(f"{name}-{tag}" for name in ("wfd", "full", "limited")))
    client = Topics(client_settings(server)).client
    finish(client.create_topics([NewTopic(topic, 1, 1) for topic in topics.names]))
    yield topics
    finish(client.delete_topics(list(topics.names)))


def finish(asked: Mapping[str, Future[None]]) -> None:
    """Wait until Kafka has done what it was asked."""
    for answer in asked.values():
        answer.result()


def profile_of(server: str, after: float, through: float) -> str:
    """Where the time of a run goes."""
    with databases.using(SKY):
        unmark(after)
        with passing_topics(server) as topics:
            return profile(partial(sent, server, topics, through))

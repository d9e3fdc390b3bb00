"""Ingest: brokers' answers to a simulated survey's alerts into the database, without HTTP.

``ingest``: value is messages a second of checking and storing them, a thousand a transaction; limit: that of
copying such rows, encoded beforehand, into the same table with its keys, as many a transaction.

``ingest, WAL``: bytes of write-ahead log a message; limit: the same of copying. Nothing was promised of
either.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from typing import Any

from django.db import connection

from benchmarks import databases
from benchmarks.bench import Bench
from benchmarks.measuring import Result, in_turn, seconds
from benchmarks.messages import AT_ONCE, CLASSIFIERS, messages, rows_of_batches
from elasticc2.ingest import ingest
from tom_desc.streams.classifications import check

ALERTS = "SELECT diasource_id FROM elasticc2_ppdbdiasource ORDER BY midpointtai, diasource_id LIMIT %s"
WAL = "SELECT pg_current_wal_insert_lsn() - '0/0'"


def run(bench: Bench) -> list[Result]:
    """Ingest beside copying."""
    database = bench.loaded_survey()
    runs = bench.scale.runs * bench.scale.batches
    with (
        bench.progress.step("ingest"),
        databases.using(database),
        closing(databases.connect(database)) as plain,
    ):
        return measured(plain.cursor(), runs)


def measured(cursor: Any, runs: int) -> list[Result]:
    """Every second batch is ingested, the others are copied."""
    batches = [messages(sourceids) for sourceids in slices(2 * runs)]
    rows = iter(rows_of_batches(batches[1::2]))
    said = iter(batches[::2])
    logged: dict[str, list[int]] = {"ingest": [], "COPY": []}
    of_ingest, of_copy = in_turn(
        runs,
        lambda: watched(cursor, logged["ingest"], partial(store, next(said))),
        lambda: watched(cursor, logged["COPY"], partial(next(rows).copy, cursor)),
    )
    of_log = {name: sum(sizes) / (runs * AT_ONCE) for name, sizes in logged.items()}
    rate, limit = AT_ONCE / of_ingest, AT_ONCE / of_copy
    return [
        Result("ingest", rate, "messages/s", limit, None, f"{AT_ONCE:,} a transaction"),
        Result("ingest, WAL", of_log["ingest"], "bytes/message", of_log["COPY"]),
    ]


def slices(count: int) -> Iterator[list[int]]:
    """Sources of the survey in order of time, as many as make a batch each."""
    size = AT_ONCE // len(CLASSIFIERS)
    with connection.cursor() as cursor:
        cursor.execute(ALERTS, (count * size,))
        sourceids = [row[0] for row in cursor.fetchall()]
    return (sourceids[start : start + size] for start in range(0, len(sourceids), size))


def store(said: list[dict[str, Any]]) -> None:
    """What the PUT endpoint does once it has decoded a request."""
    ingest(check(said)[0])


def watched(cursor: Any, logged: list[int], work: Callable[[], None]) -> float:
    """Seconds of the work; the write-ahead log it made is appended to ``logged``."""
    cursor.execute(WAL)
    before = int(cursor.fetchone()[0])
    taken = seconds(work)
    cursor.execute(WAL)
    logged.append(int(cursor.fetchone()[0]) - before)
    return taken

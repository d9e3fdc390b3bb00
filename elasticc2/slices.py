"""Slices: a window's alerts in order of time, read and put together by threads ahead of who sends them."""

import gc
import math
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections
from numpy.typing import NDArray

from elasticc2.alerts import AlertAssembler, AlertSource, alerts_by_time, as_sources, last_of
from elasticc2.encoding import EncodedObject, encoded_ids
from elasticc2.histories import DAYS_PREVIOUS
from elasticc2.sendruns import AlertTopics, Window, night_of

# Ids that one query finds; alerts that one task reads and puts together. The first are fewer, so that sending
# begins soon.
PAGE_ALERTS = 20_000
FIRST_TASK_ALERTS, TASK_ALERTS = 250, 1_000
# While one slice of a night is marked, others are delivered: short ones overlap more, long ones cost less.
SLICE_ALERTS = 1000
# Bounds memory where alerts are long: those of deep-drilling fields have thousands of points.
SLICE_BYTES = 16 * 2**20
CACHE_BYTES = 2**30
DAYS_LIMITED = 30.0
# Python lets a thread that computes go on for so long while another waits; its own 5 ms are as much as
# marking a night takes.
SWITCH_S = 0.0005
# New objects between two searches for cycles; Python's own 700 are those of some fifty alerts.
COLLECT_EVERY = 1_000_000

T = TypeVar("T")
Task = Callable[[Any], T]


class Outgoing(NamedTuple):
    """A message to be sent; the key is the object's id, if there is an object."""

    topic: str
    key: bytes | None
    value: bytes


@dataclass
class Slice:
    """Alerts of one night that follow each other, and their messages."""

    night: int
    alert_ids: list[int] = field(default_factory=list)
    mjds: list[float] = field(default_factory=list)
    messages: list[Outgoing] = field(default_factory=list)
    size: int = 0

    def add(self, source: AlertSource, messages: Iterable[Outgoing]) -> None:
        self.alert_ids.append(source.alert_id)
        self.mjds.append(source.midpointtai)
        for message in messages:
            self.messages.append(message)
            self.size += len(message.value)


class Readers:
    """Threads with a database connection each."""

    def __init__(self, threads: int) -> None:
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="reader")
        self.connections = [connections.create_connection(DEFAULT_DB_ALIAS) for _ in range(threads)]
        self.idle: SimpleQueue[Any] = SimpleQueue()
        for connection in self.connections:
            connection.inc_thread_sharing()
            self.idle.put(connection)

    def submit(self, task: Task[T]) -> "Future[T]":
        """Have a thread call the task with a cursor."""
        return self.pool.submit(self._run, task)

    def _run(self, task: Task[T]) -> T:
        connection = self.idle.get()
        try:
            with connection.cursor() as cursor:
                return task(cursor)
        finally:
            self.idle.put(connection)

    def close(self) -> None:
        """End after what is in hand."""
        self.pool.shutdown(cancel_futures=True)
        for connection in self.connections:
            connection.close()


@contextmanager
def reading(threads: int) -> Iterator[Readers]:
    """Readers for as long as the block lasts."""
    readers = Readers(threads)
    try:
        with undisturbed():
            yield readers
    finally:
        readers.close()


@contextmanager
def undisturbed() -> Iterator[None]:
    """Python's threads do not keep each other waiting, nor does it look for cycles among encoded objects."""
    interval, thresholds = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(SWITCH_S)
    gc.set_threshold(COLLECT_EVERY, *thresholds[1:])
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        gc.set_threshold(*thresholds)


def slices(window: Window, topics: AlertTopics, *, threads: int) -> Generator[Slice]:
    """The window's alerts, each once and in order of time, also where they are marked meanwhile.

    Parameters
    ----------
    threads
        How many read and put together; one more than there are processors is enough.
    """
    with reading(threads) as readers:
        assembler: AlertAssembler | None = None
        waiting: deque[Future[list[Slice]]] = deque()
        for page in pages(window, readers):
            at_once = TASK_ALERTS if assembler else FIRST_TASK_ALERTS
            assembler = assembler or assembler_of(page, window)
            for start in range(0, len(page), at_once):
                sources = as_sources(page[start : start + at_once])
                waiting.append(readers.submit(together(assembler, sources, topics)))
                if len(waiting) > threads:
                    yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def pages(window: Window, readers: Readers) -> Iterator[NDArray[Any]]:
    """The window's alerts, a query each, of which the next is always under way."""

    def query(after: tuple[float, int], limit: int) -> Task[NDArray[Any]]:
        return lambda cursor: alerts_by_time(
            cursor,
            through_mjd=window.through_mjd,
            limit=limit,
            after=after,
            sent=window.sent,
            but=window.but,
        )

    # The first is short, so that sending begins soon.
    following = readers.submit(query(window.after, TASK_ALERTS))
    while len(page := following.result()):
        following = readers.submit(query(last_of(page), PAGE_ALERTS))
        yield page


def assembler_of(first_page: NDArray[Any], window: Window) -> AlertAssembler:
    """An assembler that reads no photometry which no alert of the window can carry."""
    since_mjd = float(first_page[0]["midpointtai"]) - DAYS_PREVIOUS
    return AlertAssembler(max_bytes=CACHE_BYTES, since_mjd=since_mjd, until_mjd=window.through_mjd)


def together(assembler: AlertAssembler, sources: list[AlertSource], topics: AlertTopics) -> Task[list[Slice]]:
    """The task that puts these alerts together."""

    def assemble(cursor: Any) -> list[Slice]:
        found: list[Slice] = []
        starts = set(slice_starts([night_of(source.midpointtai) for source in sources]))
        ids = encoded_ids([source.alert_id for source in sources])
        objects = assembler.objects(cursor, sources)
        for k, (source, alert_id, of) in enumerate(zip(sources, ids, objects, strict=True)):
            if k in starts or found[-1].size > SLICE_BYTES:
                found.append(Slice(night_of(source.midpointtai)))
            found[-1].add(source, messages(source, alert_id, of, topics))
        return found

    return assemble


def slice_starts(nights: Iterable[int]) -> Iterator[int]:
    """Where slices begin among alerts of which the nights are given: those of a night are equally long."""
    start = 0
    for _, of_night in groupby(nights):
        alerts = len(list(of_night))
        slices_of_night = math.ceil(alerts / SLICE_ALERTS)
        yield from range(start, start + alerts, math.ceil(alerts / slices_of_night))
        start += alerts


def messages(source: AlertSource, alert_id: bytes, of: EncodedObject, topics: AlertTopics) -> list[Outgoing]:
    """An alert as it goes out: of a deep-drilling field with all its history, and once more with little."""
    key = None if source.diaobject_id is None else b"%d" % source.diaobject_id
    full = of.alert(alert_id, source.diasource_id, source.midpointtai)
    if not of.isddf:
        return [Outgoing(topics.wfd, key, full)]
    limited = of.alert(alert_id, source.diasource_id, source.midpointtai, days_previous=DAYS_LIMITED)
    return [Outgoing(topics.ddf_full, key, full), Outgoing(topics.ddf_limited, key, limited)]

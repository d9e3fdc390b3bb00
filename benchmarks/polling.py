"""Pollers as processes of their own, each with its database connection and its place in the group."""

import logging
import multiprocessing
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty
from typing import Any

SPAWN = multiprocessing.get_context("spawn")
SECONDS = 120.0


class PollersFailed(Exception):
    """Pollers died, or did not do their work in time."""


@dataclass(frozen=True)
class Heard:
    """What a poller says after a poll: when that was, how much it read, and how many partitions it has."""

    process: int
    moment: float
    seen: int
    partitions: int


class Pollers:
    """Pollers of one topic, a group of their own."""

    def __init__(self, server: str, topic: str, database: str, *, count: int) -> None:
        self.said: Any = SPAWN.Queue()
        self.stopping: Any = SPAWN.Event()
        arguments = (server, topic, database, self.said, self.stopping)
        self.processes = [SPAWN.Process(target=poll, args=arguments, daemon=True) for _ in range(count)]

    def heard(self) -> Iterator[Heard]:
        """What they say.

        Raises
        ------
        PollersFailed
        """
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            try:
                yield self.said.get(timeout=1.0)
            except Empty:
                if not all(process.is_alive() for process in self.processes):
                    break
        raise PollersFailed(f"{[process.exitcode for process in self.processes]} after {SECONDS:.0f} s")

    def await_partitions(self, each: int) -> None:
        """Return when every poller has so many partitions."""
        have: dict[int, int] = {}
        for heard in self.heard():
            have[heard.process] = heard.partitions
            if list(have.values()) == [each] * len(self.processes):
                return

    def await_messages(self, count: int) -> float:
        """The moment at which so many messages were dealt with."""
        for heard in self.heard():
            count -= heard.seen
            if count <= 0:
                return heard.moment
        return 0.0


@contextmanager
def pollers(server: str, topic: str, database: str, *, count: int) -> Iterator[Pollers]:
    """Pollers, gone at the end."""
    group = Pollers(server, topic, database, count=count)
    try:
        for process in group.processes:
            process.start()
        yield group
    finally:
        group.stopping.set()
        for process in group.processes:
            process.join(SECONDS)
            process.kill()


def poll(server: str, topic: str, database: str, said: Any, stopping: Any) -> None:
    """A process's life."""
    os.environ["DB_NAME"] = database
    import django

    django.setup()
    # A line for each batch is not for the benchmark's reader.
    logging.disable(logging.WARNING)
    poller = poller_of(server, topic)

    def tell(counts: Any) -> None:
        held = poller.member.held if poller.member else ()
        said.put(Heard(os.getpid(), time.monotonic(), counts.seen, len(held)))

    poller.run(stopping=stopping.is_set, on_poll=tell)


def poller_of(server: str, topic: str) -> Any:
    """What ``brokerpoll2 --do-test`` runs."""
    from datetime import UTC, datetime
    from functools import partial

    from elasticc2.poll import decode
    from tom_desc.streams.brokers import KINDS
    from tom_desc.streams.consume import Poller

    broker = KINDS["test"].broker(topics=[topic], server=server, grouptag=topic)
    return Poller(broker, decode, now=partial(datetime.now, UTC))

"""A PostgreSQL and a Kafka of our own, which may be killed, and the wire between Kafka and its clients."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2
import pytest

from localservers.environment import settings
from localservers.home import Home
from localservers.kafka import Kafka
from localservers.postgres import HOST, Postgres, is_free
from localservers.processes import stop
from tests.crashes.clients import wait_until
from tests.crashes.proxy import Proxy
from tests.localtom import LocalTom

# Fast: transactions are rolled back. Immediate: everybody is killed, and the start recovers from the log.
MODES = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT, "kill": signal.SIGKILL}
STOP_SECONDS = 600.0


class Database:
    """PostgreSQL, and how to restart it."""

    def __init__(self, home: Home) -> None:
        self.postgres = Postgres(os.environ.get("TOM_POSTGRES") or "wheel", home, scratch=True)

    def start(self) -> None:
        self.postgres.up()

    def stop(self, mode: str) -> None:
        pid = self.postgres.pid
        assert pid
        assert stop(pid, signals=((MODES[mode], STOP_SECONDS),))

    def restart(self, mode: str) -> None:
        self.stop(mode)
        self.start()


@contextmanager
def own_database(directory: Path) -> Iterator[Database]:
    """The server that everything started meanwhile takes for its own."""
    database = Database(Home(directory / "home"))
    database.start()
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in settings(database.postgres).items():
                if name.startswith(("DB_", "PG")):
                    patch.setenv(name, value)
            yield database
    finally:
        database.postgres.down()


def reconnect(tom: LocalTom) -> None:
    """The test's own connection ended with the server."""
    tom.connection = psycopg2.connect(tom.connection.dsn, password=os.environ["DB_PASS"])
    tom.connection.autocommit = True


class Streams:
    """Kafka: the test goes straight to it, whoever is tested through a proxy."""

    def __init__(self, home: Home, proxy: Proxy, jars: Path) -> None:
        self.proxy = proxy
        self.kafka = Kafka(home, tied=True, advertised_port=proxy.listen, jars=jars)

    @property
    def straight(self) -> str:
        """Address for the test."""
        return self.kafka.server

    @property
    def through_proxy(self) -> str:
        """Address for whoever is tested."""
        return f"{HOST}:{self.proxy.listen}"

    def start(self) -> None:
        """In the main thread, to which the server is tied."""
        self.kafka.up()
        self.proxy.target = self.kafka.cut_port

    def restart(self) -> None:
        """kill -9 and a new start, on the same ports."""
        pid, ports = self.kafka.pid, (self.kafka.port, self.kafka.cut_port)
        assert pid
        assert stop(pid, signals=((signal.SIGKILL, STOP_SECONDS),))
        # What is left of its threads holds them for another moment.
        wait_until(lambda: all(map(is_free, ports)))
        self.start()
        assert (self.kafka.port, self.kafka.cut_port) == ports


@contextmanager
def own_streams(directory: Path, jars: Path) -> Iterator[Streams]:
    with Proxy() as proxy:
        streams = Streams(Home(directory / "home"), proxy, jars)
        streams.start()
        try:
            yield streams
        finally:
            streams.kafka.down()

"""The web server of a benchmark: gunicorn as in production, and a login at it."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
from django.contrib.auth import get_user_model
from django.test import Client

from benchmarks import databases
from benchmarks.clients import HOST, Connection, Session, drive
from benchmarks.profiling import profile
from localservers.home import CHECKOUT, Home
from localservers.postgres import free_port
from localservers.processes import Children, stop
from localservers.serve import gunicorn, web_settings
from tom_client import TomClient

WORKERS, THREADS = 2, 8
# Enough at once that every thread of every worker has opened its connection to the database.
WARMING_CLIENTS, WARMING_REQUESTS = 2 * WORKERS * THREADS, 20
SECONDS_TO_START = 60.0


class WebServerDied(Exception):
    """gunicorn ended, or did not start; the message is what it said."""


@dataclass(frozen=True)
class Web:
    """A running web server; ``pid`` is that of gunicorn's first process."""

    pid: int
    session: Session

    @property
    def port(self) -> int:
        """Where it listens, on loopback."""
        return self.session.port

    def latencies(self, requests_of_clients: list[list[bytes]]) -> list[float]:
        """Seconds of each request of all clients, which send theirs at once."""
        return drive(self.port, requests_of_clients).latencies

    def answer(self, request: bytes) -> bytes:
        """The body of one request's answer, on a connection of its own."""
        with closing(Connection(self.port)) as alone:
            return alone.answer(request)

    def warm(self, request: bytes) -> None:
        """Let every thread have answered, so that nobody measures how a connection is opened."""
        drive(self.port, [[request] * WARMING_REQUESTS] * WARMING_CLIENTS)

    def resident_bytes(self) -> int:
        """Resident memory of all workers."""
        workers = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return sum(_resident_bytes(int(worker)) for worker in workers)


@contextmanager
def web_server(database: str) -> Iterator[Web]:
    """gunicorn with two workers on the database, for the block."""
    home = Home.from_environment()
    children = Children(home.directory("children"))
    port = free_port()
    env = os.environ | {"DB_NAME": database} | web_settings(port, workers=WORKERS, threads=THREADS)
    log = home.directory("logs") / "web.log"
    with log.open("ab") as file:
        process = children.start(gunicorn(), log=file, env=env, cwd=CHECKOUT)
    try:
        deadline = time.monotonic() + SECONDS_TO_START
        while not _is_well(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise WebServerDied(log.read_text()[-2000:])
            time.sleep(0.05)
        yield Web(process.pid, log_in(port))
    finally:
        stop(process.pid)
        children.forget(process.pid)


def log_in(port: int) -> Session:
    """A session of the test account root."""
    client = TomClient(url=f"http://{HOST}:{port}", username="root", password="testing")
    return Session(port, {name: value for name, value in client.session.cookies.items() if value})


def profile_requests(database: str, path: str, bodies: Sequence[bytes], *, method: str = "POST") -> str:
    """Where the time goes when this process answers the requests itself, without server and sockets."""
    with databases.using(database):
        client = Client()
        client.force_login(get_user_model().objects.get(username="root"))

        def ask() -> None:
            for body in bodies:
                b"".join(client.generic(method, path, body, content_type="application/json"))

        ask()
        return f"{len(bodies)} requests: {profile(ask)}"


def _is_well(port: int) -> bool:
    try:
        return requests.get(f"http://{HOST}:{port}/healthz", timeout=5).status_code == 200
    except requests.RequestException:
        return False


def _resident_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))

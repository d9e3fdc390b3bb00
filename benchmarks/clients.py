"""Load clients: processes of their own that send prepared requests over kept connections.

They are as light as can be, since they share the processors with the server that is measured.
"""

import multiprocessing
import signal
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BufferedReader
from itertools import chain
from threading import BrokenBarrierError
from typing import Any, BinaryIO

HOST = "127.0.0.1"
SECONDS_TO_WAIT = 300.0
BUFFER_BYTES = 1 << 16


class UnexpectedAnswer(Exception):
    """The server answered with something else than success."""


@dataclass(frozen=True)
class Session:
    """A login at a server on this machine."""

    port: int
    cookies: dict[str, str]

    def request(self, method: str, path: str, body: bytes = b"") -> bytes:
        """The bytes to send, with the session and its CSRF token."""
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        lines = [
            f"{method} {path} HTTP/1.1",
            f"Host: localhost:{self.port}",
            f"Cookie: {cookies}",
            f"X-CSRFToken: {self.cookies['csrftoken']}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
        ]
        return "\r\n".join([*lines, "", ""]).encode() + body


class Connection:
    """A kept HTTP connection."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection((HOST, port), timeout=SECONDS_TO_WAIT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = BufferedReader(self.socket.makefile("rb", buffering=0), BUFFER_BYTES)

    def close(self) -> None:
        """Hang up."""
        self.file.close()
        self.socket.close()

    def answer(self, request: bytes) -> bytes:
        """Send a request; the body of its answer.

        Raises
        ------
        UnexpectedAnswer
            Where the status is not 2xx.
        """
        self.socket.sendall(request)
        status = self.file.readline()
        length, chunked = self._headers()
        body = b"".join(_chunks(self.file)) if chunked else self.file.read(length)
        if status[9:10] != b"2":
            raise UnexpectedAnswer(f"{status.decode().strip()}: {body[:500].decode(errors='replace')}")
        return body

    def _headers(self) -> tuple[int, bool]:
        """Length of the body, and whether it comes in chunks instead."""
        length, chunked = 0, False
        while line := self.file.readline().strip():
            name, _, value = line.lower().partition(b":")
            if name == b"content-length":
                length = int(value)
            elif name == b"transfer-encoding":
                chunked = value.strip() == b"chunked"
        return length, chunked


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    """The pieces of a chunked body."""
    while size := int(file.readline().split(b";")[0], 16):
        yield file.read(size)
        file.readline()
    file.readline()


@dataclass(frozen=True)
class Load:
    """What clients saw.

    Attributes
    ----------
    latencies
        Seconds of every request, of all clients.
    elapsed
        Seconds from the common start to the last answer.
    """

    latencies: list[float]
    elapsed: float


def drive(port: int, requests: Sequence[Sequence[bytes]]) -> Load:
    """Send each client's requests one after the other, all clients at once.

    Parameters
    ----------
    requests
        One sequence for each client.
    """
    context = multiprocessing.get_context("fork")
    start = context.Barrier(len(requests))
    outcomes = context.SimpleQueue()
    clients = [
        context.Process(target=_client, args=(port, own, start, outcomes), daemon=True) for own in requests
    ]
    for client in clients:
        client.start()
    seen = [outcomes.get() for _ in clients]
    for client in clients:
        client.join()
    if failures := [outcome for outcome in seen if isinstance(outcome, str)]:
        raise UnexpectedAnswer(failures[0])
    began, ended = min(one[0] for one in seen), max(one[1] for one in seen)
    return Load(latencies=list(chain.from_iterable(one[2] for one in seen)), elapsed=ended - began)


def _client(port: int, requests: Sequence[bytes], start: Any, outcomes: Any) -> None:
    """One client: (start, end, latencies) into the queue, or what went wrong."""
    # Who interrupts means the parent, which takes us with it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        connection = Connection(port)
        start.wait(SECONDS_TO_WAIT)
        began = time.perf_counter()
        latencies = [_timed(connection, request) for request in requests]
        outcomes.put((began, time.perf_counter(), latencies))
    except (OSError, UnexpectedAnswer, BrokenBarrierError) as error:
        start.abort()
        outcomes.put(f"{type(error).__name__}: {error}")


def _timed(connection: Connection, request: bytes) -> float:
    start = time.perf_counter()
    connection.answer(request)
    return time.perf_counter() - start

"""The wire that tests cut."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.crashes.proxy import HOST, Proxy

QUIET_SECONDS = 0.3


class Echo:
    """A server that says back what it hears."""

    def __init__(self) -> None:
        self.listener = socket.create_server((HOST, 0))
        self.port: int = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.answer, args=(connection,), daemon=True).start()

    def answer(self, connection: socket.socket) -> None:
        with connection:
            try:
                while heard := connection.recv(1 << 16):
                    connection.sendall(heard)
            except ConnectionError:
                return


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.stop()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[Proxy]:
    with Proxy(echo.port) as proxy:
        yield proxy


def connect(proxy: Proxy) -> socket.socket:
    return socket.create_connection((HOST, proxy.listen), timeout=30)


def said_back(client: socket.socket, size: int) -> bytes:
    heard = b""
    while len(heard) < size and (more := client.recv(1 << 16)):
        heard += more
    return heard


def is_dead(client: socket.socket) -> bool:
    """Whether the other side has ended the connection; waits until it does."""
    try:
        client.sendall(b"x")
        return client.recv(1) == b""
    except ConnectionError:
        return True


def refuses(proxy: Proxy) -> bool:
    """Whether a new connection ends, be it while it is made."""
    try:
        with connect(proxy) as client:
            return is_dead(client)
    except ConnectionError:
        return True


def test_bytes_pass_both_ways_unchanged(proxy):
    message = bytes(range(256)) * 4000
    with connect(proxy) as client:
        threading.Thread(target=client.sendall, args=(message,)).start()
        assert said_back(client, len(message)) == message


def test_the_end_of_one_side_reaches_the_other(proxy):
    with connect(proxy) as client:
        client.sendall(b"last words")
        client.shutdown(socket.SHUT_WR)
        assert said_back(client, 11) == b"last words"


def test_a_cut_ends_connections_and_refuses_new_ones_until_it_is_mended(proxy):
    with connect(proxy) as before:
        before.sendall(b"1")
        assert before.recv(1) == b"1"
        proxy.cut()
        assert is_dead(before)
    assert refuses(proxy)
    proxy.mend()
    with connect(proxy) as after:
        after.sendall(b"2")
        assert after.recv(1) == b"2"


def test_what_is_held_arrives_once_the_wire_is_mended(proxy):
    with connect(proxy) as client:
        client.sendall(b"1")
        assert client.recv(1) == b"1"
        proxy.hold()
        client.sendall(b"2")
        with connect(proxy) as new:
            new.sendall(b"3")
            for waiting in (client, new):
                waiting.settimeout(QUIET_SECONDS)
                with pytest.raises(TimeoutError):
                    waiting.recv(1)
                waiting.settimeout(30)
            proxy.mend()
            assert (client.recv(1), new.recv(1)) == (b"2", b"3")


def test_a_cut_ends_what_is_held(proxy):
    with connect(proxy) as client:
        client.sendall(b"1")
        assert client.recv(1) == b"1"
        proxy.hold()
        client.sendall(b"2")
        proxy.cut()
        assert is_dead(client)


def test_the_target_may_be_known_later_and_change(echo):
    with Proxy() as proxy:
        assert refuses(proxy)
        proxy.target = echo.port
        with connect(proxy) as client:
            client.sendall(b"1")
            assert client.recv(1) == b"1"


def test_a_target_that_is_down_ends_the_connection(echo):
    echo.stop()
    with Proxy(echo.port) as proxy:
        assert refuses(proxy)


def test_its_port_is_free_afterwards(echo):
    with Proxy(echo.port) as proxy, connect(proxy) as client:
        client.sendall(b"1")
        assert client.recv(1) == b"1"
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)
    with Proxy(echo.port, listen=proxy.listen) as again, connect(again) as client:
        client.sendall(b"1")
        assert client.recv(1) == b"1"

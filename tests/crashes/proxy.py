"""A wire that tests can cut: a loopback TCP proxy."""

import contextlib
import socket
import struct
import threading
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"
CHUNK = 1 << 16
# Closing a socket with this option sends a reset instead of the orderly end.
RESET = struct.pack("ii", 1, 0)


class Proxy:
    """Passes on what comes to ``listen`` to ``target`` and back, until it is cut.

    Attributes
    ----------
    listen : int
        Port on which it listens, free for nobody else while the proxy is there; chosen by the kernel where 0
        is asked for.
    target : int | None
        Port to which new connections lead; may be set later, when the server that has to know ``listen``
        runs.
    """

    def __init__(self, target: int | None = None, *, listen: int = 0) -> None:
        self.target = target
        self._whole = threading.Event()
        self._flowing = threading.Event()
        self.mend()
        self._changing = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._listener = socket.create_server((HOST, listen))
        self.listen: int = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def cut(self) -> None:
        """Reset every connection now, and each new one as soon as it is made."""
        with self._changing:
            self._whole.clear()
            for connection in self._connections:
                reset(connection)
        # What was held goes nowhere now.
        self._flowing.set()

    def hold(self) -> None:
        """Keep connections open, and take new ones, but pass nothing on: a network that loses all packets."""
        self._flowing.clear()

    def mend(self) -> None:
        """Let new connections pass, and what was held."""
        self._whole.set()
        self._flowing.set()

    def close(self) -> None:
        """Cut, and free the port."""
        self.cut()
        # Wakes the thread that waits in accept(2), which close(2) alone does not.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._flowing.wait()
            if not self._whole.is_set() or self.target is None:
                reset(client)
                return
            with socket.create_connection((HOST, self.target)) as server:
                server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._join(client, server)

    def _join(self, client: socket.socket, server: socket.socket) -> None:
        """Pass on bytes both ways until both sides have ended."""
        with self._changing:
            if not self._whole.is_set():
                reset(client)
                return
            self._connections |= {client, server}
        back = threading.Thread(target=self._pass_on, args=(server, client), daemon=True)
        back.start()
        self._pass_on(client, server)
        back.join()
        with self._changing:
            self._connections -= {client, server}

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        """Until the source ends, then end the sink; a reset of either ends both."""
        try:
            while data := source.recv(CHUNK):
                self._flowing.wait()
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            for end in (source, sink):
                reset(end)


def reset(connection: socket.socket) -> None:
    """End the connection with a reset where it is still open; the descriptor stays with its owner."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        connection.shutdown(socket.SHUT_RDWR)

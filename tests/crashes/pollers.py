"""Pollers of one consumer group, as processes that get killed."""

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from tests.localtom import LocalTom

STOP_SECONDS = 60.0


class Poller:
    """A supervisor and its child."""

    def __init__(self, tom: LocalTom, server: str, pattern: str) -> None:
        self.tom = tom
        self.arguments = ("--do-test", "--test-server", server, "--test-topic", pattern, "-g", "chatter")
        self.started: list[subprocess.Popen[bytes]] = []
        self.start()

    def start(self) -> None:
        self.process = self.tom.start("brokerpoll2", *self.arguments)
        self.started.append(self.process)

    def children(self) -> list[int]:
        """The processes that poll; not Python's own, which looks after what processes share."""
        return [pid for pid in children(self.process.pid) if "spawn_main" in command_line(pid)]

    def kill_supervisor(self) -> None:
        """Its child has to notice by itself."""
        self.process.kill()
        self.process.wait()

    def kill_child(self) -> None:
        for pid in self.children():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def kill(self) -> None:
        """Supervisor and child at once."""
        self.signal(signal.SIGKILL)
        self.process.wait()

    def signal(self, number: signal.Signals) -> None:
        os.killpg(self.process.pid, number)

    def stop(self) -> None:
        """In order, as an operator does."""
        self.process.terminate()
        # Before it can heed the signal, it ends at once.
        assert self.process.wait(STOP_SECONDS) in (0, -signal.SIGTERM)

    def is_running(self) -> bool:
        return self.process.poll() is None

    def clean(self) -> None:
        """Leave nothing behind, whatever became of the test."""
        for process in self.started:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def children(pid: int) -> list[int]:
    """The processes that it started; none where it has ended."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except FileNotFoundError:
        return ""

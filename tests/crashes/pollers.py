"""Pollers of one consumer group, as processes that get killed."""

import os
import signal
from contextlib import suppress
from pathlib import Path

from localservers.processes import birth, command_line
from tests.localtom import LocalTom

STOP_SECONDS = 60.0


class Poller:
    """A supervisor and its child."""

    def __init__(self, tom: LocalTom, server: str, pattern: str) -> None:
        self.tom = tom
        self.arguments = ("--do-test", "--test-server", server, "--test-topic", pattern, "-g", "chatter")
        # Children whose supervisor was killed, and when they were born: ids go to others in time.
        self.orphans: dict[int, str] = {}
        self.start()

    def start(self) -> None:
        self.process = self.tom.start("brokerpoll2", *self.arguments)

    def children(self) -> list[int]:
        """The processes that poll; not Python's own, which looks after what processes share."""
        started = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [pid for pid in map(int, started) if "spawn_main" in command_line(pid)]

    def kill_supervisor(self) -> None:
        """Its child has to notice by itself."""
        self.orphans |= {pid: birth(pid) for pid in self.children()}
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
        if self.is_running():
            self.kill()
        for pid, born in self.orphans.items():
            if birth(pid) == born:
                os.kill(pid, signal.SIGKILL)

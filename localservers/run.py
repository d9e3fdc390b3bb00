"""One run of the demo: its server, the commands it starts and what they say."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from localservers import LocalServerError
from localservers.environment import full_environment
from localservers.home import CHECKOUT, Home
from localservers.postgres import Postgres
from localservers.processes import Children, tied
from localservers.progress import Progress

DATABASE = "tom_demo"


@dataclass
class Command:
    """A child of the demo and what it says."""

    process: subprocess.Popen[bytes]
    log: Path

    def tail(self, lines: int = 20) -> str:
        """The end of what it said, and where the rest is."""
        said = self.log.read_text(errors="replace").splitlines()[-lines:]
        return "\n".join([*said, f"(all of it: {self.log})"])


@dataclass
class Demo:
    """One run: the server it uses, its children and its words."""

    server: Postgres
    children: Children
    progress: Progress = field(default_factory=Progress)

    @property
    def home(self) -> Home:
        """Where the run keeps its things."""
        return self.server.home

    def start(self, name: str, argv: list[str], **environment: str) -> Command:
        """Start a child in the demo's database."""
        log = self.home.directory("logs") / f"demo-{name}.log"
        env = full_environment(self.server, database=DATABASE) | {"PYTHONUNBUFFERED": "1"} | environment
        with log.open("wb") as file:
            return Command(self.children.start(tied(argv), log=file, env=env, cwd=CHECKOUT), log)

    def manage(self, command: str, *arguments: str) -> Command:
        """Start a command of manage.py."""
        return self.start(command, [sys.executable, str(CHECKOUT / "manage.py"), command, *arguments])

    def wait(self, name: str, command: Command) -> int:
        """Wait for a command under its step's line; its exit code."""
        with self.progress.step(name):
            return self._ended(command, lambda: self.progress.tick(last_line(command.log)))

    def finish(self, name: str, command: Command) -> None:
        """Wait for a command that must do its work.

        Raises
        ------
        LocalServerError
            With the end of its words where it failed.
        """
        if self.wait(name, command) != 0:
            raise LocalServerError(f"{name}: failed.\n{command.tail()}")

    def run(self, name: str, command: str, *arguments: str) -> None:
        """Start a command of manage.py and wait for it."""
        self.finish(name, self.manage(command, *arguments))

    def run_silently(self, command: str, *arguments: str) -> None:
        """The same without a line of its own.

        Raises
        ------
        LocalServerError
            With the command's last word where it failed.
        """
        running = self.manage(command, *arguments)
        if self._ended(running) != 0:
            raise LocalServerError(f"{command}: {last_line(running.log)} (all of it: {running.log})")

    def _ended(self, command: Command, meanwhile: Callable[[], None] = lambda: None) -> int:
        while command.process.poll() is None:
            meanwhile()
            time.sleep(0.05)
        self.children.forget(command.process.pid)
        return command.process.returncode

    def query(self, sql: str) -> str:
        """One value from the demo's database."""
        return self.server.query(sql, database=DATABASE)


def last_line(log: Path) -> str:
    """What the running command last said; a carriage return begins a line, too."""
    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 500))
        said = file.read().decode(errors="replace").replace("\r", "\n").split("\n")
    return next((line.strip() for line in reversed(said) if line.strip()), "")

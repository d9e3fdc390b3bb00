"""Telling a person what goes on: one line a step, with the seconds it took."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO

# Where the output is no terminal, a long step's line grows after this time and whenever it has doubled.
QUIET_SECONDS = 10.0
MOVE_SECONDS = 0.2


@dataclass
class Progress:
    """A line a step: one that moves on a terminal, one that grows elsewhere."""

    stream: TextIO = field(default_factory=lambda: sys.stdout)
    _name: str = ""
    _began: float = 0.0
    _due: float = 0.0

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Show the step while it runs and its seconds when it is over."""
        self._name, self._began = name, time.monotonic()
        self._due = MOVE_SECONDS if self.stream.isatty() else QUIET_SECONDS
        self._begin()
        outcome = "not finished: "
        try:
            yield
            outcome = ""
        finally:
            self._show(f"{outcome}{self._seconds:.1f} s", end="\n")

    def tick(self, detail: str = "") -> None:
        """The step still runs; ``detail`` is what it last said."""
        seconds = self._seconds
        if seconds >= self._due:
            self._due = seconds + MOVE_SECONDS if self.stream.isatty() else 2 * seconds
            self._show(f"{seconds:.0f} s {detail}".rstrip(), end="")

    def say(self, text: str = "") -> None:
        """A line of its own."""
        self.stream.write(text + "\n")
        self.stream.flush()

    @property
    def _seconds(self) -> float:
        return time.monotonic() - self._began

    def _begin(self) -> None:
        self.stream.write(f"  {self._name:<44}")
        self.stream.flush()

    def _show(self, outcome: str, *, end: str) -> None:
        """On a terminal in place of what was shown last, elsewhere after it."""
        if self.stream.isatty():
            line = f"  {self._name:<44} {outcome}"
            self.stream.write(f"\r\x1b[K{line[:110]}{end}")
        else:
            self.stream.write(f" {outcome}{end or ' ...'}")
        self.stream.flush()

"""Telling the person at the terminal what goes on: one line a step, with the seconds it took."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO

# Where the output is no terminal, a long step says that often that it lives.
QUIET_SECONDS = 10.0


@dataclass
class Progress:
    """A line that moves on a terminal, plain lines elsewhere."""

    stream: TextIO = field(default_factory=lambda: sys.stdout)
    _name: str = ""
    _began: float = 0.0
    _said: float = 0.0

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Show the step while it runs and its seconds when it is done."""
        self._name, self._began = name, time.monotonic()
        self._said = self._began
        if self.stream.isatty():
            self._show("...", done=False)
        yield
        self._show(f"{self._seconds:.1f} s", done=True)

    def tick(self, detail: str = "") -> None:
        """The step still runs; ``detail`` is what it last said."""
        now = time.monotonic()
        if now - self._said >= (0.2 if self.stream.isatty() else QUIET_SECONDS):
            self._said = now
            self._show(f"{self._seconds:.0f} s  {detail}", done=False)

    def say(self, text: str = "") -> None:
        """A line of its own."""
        self.stream.write(text + "\n")
        self.stream.flush()

    @property
    def _seconds(self) -> float:
        return time.monotonic() - self._began

    def _show(self, outcome: str, *, done: bool) -> None:
        line = f"  {self._name:<44} {outcome}"
        if self.stream.isatty():
            self.stream.write(f"\r\x1b[K{line[:110]}" + ("\n" if done else ""))
        else:
            self.stream.write(line.rstrip() + "\n")
        self.stream.flush()

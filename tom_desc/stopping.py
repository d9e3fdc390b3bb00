"""SIGTERM lets a command finish the unit it has in hand."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# What a shell sees of a command that SIGTERM ended.
TERMINATED = 128 + signal.SIGTERM


@contextmanager
def sigterm_asks() -> Iterator[Callable[[], bool]]:
    """Within it SIGTERM ends nothing; what is yielded says whether it came."""
    came: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: came.append(number))
    try:
        yield lambda: bool(came)
    finally:
        signal.signal(signal.SIGTERM, before)

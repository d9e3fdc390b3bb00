"""Where the time goes: the database's statements and Python's functions that take most."""

import cProfile
import pstats
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.db import connection

LINES = 8
WIDTH = 90
# In the name of a function that waits for the database.
DATABASE_CALLS = "psycopg2"


class Statements:
    """Seconds and calls of each statement that Django sends; COPY goes another way."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()

    def __call__(self, execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        start = time.perf_counter()
        try:
            return execute(sql, *rest)
        finally:
            name = " ".join(sql.split())[:WIDTH]
            self.seconds[name] += time.perf_counter() - start  # type: ignore[assignment]
            self.calls[name] += 1

    def lines(self) -> list[str]:
        """The slowest."""
        return [
            f"{seconds * 1e3:9.2f} ms  {self.calls[name]} x {name}"
            for name, seconds in self.seconds.most_common(LINES)
        ]


def profile(work: Callable[[], object]) -> str:
    """Where the time of one call goes, statements first."""
    profiler, statements = cProfile.Profile(), Statements()
    with connection.execute_wrapper(statements):
        profiler.runcall(work)
    times = sorted(own_times(pstats.Stats(profiler)), reverse=True)
    total = sum(own for own, _ in times)
    database = sum(own for own, name in times if DATABASE_CALLS in name)
    share = f"{database / total:.0%} of {total * 1e3:.2f} ms is the database's, the rest Python's"
    slowest = [f"{own * 1e3:9.2f} ms  {name}" for own, name in times[:LINES]]
    return "\n".join([share, *statements.lines(), *slowest])


def own_times(stats: pstats.Stats) -> list[tuple[float, str]]:
    """Seconds in each function itself, and where that is."""
    entries: dict[tuple[str, int, str], tuple[Any, ...]] = stats.stats  # type: ignore[attr-defined]
    return [
        (timing[2], f"{'/'.join(Path(file).parts[-2:])}:{line} {function}" if line else function)
        for (file, line, function), timing in entries.items()
    ]

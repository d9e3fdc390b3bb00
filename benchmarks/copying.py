"""Rows made ready beforehand: what is left of writing them is PostgreSQL's own work."""

import multiprocessing
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from benchmarks import databases
from tom_desc.bulkcopy import END, READ_AT_ONCE, SIGNATURE, Column, column_types, encode, row_count


class CopyFailed(Exception):
    """A process that copied rows died."""


@dataclass(frozen=True)
class Rows:
    """Rows of one table in binary COPY form."""

    statement: str
    data: bytes
    count: int

    def copy(self, cursor: Any) -> None:
        """Into their table."""
        cursor.copy_expert(self.statement, BytesIO(self.data), READ_AT_ONCE)


def copy_form(cursor: Any, table: str, columns: Mapping[str, Column]) -> Rows:
    """The columns as :func:`tom_desc.bulkcopy.copy_in` would send them."""
    rows = row_count(columns)
    names = ", ".join(f'"{name}"' for name in columns)
    data = SIGNATURE + encode(columns, column_types(cursor, table), rows) + END
    return Rows(f"COPY {table} ({names}) FROM STDIN (FORMAT binary)", data, rows)


def copy_at_once(database: str, transactions: Sequence[Sequence[Rows]], *, connections: int) -> None:
    """Copy everything, each process taking the next transaction until none is left.

    Raises
    ------
    CopyFailed
        Where not all was copied.
    """
    context = multiprocessing.get_context("fork")
    taken = context.Value("i", 0)
    arguments = (database, transactions, taken)
    processes = [context.Process(target=_copy_until_done, args=arguments) for _ in range(connections)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise CopyFailed(f"copying into {database}")


def _copy_until_done(database: str, transactions: Sequence[Sequence[Rows]], taken: Any) -> None:
    with closing(databases.connect(database)) as plain:
        with plain.cursor() as cursor:
            # As a load says, so that triggers do as little.
            cursor.execute("SET elasticc2.nothing_is_kept = 'on'")
        plain.autocommit = False
        while (turn := _next(taken)) < len(transactions):
            with plain, plain.cursor() as cursor:
                for rows in transactions[turn]:
                    rows.copy(cursor)


def _next(taken: Any) -> int:
    with taken.get_lock():
        taken.value += 1
        return int(taken.value) - 1

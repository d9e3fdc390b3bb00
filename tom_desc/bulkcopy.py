"""The bulk writer and reader: columns to PostgreSQL's binary COPY and back, no Python per row.

Format: PostgreSQL manual, "COPY", Binary Format. A column is a numpy array (a masked array has NULLs), a
list of str (bytea: of bytes) or None, a :class:`Lists` for an array column, or None for a column of NULLs.
"""

import io
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tom_desc import rowbytes
from tom_desc.rowbytes import (
    Cells,
    Runs,
    constant,
    join,
    lengths_of,
    of_bytes,
    of_numbers,
    of_strings,
    total_lengths,
)

SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
END = b"\xff\xff"
LENGTH = struct.Struct(">i")
# A row begins with the number of its fields.
COUNT_BYTES = 2
NULL = np.frombuffer(b"\xff\xff\xff\xff", np.uint8)
POSTGRES_EPOCH_US = 946_684_800_000_000
# What is encoded at a time, rows and values of lists: bounds memory at some 10 MB a piece.
ROWS_AT_ONCE = 50_000
VALUES_AT_ONCE = 500_000
# Bytes that are handed to psycopg2 at a time.
READ_AT_ONCE = 100_000

NUMBERS = {
    "bigint": ">i8",
    "integer": ">i4",
    "smallint": ">i2",
    "double precision": ">f8",
    "real": ">f4",
    "boolean": "u1",
}
# Element type: oid (pg_type.dat) and byte form.
ELEMENTS = {"smallint[]": (21, ">i2"), "real[]": (700, ">f4"), "bigint[]": (20, ">i8")}


@dataclass(frozen=True)
class Lists:
    """Values of an array column: those of all rows in one array, and how many belong to each row."""

    values: NDArray[Any]
    counts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.counts)

    def __getitem__(self, rows: slice) -> "Lists":
        ends = np.cumsum(self.counts)
        start, stop, _ = rows.indices(len(self))
        first = int(ends[start - 1]) if start else 0
        last = int(ends[stop - 1]) if stop else 0
        return Lists(self.values[first:last], self.counts[start:stop])

    def take(self, rows: NDArray[np.int64]) -> "Lists":
        """The lists of some rows, in any order."""
        data = np.ascontiguousarray(self.values).view(np.uint8)
        taken = Runs(data, self.counts * self.values.itemsize).take(rows)
        return Lists(taken.data.view(self.values.dtype), self.counts[rows])

    @classmethod
    def joined(cls, parts: Sequence["Lists"]) -> "Lists":
        """The rows of several, of at least one."""
        return cls(
            np.concatenate([part.values for part in parts]), np.concatenate([part.counts for part in parts])
        )


Buffer = bytes | memoryview
Column = NDArray[Any] | Lists | Sequence[str | None] | Sequence[bytes | None] | None
_types: dict[tuple[str, str], dict[str, str]] = {}


def column_types(cursor: Any, table: str) -> dict[str, str]:
    """SQL type of each column of a table, remembered for the life of the process."""
    key = (cursor.connection.dsn, table)
    if key not in _types:
        cursor.execute(
            "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute"
            " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
            (table,),
        )
        _types[key] = dict(cursor.fetchall())
    return _types[key]


def copy_in(cursor: Any, table: str, columns: Mapping[str, Column], *, like: str | None = None) -> int:
    """COPY columns into a table; fails as a whole where a row is there already.

    Parameters
    ----------
    like
        Table whose column types to use; ``table`` by default.

    Returns
    -------
    int
        Rows copied.
    """
    types = column_types(cursor, like or table)
    names = ", ".join(f'"{name}"' for name in columns)
    rows = row_count(columns)
    stream = Stream(encoded(columns, types, rows))
    # Django translates the errors of its own calls only.
    with cursor.db.wrap_database_errors:
        cursor.copy_expert(f"COPY {table} ({names}) FROM STDIN (FORMAT binary)", stream, READ_AT_ONCE)
    return rows


class Stream:
    """A file to be read, of pieces that are made when they are needed; the first is made at once."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self.pieces = pieces
        self.rest = memoryview(next(pieces))

    def read(self, size: int) -> bytes:
        """The next bytes, empty at the end."""
        while not self.rest and (piece := next(self.pieces, None)) is not None:
            self.rest = memoryview(piece)
        data, self.rest = self.rest[:size], self.rest[size:]
        return bytes(data)


def encoded(columns: Mapping[str, Column], types: Mapping[str, str], rows: int) -> Iterator[bytes]:
    """The rows in binary COPY form, some at a time."""
    starts = cuts(columns, rows)
    for start, stop in zip(starts, [*starts[1:], rows], strict=True):
        some = {name: part(column, start, stop) for name, column in columns.items()}
        yield (b"" if start else SIGNATURE) + encode(some, types, stop - start)
    yield END


def cuts(columns: Mapping[str, Column], rows: int) -> list[int]:
    """The rows at which pieces begin, so that each has few rows and short lists, or little beside a long one.

    No rows are one piece.
    """
    values = np.zeros(rows, np.int64)
    for column in columns.values():
        if isinstance(column, Lists):
            values += column.counts
    pieces = np.cumsum(values) // VALUES_AT_ONCE + np.arange(rows) // ROWS_AT_ONCE
    return [0, *(np.flatnonzero(np.diff(pieces)) + 1).tolist()]


def stage(cursor: Any, table: str, columns: Mapping[str, Column]) -> str:
    """COPY columns into a temporary table of the same shape, emptied at commit; returns its name.

    The temporary table lives as long as the connection, so that a small batch pays for no catalogue change.
    """
    staging = f"staging_{table}"
    cursor.execute("SELECT to_regclass(%s)", (f"pg_temp.{staging}",))
    if cursor.fetchone()[0] is None:
        cursor.execute(f"CREATE TEMPORARY TABLE {staging} (LIKE {table}) ON COMMIT DELETE ROWS")
        # A batch has only some of the columns; what is left out gets the real table's default.
        cursor.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND attnotnull",
            (f"pg_temp.{staging}",),
        )
        for (name,) in cursor.fetchall():
            cursor.execute(f'ALTER TABLE {staging} ALTER COLUMN "{name}" DROP NOT NULL')
    copy_in(cursor, f"pg_temp.{staging}", columns, like=table)
    return staging


def insert_new(cursor: Any, table: str, columns: Mapping[str, Column]) -> int:
    """Insert the rows that are not there yet; returns how many were not. Needs a transaction."""
    if not row_count(columns):
        return 0
    staging = stage(cursor, table, columns)
    names = ", ".join(f'"{name}"' for name in columns)
    cursor.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM {staging} ON CONFLICT DO NOTHING")
    inserted: int = cursor.rowcount
    # The next batch of the same transaction starts empty.
    cursor.execute(f"TRUNCATE {staging}")
    return inserted


def as_values(cursor: Any, table: str, columns: Mapping[str, Column]) -> str:
    """The columns as a subquery of literals: of a few rows, a staging table would cost more."""
    types = column_types(cursor, table)
    rows = list(zip(*(python_values(column, row_count(columns)) for column in columns.values()), strict=True))
    literals = ", ".join(["%s"] * len(rows))
    names = ", ".join(f'"{name}"' for name in columns)
    typed = ", ".join(f'"{name}"::{types[name]}' for name in columns)
    values = cursor.mogrify(f"(VALUES {literals}) AS literals ({names})", rows).decode()
    return f"(SELECT {typed} FROM {values})"


def python_values(column: Any, rows: int) -> list[Any]:
    """A column as psycopg2 takes it."""
    if column is None:
        return [None] * rows
    if isinstance(column, Lists):
        return [values.tolist() for values in np.split(column.values, np.cumsum(column.counts)[:-1])]
    if not isinstance(column, np.ndarray):
        return list(column)
    if column.dtype.kind == "S":
        return [text.decode() for text in column.tolist()]
    if column.dtype.kind == "M":
        return [moment and moment.replace(tzinfo=UTC) for moment in column.astype("M8[us]").tolist()]
    return list(column.tolist())


def row_count(columns: Mapping[str, Column]) -> int:
    """How many rows the columns hold; they must agree."""
    counts = {len(column) for column in columns.values() if column is not None}
    if len(counts) != 1:
        raise ValueError(f"columns of {sorted(counts)} rows cannot be one table")
    return counts.pop()


def part(column: Column, start: int, stop: int) -> Column:
    return None if column is None else column[start:stop]


def encode(columns: Mapping[str, Column], types: Mapping[str, str], rows: int) -> bytes:
    """The rows in binary COPY form, without signature and end."""
    fields: list[rowbytes.Column] = [constant(len(columns).to_bytes(2, "big"), rows)]
    for name, column in columns.items():
        fields += encode_column(column, types[name], rows)
    return join(fields).buffer


def encode_column(column: Column, kind: str, rows: int) -> list[rowbytes.Column]:
    """A column's fields, each with its four bytes of length; NULL is a length of -1 and nothing else."""
    if column is None:
        return [constant(NULL.tobytes(), rows)]
    nulls, values = split_nulls(column)
    fields = encode_values(values, kind)
    if nulls is None:
        return [of_numbers(total_lengths(fields), ">i4"), *fields]
    kept = [emptied(field, nulls) for field in fields]
    return [of_numbers(np.where(nulls, -1, total_lengths(kept)), ">i4"), *kept]


def emptied(field: rowbytes.Column, rows: NDArray[np.bool_]) -> rowbytes.Column:
    """A column without the bytes of some rows; fields end to end have none for a NULL."""
    return Cells(field.data, np.where(rows, 0, lengths_of(field))) if isinstance(field, Cells) else field


def split_nulls(column: Any) -> tuple[NDArray[np.bool_] | None, Any]:
    """Which rows are NULL (None: no row), and the column without NULLs."""
    if isinstance(column, np.ma.MaskedArray):
        mask = np.ma.getmaskarray(column)
        return (mask if mask.any() else None), column.filled(column.dtype.type(0))
    if isinstance(column, np.ndarray) and column.dtype.kind == "M":
        mask = np.isnat(column)
        return (mask if mask.any() else None), column
    if isinstance(column, (np.ndarray, Lists)):
        return None, column
    mask = np.array([value is None for value in column], bool)
    return (mask if mask.any() else None), [as_bytes(value) for value in column]


def as_bytes(value: str | bytes | None) -> bytes:
    """What a text or bytea column has in a row, nothing for a NULL."""
    return value if isinstance(value, bytes) else (value or "").encode()


def encode_values(values: Any, kind: str) -> list[rowbytes.Column]:
    """A column's values without lengths, in parts.

    Raises
    ------
    ValueError
        For a type of column that nothing bulky is written to.
    """
    if kind in NUMBERS:
        return [of_numbers(values, NUMBERS[kind])]
    if kind == "timestamp with time zone":
        return [of_numbers(values.astype("M8[us]").astype(np.int64) - POSTGRES_EPOCH_US, ">i8")]
    if kind in ("text", "character varying", "bytea"):
        return [of_strings(values) if isinstance(values, np.ndarray) else of_bytes(values)]
    if kind in ELEMENTS:
        return encode_lists(values, *ELEMENTS[kind])
    raise ValueError(f"no binary form for columns of type {kind}")


def encode_lists(lists: Lists, element_oid: int, dtype: str) -> list[rowbytes.Column]:
    """One-dimensional arrays without NULLs; an empty array has no dimension at all."""
    counts, rows = lists.counts, len(lists)
    header = np.zeros((rows, 5), ">i4")
    header[:, 0] = counts > 0
    header[:, 2] = element_oid
    header[:, 3] = counts
    header[:, 4] = 1
    elements = np.empty(len(lists.values), [("length", ">i4"), ("value", dtype)])
    elements["length"] = np.dtype(dtype).itemsize
    elements["value"] = lists.values
    size = elements.itemsize
    return [
        Cells(header.view(np.uint8).reshape(rows, 20), np.where(counts > 0, 20, 12)),
        Runs(elements.view(np.uint8), counts * size),
    ]


def read(cursor: Any, query: str, dtype: Sequence[tuple[str, str]]) -> NDArray[Any]:
    """The rows of a query as a structured array.

    Parameters
    ----------
    query
        SQL without parameters; its columns are of fixed width and never NULL. A band is read as
        ``filtername::"char"``.
    dtype
        Name and native numpy type of each column: ``[("mjd", "f8"), ("band", "S1")]``.
    """
    return decode(copy_out(cursor, query), dtype)


def as_bigints(numbers: Iterable[int]) -> str:
    """Numbers as a parameter that SQL casts to ``bigint[]``: as a list they cost everybody much more."""
    return f"{{{','.join(map(str, numbers))}}}"


def copy_out(cursor: Any, query: str) -> memoryview:
    """The rows of a query without parameters, in binary COPY form."""
    stream = io.BytesIO()
    with cursor.db.wrap_database_errors:
        cursor.copy_expert(f"COPY ({query}) TO STDOUT (FORMAT binary)", stream)
    return stream.getbuffer()


def read_fields(cursor: Any, query: str, *, columns: int) -> list[list[bytes | None]]:
    """The bytes of each field of a query, by column: for columns whose values differ in width.

    Parameters
    ----------
    query
        SQL without parameters.
    columns
        How many columns it has.
    """
    # Pieces of bytes cost half as much as those of a view.
    data = copy_out(cursor, query).tobytes()
    fields: list[bytes | None] = []
    at, end = len(SIGNATURE), len(data) - len(END)
    while at < end:
        at += COUNT_BYTES
        for _ in range(columns):
            (length,) = LENGTH.unpack_from(data, at)
            at += LENGTH.size
            if length < 0:
                fields.append(None)
            else:
                fields.append(data[at : at + length])
                at += length
    return [fields[column::columns] for column in range(columns)]


def decode(data: memoryview, dtype: Sequence[tuple[str, str]]) -> NDArray[Any]:
    """Binary COPY bytes as a structured array; ValueError where a field is NULL or of another width."""
    wire = [("fields", ">i2")]
    for name, kind in dtype:
        wire += [(f"{name} length", ">i4"), (name, np.dtype(kind).newbyteorder(">").str)]
    body = data[len(SIGNATURE) : len(data) - len(END)]
    wire_type = np.dtype(wire)
    if len(body) % wire_type.itemsize:
        raise ValueError("a field is NULL or of another width than its dtype")
    rows = np.frombuffer(body, wire_type)
    result = np.empty(len(rows), list(dtype))
    for name, _kind in dtype:
        if not (rows[f"{name} length"] == result.dtype[name].itemsize).all():
            raise ValueError(f"column {name} has NULLs or another width than its dtype")
        result[name] = rows[name]
    return result

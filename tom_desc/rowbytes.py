"""Rows as bytes. PostgreSQL's binary COPY and Avro are alike: a row is its fields laid end to end.

A column of fields is a matrix of bytes, one line a row, with the number of bytes that count in each line,
or the fields end to end. Fields of the same length move to their places together, without a Python loop
over rows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

Bytes = NDArray[np.uint8]
Lengths = NDArray[np.int64]


@dataclass(frozen=True)
class Cells:
    """A column of encoded fields.

    Attributes
    ----------
    data : uint8 array, shape (rows, width)
    lengths : int array, shape (rows,), or None
        How many bytes of each line count, from the left; None: all of them.
    """

    data: Bytes
    lengths: Lengths | None = None

    def __len__(self) -> int:
        return len(self.data)


@dataclass(frozen=True)
class Runs:
    """A column of encoded fields that lie end to end: memory follows what there is, not the longest.

    Attributes
    ----------
    data : uint8 array, contiguous
    lengths : int array, shape (rows,)
        How many bytes of the data are each row's.
    """

    data: Bytes
    lengths: Lengths

    def __len__(self) -> int:
        return len(self.lengths)

    @cached_property
    def starts(self) -> Lengths:
        """Where each row begins."""
        return np.cumsum(self.lengths) - self.lengths

    def take(self, rows: Lengths) -> "Runs":
        """Some rows, in any order."""
        lengths = self.lengths[rows]
        data = np.empty(lengths.sum(), np.uint8)
        starts = np.cumsum(lengths) - lengths
        for length, these in by_length(lengths):
            if length:
                pieces(data, length)[starts[these]] = pieces(self.data, length)[self.starts[rows[these]]]
        return Runs(data, lengths)


Column = Cells | Runs


@dataclass(frozen=True)
class Rows:
    """Encoded rows, one after the other: row i is ``buffer[offsets[i]:offsets[i + 1]]``."""

    buffer: bytes
    offsets: Lengths

    def slice(self, start: int, stop: int) -> bytes:
        """The bytes of rows start to stop - 1."""
        return self.buffer[self.offsets[start] : self.offsets[stop]]


def of_numbers(values: ArrayLike, dtype: str) -> Cells:
    """Numbers in the byte order and width of ``dtype`` (``">i8"``, ``"<f4"`` ...)."""
    numbers = np.ascontiguousarray(values, dtype=dtype)
    return Cells(numbers.view(np.uint8).reshape(len(numbers), numbers.itemsize))


def constant(value: bytes, rows: int) -> Cells:
    """The same bytes in every row."""
    return Cells(np.broadcast_to(np.frombuffer(value, np.uint8), (rows, len(value))))


def of_strings(values: NDArray[np.bytes_]) -> Cells:
    """Encoded strings without NUL characters, from a numpy bytes array (dtype S)."""
    strings = np.ascontiguousarray(values)
    width = strings.dtype.itemsize
    return Cells(
        strings.view(np.uint8).reshape(len(strings), width), np.char.str_len(strings).astype(np.int64)
    )


def of_bytes(values: Sequence[bytes]) -> Runs:
    """Encoded strings of any length."""
    lengths = np.array([len(value) for value in values], np.int64)
    return Runs(np.frombuffer(b"".join(values), np.uint8), lengths)


def side_by_side(columns: Sequence[Column]) -> Cells:
    """Several columns as one. Lines of differing length are packed to the left."""
    if fixed := all_cells_of_fixed_width(columns):
        return Cells(np.concatenate([cells.data for cells in fixed], axis=1))
    lengths = total_lengths(columns)
    width = int(lengths.max(initial=0))
    packed = np.zeros((len(lengths), width), np.uint8)
    lay(columns, packed.reshape(-1), np.arange(len(lengths)) * width)
    return Cells(packed, lengths)


def join(columns: Sequence[Column]) -> Rows:
    """All rows of the columns, end to end."""
    offsets = np.zeros(len(columns[0]) + 1, np.int64)
    np.cumsum(total_lengths(columns), out=offsets[1:])
    if fixed := all_cells_of_fixed_width(columns):
        return Rows(np.concatenate([cells.data for cells in fixed], axis=1).tobytes(), offsets)
    buffer = np.empty(offsets[-1], np.uint8)
    lay(columns, buffer, offsets[:-1])
    return Rows(buffer.tobytes(), offsets)


def all_cells_of_fixed_width(columns: Sequence[Column]) -> list[Cells]:
    """The columns, if every line of each counts as a whole; else none."""
    fixed = [column for column in columns if isinstance(column, Cells) and column.lengths is None]
    return fixed if len(fixed) == len(columns) else []


def lengths_of(column: Column) -> Lengths:
    """How many bytes of each row count."""
    if isinstance(column, Cells) and column.lengths is None:
        return np.full(len(column), column.data.shape[1])
    return column.lengths  # type: ignore[return-value]


def total_lengths(columns: Sequence[Column]) -> Lengths:
    """Bytes of each row, over all columns."""
    total = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        total += lengths_of(column)
    return total


def lay(columns: Sequence[Column], buffer: Bytes, starts: Lengths) -> None:
    """Write each row's fields into the buffer, end to end from the row's start on."""
    at = starts.copy()
    for column in columns:
        lengths = lengths_of(column)
        for length, rows in by_length(lengths):
            if length:
                pieces(buffer, length)[at[rows]] = fields_of(column, length, rows)
        at += lengths


def by_length(lengths: Lengths) -> Iterator[tuple[int, Lengths]]:
    """Each length that occurs, with the rows of it."""
    if len(lengths) and (lengths == lengths[0]).all():
        yield int(lengths[0]), np.arange(len(lengths))
        return
    order = np.argsort(lengths, kind="stable")
    ordered = lengths[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    for start, rows in zip(starts, np.split(order, starts[1:]), strict=False):
        yield int(ordered[start]), rows


def fields_of(column: Column, length: int, rows: Lengths) -> NDArray[np.void]:
    """The fields of some rows, all of the same length."""
    if isinstance(column, Runs):
        return pieces(column.data, length)[column.starts[rows]]
    data = np.ascontiguousarray(column.data[rows, :length])
    return data.view(f"V{length}").reshape(len(rows))


def pieces(buffer: Bytes, length: int) -> NDArray[np.void]:
    """What begins at each byte of the buffer: one element, so that bytes move by the field."""
    return np.ndarray(len(buffer) - length + 1, f"V{length}", buffer.data, strides=(1,))

"""Rows as bytes. PostgreSQL's binary COPY and Avro are alike: a row is its fields laid end to end.

A column of fields is a matrix of bytes, one line a row, with the number of bytes that count in each line;
putting columns side by side and dropping the bytes that do not count gives all rows at once, without a
Python loop over them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

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


def side_by_side(columns: Sequence[Cells]) -> Cells:
    """Several columns as one. Lines of differing length are packed to the left."""
    data = np.concatenate([column.data for column in columns], axis=1)
    if all(column.lengths is None for column in columns):
        return Cells(data)
    counts = kept(columns)
    lengths = counts.sum(axis=1)
    packed = np.zeros((len(data), int(lengths.max(initial=0))), np.uint8)
    packed[np.arange(packed.shape[1]) < lengths[:, None]] = data[counts]
    return Cells(packed, lengths)


def kept(columns: Sequence[Cells]) -> NDArray[np.bool_]:
    """Which bytes of the columns laid side by side count, shape (rows, total width)."""
    return np.concatenate(
        [
            np.ones(column.data.shape, bool)
            if column.lengths is None
            else np.arange(column.data.shape[1]) < column.lengths[:, None]
            for column in columns
        ],
        axis=1,
    )


def join(columns: Sequence[Cells]) -> Rows:
    """All rows of the columns, end to end."""
    data = np.concatenate([column.data for column in columns], axis=1)
    rows, width = data.shape
    if all(column.lengths is None for column in columns):
        return Rows(data.tobytes(), np.arange(rows + 1, dtype=np.int64) * width)
    counts = kept(columns)
    offsets = np.zeros(rows + 1, np.int64)
    np.cumsum(counts.sum(axis=1), out=offsets[1:])
    return Rows(data[counts].tobytes(), offsets)

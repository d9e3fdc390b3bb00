"""Avro's binary encoding, a column at a time: a record is its fields laid end to end.

Format: Apache Avro 1.11 specification, "Binary Encoding". Numbers of a whole column are encoded at once;
what comes out is what any schemaless writer gives for the same rows.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tom_desc.rowbytes import Cells, constant, of_numbers, of_strings, side_by_side

# A union of null and something else: which of the two follows.
NULL, PRESENT = b"\x00", b"\x02"
NO_ITEMS = b"\x00"
LONGEST_VARINT = 10


def long(value: int) -> bytes:
    """One int or long: zigzag, then seven bits a byte, low bits first."""
    rest = (value << 1) ^ (value >> 63)
    encoded = bytearray()
    while rest > 0x7F:
        encoded.append(rest & 0x7F | 0x80)
        rest >>= 7
    encoded.append(rest)
    return bytes(encoded)


@lru_cache(maxsize=10_000)
def array_start(items: int) -> bytes:
    """What stands before the items of an array written as one block; :data:`NO_ITEMS` ends it."""
    return long(items) if items else b""


def longs(values: ArrayLike) -> Cells:
    """A column of ints or longs."""
    numbers = np.asarray(values, np.int64)
    rest = ((numbers << 1) ^ (numbers >> 63)).view(np.uint64)
    groups = np.empty((LONGEST_VARINT, len(numbers)), np.uint8)
    lengths = np.ones(len(numbers), np.int64)
    width = 0
    while not width or rest.any():
        groups[width] = rest & np.uint64(0x7F)
        lengths[rest != 0] = width + 1
        rest = rest >> np.uint64(7)
        width += 1
    more = np.arange(1, width + 1)[:, None] < lengths
    data = np.ascontiguousarray((groups[:width] | (more << 7).astype(np.uint8)).T)
    return Cells(data, None if (lengths == width).all() else lengths)


def strings(values: NDArray[np.bytes_]) -> Cells:
    """A column of strings, given as UTF-8 (dtype S)."""
    text = of_strings(values)
    width = text.data.shape[1]
    if text.lengths is None or (text.lengths == width).all():
        return side_by_side([constant(long(width), len(text)), Cells(text.data)])
    return side_by_side([longs(text.lengths), text])


def optional(values: Cells, present: NDArray[np.bool_]) -> Cells:
    """A column of the union [null, T]: the values where present, else null."""
    field = side_by_side([constant(PRESENT, len(values)), values])
    if present.all():
        return field
    data = field.data.copy()
    data[~present, 0] = NULL[0]
    lengths = np.int64(data.shape[1]) if field.lengths is None else field.lengths
    return Cells(data, np.where(present, lengths, 1))


def of_column(values: NDArray[Any]) -> Cells:
    """A column by its numpy type: int64 is a long, float64 a double, float32 a float, S a string.

    Raises
    ------
    ValueError
        For any other type.
    """
    match values.dtype.kind, values.dtype.itemsize:
        case "i", 8:
            return longs(values)
        case "f", 8:
            return of_numbers(values, "<f8")
        case "f", 4:
            return of_numbers(values, "<f4")
        case "S", _:
            return strings(values)
    raise ValueError(f"no Avro type for columns of numpy type {values.dtype}")

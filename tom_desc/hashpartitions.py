"""Which hash partition a bigint belongs to, as PostgreSQL decides; rows can be put in their order.

Source: PostgreSQL, ``hashint8extended`` (src/backend/access/hash/hashfunc.c), ``hash_bytes_uint32_extended``
(src/common/hashfn.c) and ``compute_partition_hash_value`` (src/backend/partitioning/partbounds.c). Tables
that exist depend on these, so they do not change.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Words = NDArray[np.uint64]

# HASH_PARTITION_SEED, and what hash_combine64 adds to the hash of a key of one column.
SEED = 0x7A5B22367996DCFD
COMBINED_WITH_NOTHING = 0x49A0F4DD15E5A8E3
# What hash_bytes begins with, for the four bytes of a uint32.
START = 0x9E3779B9 + 4 + 3_923_095

LOW = np.uint64(0xFFFFFFFF)


def hash_partition(keys: ArrayLike, partitions: int) -> NDArray[np.int64]:
    """The remainder of each key's partition, in a table with so many hash partitions of one bigint column."""
    values = np.asarray(keys, np.int64)
    low, high = values.view(np.uint64) & LOW, values.view(np.uint64) >> np.uint64(32)
    halves = low ^ np.where(values >= 0, high, ~high & LOW)
    hashes = hash_uint32(halves, SEED) + np.uint64(COMBINED_WITH_NOTHING)
    return (hashes % np.uint64(partitions)).astype(np.int64)


def partition_sql(column: str, partitions: int) -> str:
    """The same as an SQL expression, for a power of two of partitions."""
    mask = partitions - 1
    assert partitions & mask == 0, "of other numbers the remainder needs unsigned arithmetic"
    return f"(((hashint8extended({column}, {SEED}) & {mask}) + {COMBINED_WITH_NOTHING & mask}) & {mask})"


def hash_uint32(numbers: Words, seed: int) -> Words:
    """PostgreSQL's 64-bit hash of 32-bit numbers."""
    start = START & 0xFFFFFFFF
    a, b, c = (np.array([word], np.uint64) for word in (start + (seed >> 32), start + seed, start))
    a, b, c = mixed(a & LOW, b & LOW, c)
    _, b, c = finished((a + numbers) & LOW, b, c)
    return (b << np.uint64(32)) | c


def mixed(a: Words, b: Words, c: Words) -> tuple[Words, Words, Words]:
    """Bob Jenkins' reversible mixing of three 32-bit words."""
    for turns in ((4, 6, 8), (16, 19, 4)):
        a, c = ((a - c) & LOW) ^ turned(c, turns[0]), (c + b) & LOW
        b, a = ((b - a) & LOW) ^ turned(a, turns[1]), (a + c) & LOW
        c, b = ((c - b) & LOW) ^ turned(b, turns[2]), (b + a) & LOW
    return a, b, c


def finished(a: Words, b: Words, c: Words) -> tuple[Words, Words, Words]:
    """Bob Jenkins' last mixing of three 32-bit words."""
    for turns in ((14, 11, 25), (16, 4, 14)):
        c = ((c ^ b) - turned(b, turns[0])) & LOW
        a = ((a ^ c) - turned(c, turns[1])) & LOW
        b = ((b ^ a) - turned(a, turns[2])) & LOW
    return a, b, ((c ^ b) - turned(b, 24)) & LOW


def turned(words: Words, bits: int) -> Words:
    """32-bit words, turned to the left."""
    return ((words << np.uint64(bits)) | (words >> np.uint64(32 - bits))) & LOW

"""Where a consumer group goes on in each partition, so that every message is stored exactly once.

The transaction that stores a batch also moves the positions of its partitions, each from the offset that the
poller holds to the next one, and only while nobody else has claimed the partition since. Whoever claims waits
for such a transaction to end, then goes on where it left the position.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, NamedTuple

# A topic's name and the number of one of its partitions.
Place = tuple[str, int]


class Partition(NamedTuple):
    """A partition of one life of a topic: deleted and made anew, a topic has another id."""

    topic: str
    topic_id: str
    partition: int

    @property
    def place(self) -> Place:
        return self.topic, self.partition


@dataclass(frozen=True)
class Reader:
    """Whose positions they are.

    Attributes
    ----------
    source
        The consumer's name, as in ``brokerpoll2 --do-NAME``.
    owner
        The process that claims.
    """

    source: str
    cluster_id: str
    consumer_group: str
    owner: str


@dataclass(frozen=True)
class Bounds:
    """The offsets of a partition's first message, and of the one after its last."""

    low: int
    end: int


@dataclass(frozen=True)
class Claim:
    """A partition that is ours while its epoch is this one: where it stood, and where we go on."""

    epoch: int
    stood: int
    next_offset: int


@dataclass(frozen=True)
class Move:
    """What a batch does to a position; ``message_time`` is Kafka's of its last message, where it has one."""

    partition: Partition
    epoch: int
    from_offset: int
    to_offset: int
    end_offset: int
    message_time: datetime | None


class Outcome(Enum):
    """What became of a batch whose COMMIT nobody confirmed."""

    STORED = "stored"
    NOT_STORED = "not stored"
    FENCED = "fenced"


class Fenced(Exception):
    """Somebody else has claimed a partition since; what was read of it is his to store."""


# Rows are locked in one order everywhere, so that two pollers wait for each other, never in a ring.
KEY = "topic, topic_id, partition"
OURS = "(p.source, p.cluster_id, p.consumer_group) = (%(source)s, %(cluster_id)s, %(consumer_group)s)"
SAME = "(p.topic, p.topic_id, p.partition) = (wanted.topic, wanted.topic_id, wanted.partition)"
KEYS = "%(topic)s::text[], %(topic_id)s::text[], %(partition)s::int[]"

KNOWN = f"SELECT {KEY}, next_offset FROM streams_position p WHERE {OURS} AND topic = ANY(%(topics)s)"

ADD = f"""
INSERT INTO streams_position (source, cluster_id, consumer_group, {KEY}, next_offset)
SELECT %(source)s, %(cluster_id)s, %(consumer_group)s, {KEY}, next_offset
FROM unnest({KEYS}, %(start)s::bigint[]) AS wanted ({KEY}, next_offset)
ORDER BY {KEY}
ON CONFLICT DO NOTHING"""

LOCK = f"""
SELECT p.topic, p.topic_id, p.partition, p.next_offset, p.epoch
FROM streams_position p JOIN unnest({KEYS}) AS wanted ({KEY}) USING ({KEY})
WHERE {OURS}
ORDER BY p.topic, p.topic_id, p.partition
FOR UPDATE OF p"""

TAKE = f"""
UPDATE streams_position p
SET epoch = p.epoch + 1, owner = %(owner)s, next_offset = wanted.next_offset,
    end_offset = wanted.end_offset, updated = now()
FROM unnest({KEYS}, %(next_offset)s::bigint[], %(end_offset)s::bigint[])
     AS wanted ({KEY}, next_offset, end_offset)
WHERE {OURS} AND {SAME}
RETURNING p.topic, p.topic_id, p.partition, p.epoch"""

# Of the wanted rows those that are still ours, locked.
HELD = f"""
    SELECT p.topic, p.topic_id, p.partition
    FROM streams_position p JOIN wanted USING ({KEY})
    WHERE {OURS} AND p.epoch = wanted.epoch
    ORDER BY p.topic, p.topic_id, p.partition
    FOR UPDATE OF p"""

ADVANCE = f"""
WITH wanted AS (
    SELECT * FROM unnest({KEYS}, %(epoch)s::bigint[], %(from_offset)s::bigint[], %(to_offset)s::bigint[],
                         %(end_offset)s::bigint[], %(message_time)s::timestamptz[])
                  AS wanted ({KEY}, epoch, from_offset, to_offset, end_offset, message_time)
), held AS MATERIALIZED ({HELD})
UPDATE streams_position p
SET next_offset = wanted.to_offset, end_offset = greatest(wanted.end_offset, wanted.to_offset),
    message_time = coalesce(wanted.message_time, p.message_time), updated = now()
FROM wanted JOIN held USING ({KEY})
WHERE {OURS} AND {SAME} AND p.epoch = wanted.epoch AND p.next_offset = wanted.from_offset"""

RENEW = f"""
WITH wanted AS (
    SELECT * FROM unnest({KEYS}, %(epoch)s::bigint[], %(end_offset)s::bigint[])
                  AS wanted ({KEY}, epoch, end_offset)
), held AS MATERIALIZED ({HELD})
UPDATE streams_position p SET end_offset = wanted.end_offset, updated = now()
FROM wanted JOIN held USING ({KEY})
WHERE {OURS} AND {SAME} AND p.epoch = wanted.epoch"""

READ = f"""
SELECT p.topic, p.topic_id, p.partition, p.epoch, p.next_offset
FROM streams_position p JOIN unnest({KEYS}) AS wanted ({KEY}) USING ({KEY})
WHERE {OURS}"""

UNTENDED = f"""
SELECT {KEY} FROM unnest({KEYS}) AS wanted ({KEY})
WHERE NOT EXISTS (SELECT FROM streams_position p
                  WHERE {OURS} AND {SAME} AND p.updated > now() - %(seconds)s * interval '1 second')"""

REWIND = f"""
INSERT INTO streams_position AS p (source, cluster_id, consumer_group, {KEY}, next_offset, epoch, owner)
SELECT %(source)s, %(cluster_id)s, %(consumer_group)s, {KEY}, low, 1, %(owner)s
FROM unnest({KEYS}, %(low)s::bigint[]) AS wanted ({KEY}, low)
ORDER BY {KEY}
ON CONFLICT (source, cluster_id, consumer_group, {KEY})
DO UPDATE SET next_offset = EXCLUDED.next_offset, epoch = p.epoch + 1, owner = EXCLUDED.owner,
              updated = now()"""


def parameters(reader: Reader, partitions: Iterable[Partition], **columns: Any) -> dict[str, Any]:
    """A statement's parameters: the reader's names, arrays in parallel, and what else it takes."""
    rows = list(partitions)
    keys = {name: [getattr(row, name) for row in rows] for name in Partition._fields}
    return vars(reader) | keys | columns


def known(cursor: Any, reader: Reader, topics: Collection[str]) -> dict[Partition, int]:
    """The next offset of every partition of these topics that has a position, whatever the topic's id."""
    cursor.execute(KNOWN, vars(reader) | {"topics": list(topics)})
    return {Partition(*row[:3]): row[3] for row in cursor.fetchall()}


def claim(
    cursor: Any, reader: Reader, bounds: Mapping[Partition, Bounds], *, starts: Mapping[Partition, int]
) -> dict[Partition, Claim]:
    """Make partitions ours, within the caller's transaction: nobody else can store what he read of them.

    A partition whose next message is gone goes on with the first that there is: ``stood`` and ``next_offset``
    then differ.

    Parameters
    ----------
    starts
        Where partitions begin that have no position yet; without one: with their first message.
    """
    wanted = list(bounds)
    begin = [starts.get(partition, bounds[partition].low) for partition in wanted]
    cursor.execute(ADD, parameters(reader, wanted, start=begin))
    cursor.execute(LOCK, parameters(reader, wanted))
    stood = {Partition(*row[:3]): row[3] for row in cursor.fetchall()}
    goes_on = {partition: max(stood[partition], bounds[partition].low) for partition in wanted}
    ends = [bounds[partition].end for partition in wanted]
    cursor.execute(TAKE, parameters(reader, wanted, next_offset=list(goes_on.values()), end_offset=ends))
    epochs = {Partition(*row[:3]): row[3] for row in cursor.fetchall()}
    return {p: Claim(epochs[p], stood[p], goes_on[p]) for p in wanted}


def advance(cursor: Any, reader: Reader, moves: Sequence[Move]) -> None:
    """Move positions: the first statement of the transaction that stores a batch.

    Raises
    ------
    Fenced
        Where a partition has another epoch or stands elsewhere; the transaction is to be given up.
    """
    columns = {
        name: [getattr(move, name) for move in moves]
        for name in ("epoch", "from_offset", "to_offset", "end_offset", "message_time")
    }
    cursor.execute(ADVANCE, parameters(reader, [move.partition for move in moves], **columns))
    if cursor.rowcount != len(moves):
        raise Fenced(f"{len(moves) - cursor.rowcount} of {len(moves)} partitions were claimed by another")


def outcome(cursor: Any, reader: Reader, moves: Sequence[Move]) -> Outcome:
    """What became of a batch, by the positions that its transaction would have moved.

    While the server still works on it, it counts as not stored; the next try then waits, and is fenced.
    """
    cursor.execute(READ, parameters(reader, [move.partition for move in moves]))
    found = {Partition(*row[:3]): row[3:] for row in cursor.fetchall()}
    if all(found.get(move.partition) == (move.epoch, move.to_offset) for move in moves):
        return Outcome.STORED
    if all(found.get(move.partition) == (move.epoch, move.from_offset) for move in moves):
        return Outcome.NOT_STORED
    return Outcome.FENCED


def renew(
    cursor: Any, reader: Reader, *, epochs: Mapping[Partition, int], ends: Mapping[Partition, int]
) -> None:
    """Say that partitions were looked at now, and where they end.

    Raises
    ------
    Fenced
        Where one of them was claimed by another.
    """
    rows = list(ends)
    columns = {"epoch": [epochs[row] for row in rows], "end_offset": [ends[row] for row in rows]}
    cursor.execute(RENEW, parameters(reader, rows, **columns))
    if cursor.rowcount != len(rows):
        raise Fenced(f"{len(rows) - cursor.rowcount} of {len(rows)} partitions were claimed by another")


def untended(
    cursor: Any, reader: Reader, partitions: Collection[Partition], *, seconds: float
) -> set[Partition]:
    """Which of the partitions nobody of the group has claimed, moved or looked at for so long."""
    cursor.execute(UNTENDED, parameters(reader, partitions, seconds=seconds))
    return {Partition(*row) for row in cursor.fetchall()}


def rewind(cursor: Any, reader: Reader, bounds: Mapping[Partition, Bounds]) -> None:
    """Set positions back to the first message of their partitions; whoever holds them is fenced."""
    cursor.execute(REWIND, parameters(reader, bounds, low=[bound.low for bound in bounds.values()]))

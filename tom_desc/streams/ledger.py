"""The ledger of the streams: what became of the messages of each night, and which are missing."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from tom_desc.streams.positions import KEY, KEYS, OURS, Claim, Partition, Reader, parameters

NOON = timedelta(hours=12)


@dataclass(frozen=True)
class Entry:
    """Messages of a partition, and what became of them: seen = stored + duplicate + dead.

    A correction, of letters that were dead and are not any more, has negative counts.
    """

    partition: Partition
    seen: int
    stored: int
    dead: int

    @property
    def duplicate(self) -> int:
        return self.seen - self.stored - self.dead


# Rows in one order everywhere, as positions are.
RECORD = f"""
INSERT INTO streams_ledger AS kept (source, cluster_id, {KEY}, night, seen, stored, duplicate, dead)
SELECT %(source)s, %(cluster_id)s, {KEY}, %(night)s, seen, stored, duplicate, dead
FROM unnest({KEYS}, %(seen)s::bigint[], %(stored)s::bigint[], %(duplicate)s::bigint[], %(dead)s::bigint[])
     AS wanted ({KEY}, seen, stored, duplicate, dead)
ORDER BY {KEY}
ON CONFLICT (source, cluster_id, {KEY}, night) DO UPDATE
SET seen = kept.seen + EXCLUDED.seen, stored = kept.stored + EXCLUDED.stored,
    duplicate = kept.duplicate + EXCLUDED.duplicate, dead = kept.dead + EXCLUDED.dead"""

KEEP_GAPS = f"""
INSERT INTO streams_gap (source, cluster_id, {KEY}, first_offset, end_offset, reason)
SELECT %(source)s, %(cluster_id)s, {KEY}, first_offset, end_offset, %(reason)s
FROM unnest({KEYS}, %(first_offset)s::bigint[], %(end_offset)s::bigint[])
     AS wanted ({KEY}, first_offset, end_offset)
WHERE NOT EXISTS (
    SELECT FROM streams_gap g
    WHERE (g.source, g.cluster_id, g.topic, g.topic_id, g.partition)
        = (%(source)s, %(cluster_id)s, wanted.topic, wanted.topic_id, wanted.partition)
      AND g.end_offset = wanted.end_offset AND g.reason = %(reason)s)
ORDER BY {KEY}"""

# Whoever claims locks the rows of the topic's earlier lives, so that two do not both note their ends.
EARLIER_LIVES = f"""
SELECT {KEY} FROM streams_position p
WHERE {OURS} AND topic = ANY(%(topics)s) AND topic_id <> '' AND topic_id <> ALL(%(topic_ids)s)
ORDER BY {KEY}
FOR UPDATE OF p"""

KEEP_ENDS_OF_LIVES = f"""
INSERT INTO streams_gap (source, cluster_id, {KEY}, first_offset, reason)
SELECT source, cluster_id, {KEY}, next_offset,
       'the topic was deleted and made anew; '
       || CASE WHEN end_offset > next_offset
               THEN format('at least the offsets up to %%s were not read', end_offset - 1)
               ELSE 'all that was there had been read' END
       || to_char(updated AT TIME ZONE 'UTC', '" when last looked at, on "YYYY-MM-DD" at "HH24:MI:SS" UTC"')
FROM streams_position p
WHERE {OURS} AND topic = ANY(%(topics)s) AND topic_id <> '' AND topic_id <> ALL(%(topic_ids)s)
  AND NOT EXISTS (
    SELECT FROM streams_gap g
    WHERE (g.source, g.cluster_id, g.topic, g.topic_id, g.partition)
        = (p.source, p.cluster_id, p.topic, p.topic_id, p.partition)
      AND g.first_offset = p.next_offset AND g.end_offset IS NULL)
ORDER BY {KEY}"""

LOST = "the messages were gone before they were read: the topic's retention, or somebody, deleted them"
ENDS_BEFORE = "the partition ended before the position: messages that come in between are not read"


def night_of(moment: datetime) -> date:
    """The UTC date of the noon at which the night began."""
    return (moment.astimezone(UTC) - NOON).date()


def record(cursor: Any, reader: Reader, night: date, entries: Iterable[Entry]) -> None:
    """Add to what is known of a night."""
    rows = list(entries)
    columns = {name: [getattr(row, name) for row in rows] for name in ("seen", "stored", "duplicate", "dead")}
    if rows:
        keys = parameters(reader, [row.partition for row in rows], **columns)
        cursor.execute(RECORD, keys | {"night": night})


def keep_lost(cursor: Any, reader: Reader, claims: Mapping[Partition, Claim]) -> list[Partition]:
    """Note the messages that were gone when partitions were claimed; the partitions that miss some."""
    lost = {p: (c.stood, c.next_offset) for p, c in claims.items() if c.stood < c.next_offset}
    keep_gaps(cursor, reader, lost, LOST)
    return list(lost)


def keep_gaps(cursor: Any, reader: Reader, gaps: Mapping[Partition, tuple[int, int]], reason: str) -> None:
    """Note offsets, from the first up to the second, not included; once, however often it is said."""
    firsts, ends = [first for first, _ in gaps.values()], [end for _, end in gaps.values()]
    columns = parameters(reader, gaps, first_offset=firsts, end_offset=ends)
    cursor.execute(KEEP_GAPS, columns | {"reason": reason})


def keep_ends_of_lives(cursor: Any, reader: Reader, topics: Collection[Partition]) -> int:
    """Note, once, where reading ended in the earlier lives of these topics; how many partitions they had."""
    names = {
        "topics": sorted({topic.topic for topic in topics}),
        "topic_ids": sorted({topic.topic_id for topic in topics}),
    }
    cursor.execute(EARLIER_LIVES, vars(reader) | names)
    cursor.execute(KEEP_ENDS_OF_LIVES, vars(reader) | names)
    ended: int = cursor.rowcount
    return ended

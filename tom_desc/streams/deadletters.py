"""Dead letters: messages that cannot be stored, kept as they came until somebody replays or deletes them."""

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, datetime
from itertools import groupby
from operator import attrgetter
from typing import Any

import numpy as np
from django.db import connection, transaction
from psycopg2 import Binary

from tom_desc.streams import ledger
from tom_desc.streams.batches import NO_TIME, Batch, Decode, Decoded, Value, numbered
from tom_desc.streams.ledger import Entry, night_of
from tom_desc.streams.positions import Partition, Reader
from tom_desc.streams.refusals import Refused, refusals
from tom_desc.tally import Tally

# Of one statement; values are written into it in hexadecimal.
LETTERS_AT_ONCE = 500
BYTES_AT_ONCE = 8 * 2**20
# Key of the advisory lock of who replays: two would both move what they find in the ledger.
LOCK = 0x73740001
# Of one transaction of a replay.
REPLAYED_AT_ONCE = 1_000
REPLAYED_BYTES = 32 * 2**20


@dataclass(frozen=True)
class Letter:
    """A message that is not valid, and why; ``brokername`` is its own word, where it can be read."""

    partition: Partition
    offset: int
    message_time: datetime | None
    brokername: str | None
    reason: str
    value: Value


KEEP = """
INSERT INTO streams_deadletter (source, cluster_id, topic, topic_id, partition, "offset",
                                message_time, brokername, reason, value, received)
SELECT %(source)s, %(cluster_id)s, letter.*, %(received)s
FROM unnest(%(topic)s::text[], %(topic_id)s::text[], %(partition)s::int[], %(offset)s::bigint[],
            %(message_time)s::timestamptz[], %(brokername)s::text[], %(reason)s::text[], %(value)s::bytea[])
     AS letter
ON CONFLICT DO NOTHING"""


def keep(cursor: Any, reader: Reader, letters: Sequence[Letter], *, received: datetime) -> None:
    """Keep letters, in the caller's transaction; those that are there already stay as they are."""
    for some in parts(letters):
        columns = {
            "topic": [letter.partition.topic for letter in some],
            "topic_id": [letter.partition.topic_id for letter in some],
            "partition": [letter.partition.partition for letter in some],
            "offset": [letter.offset for letter in some],
            "message_time": [letter.message_time for letter in some],
            "brokername": [letter.brokername and storable(letter.brokername) for letter in some],
            "reason": [storable(letter.reason) for letter in some],
            "value": [None if letter.value is None else Binary(letter.value) for letter in some],
        }
        cursor.execute(KEEP, vars(reader) | columns | {"received": received})


def parts(letters: Sequence[Letter]) -> Iterator[Sequence[Letter]]:
    """The letters in runs that one statement bears."""
    start = size = 0
    for at, letter in enumerate(letters):
        length = len(letter.value or b"")
        if at > start and (at - start >= LETTERS_AT_ONCE or size + length > BYTES_AT_ONCE):
            yield letters[start:at]
            start, size = at, 0
        size += length
    if letters:
        yield letters[start:]


def storable(text: str) -> str:
    """The text without what PostgreSQL cannot hold: NUL and lone surrogates, written out."""
    return text.replace("\0", r"\x00").encode(errors="backslashreplace").decode()


class AlreadyRunning(Exception):
    """Somebody else replays dead letters."""


@dataclass(frozen=True)
class Choice:
    """Which letters; what is None lets all pass. ``text`` is somewhere in the reason, whatever its case."""

    source: str | None = None
    topic: str | None = None
    ids: Sequence[int] | None = None
    text: str | None = None


@dataclass(frozen=True)
class Kept:
    """A letter as it lies there."""

    letter_id: int
    source: str
    cluster_id: str
    partition: Partition
    offset: int
    message_time: datetime | None
    received: datetime
    value: Value

    @property
    def reader(self) -> Reader:
        """Who read it, as the ledger names readers."""
        return Reader(self.source, self.cluster_id, consumer_group="", owner="")

    @property
    def life(self) -> tuple[str, str, str, str, date]:
        """What letters of one batch have in common: reader, life of the topic, night."""
        return (
            *(self.source, self.cluster_id, self.partition.topic, self.partition.topic_id),
            night_of(self.received),
        )


@dataclass(frozen=True)
class Replayed(Tally):
    """Letters that were looked at again: valid now, of these stored now for the first time, still dead."""

    letters: int = 0
    valid: int = 0
    stored: int = 0
    dead: int = 0

    def __str__(self) -> str:
        return ", ".join(f"{count} {name}" for name, count in asdict(self).items())


CHOSEN = """
(%(source)s::text IS NULL OR source = %(source)s) AND (%(topic)s::text IS NULL OR topic = %(topic)s)
AND (%(ids)s::bigint[] IS NULL OR id = ANY(%(ids)s))
AND (%(text)s::text IS NULL OR strpos(lower(reason), lower(%(text)s)) > 0)"""
COUNT = f"SELECT count(*) FROM streams_deadletter WHERE {CHOSEN}"
# A value that is larger than a chunk may be comes alone.
CHUNK = f"""
SELECT id, source, cluster_id, topic, topic_id, partition, "offset", message_time, received, value
FROM (
    SELECT *, sum(octet_length(value)) OVER (ORDER BY id) - octet_length(value) AS before
    FROM streams_deadletter
    WHERE id > %(after)s AND {CHOSEN}
    ORDER BY id LIMIT %(letters)s
) letters
WHERE coalesce(before, 0) < %(bytes)s
ORDER BY id"""
DELETE = "DELETE FROM streams_deadletter WHERE id = ANY(%s)"
EXPLAIN = """
UPDATE streams_deadletter SET reason = letter.reason
FROM unnest(%s::bigint[], %s::text[]) AS letter (letter_id, reason)
WHERE id = letter_id"""
COUNT_OLDER = "SELECT count(*) FROM streams_deadletter WHERE received < %s"
DELETE_OLDER = "DELETE FROM streams_deadletter WHERE received < %s"


def count(choice: Choice) -> int:
    """How many letters are chosen."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT, vars(choice))
        found: int = cursor.fetchone()[0]
        return found


def replay(decode: Decode, choice: Choice, *, store: bool = True) -> Generator[Replayed]:
    """Look at letters again, the oldest first: store those that are valid now, say of others why not.

    A letter is stored as if it came now, under its own offset and Kafka's time; in the ledger it moves, in
    the night in which it was received, from the dead to the stored or the duplicates.

    Parameters
    ----------
    store
        False: only count what is valid now.

    Yields
    ------
    Replayed
        After each transaction.

    Raises
    ------
    AlreadyRunning
    """
    with alone():
        after = 0
        while letters := chunk(choice, after):
            after = letters[-1].letter_id
            yield replay_letters(decode, letters) if store else look_at(decode, letters)


@contextmanager
def alone() -> Iterator[None]:
    """Be the only one who replays."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", (LOCK,))
        if not cursor.fetchone()[0]:
            raise AlreadyRunning("dead letters are being replayed already")
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", (LOCK,))


def chunk(choice: Choice, after: int) -> list[Kept]:
    """The next letters that one transaction bears."""
    limits = {"after": after, "letters": REPLAYED_AT_ONCE, "bytes": REPLAYED_BYTES}
    with connection.cursor() as cursor:
        cursor.execute(CHUNK, vars(choice) | limits)
        return [kept(*row) for row in cursor.fetchall()]


def kept(letter_id: int, source: str, cluster_id: str, *rest: Any) -> Kept:
    """A row of CHUNK."""
    *partition, offset, message_time, received, content = rest
    content = None if content is None else bytes(content)
    return Kept(letter_id, source, cluster_id, Partition(*partition), offset, message_time, received, content)


def look_at(decode: Decode, letters: Sequence[Kept]) -> Replayed:
    """What a replay of the letters would find, but for what only the database refuses."""
    dead = len(decode(batch_of(letters)).rejects)
    return Replayed(letters=len(letters), valid=len(letters) - dead, dead=dead)


def replay_letters(decode: Decode, letters: Sequence[Kept]) -> Replayed:
    """Replay in one transaction; where the database refuses, in smaller ones, to find out which letter."""
    in_order = sorted(letters, key=attrgetter("life"))
    lives = [list(group) for _, group in groupby(in_order, attrgetter("life"))]
    try:
        with refusals():
            return replay_lives([(life, decode(batch_of(life))) for life in lives])
    except Refused as refused:
        if len(letters) == 1:
            return keep_refused(letters[0], str(refused))
    middle = len(letters) // 2
    return replay_letters(decode, letters[:middle]) + replay_letters(decode, letters[middle:])


def replay_lives(lives: Sequence[tuple[Sequence[Kept], Decoded]]) -> Replayed:
    for _, decoded in lives:
        decoded.prepare()
    with transaction.atomic(), connection.cursor() as cursor:
        return sum((replay_life(cursor, *life) for life in lives), Replayed())


def replay_life(cursor: Any, letters: Sequence[Kept], decoded: Decoded) -> Replayed:
    """Letters of one life of a topic, received in one night."""
    reasons = {letters[reject.place].letter_id: storable(reject.reason) for reject in decoded.rejects}
    valid = [letter for letter in letters if letter.letter_id not in reasons]
    stored = decoded.store(cursor)
    cursor.execute(EXPLAIN, (list(reasons), list(reasons.values())))
    cursor.execute(DELETE, ([letter.letter_id for letter in valid],))
    moved = Counter(letter.partition for letter in valid)
    entries = [Entry(p, seen=0, stored=stored.get(p.place, 0), dead=-count) for p, count in moved.items()]
    first = letters[0]
    ledger.record(cursor, first.reader, night_of(first.received), entries)
    return Replayed(len(letters), len(valid), sum(stored.values()), len(reasons))


def keep_refused(letter: Kept, reason: str) -> Replayed:
    with connection.cursor() as cursor:
        cursor.execute(EXPLAIN, ([letter.letter_id], [storable(reason)]))
    return Replayed(letters=1, dead=1)


def batch_of(letters: Sequence[Kept]) -> Batch:
    """The letters as they came."""
    places, which = numbered([letter.partition.place for letter in letters])
    return Batch(
        values=[letter.value for letter in letters],
        places=places,
        which=which,
        offsets=np.array([letter.offset for letter in letters], np.int64),
        kafka_ms=np.array([milliseconds(letter.message_time) for letter in letters], np.int64),
    )


def milliseconds(moment: datetime | None) -> int:
    return NO_TIME if moment is None else round(moment.timestamp() * 1000)


def count_older(than: datetime) -> int:
    """How many letters were received before."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT_OLDER, (than,))
        older: int = cursor.fetchone()[0]
        return older


def delete_older(than: datetime) -> int:
    """Delete the letters that were received before; how many they were."""
    with connection.cursor() as cursor:
        cursor.execute(DELETE_OLDER, (than,))
        deleted: int = cursor.rowcount
        return deleted

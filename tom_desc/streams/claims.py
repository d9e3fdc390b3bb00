"""Claiming what the group gives us: where each partition is read from, and what is missing before that."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from django.db import connection, transaction

from tom_desc.streams import ledger, positions
from tom_desc.streams.positions import Bounds, Claim, Partition, Place, Reader
from tom_desc.streams.topics import Topics

log = logging.getLogger(__name__)

# Where Kafka has the group, in the partitions where it has it anywhere.
Committed = Callable[[Sequence[Place]], Mapping[Place, int]]


@dataclass
class Held:
    """A partition that we read, and from where the next batch is stored."""

    partition: Partition
    epoch: int
    next_offset: int


@dataclass(frozen=True)
class Claimed:
    """What the group gave us.

    Attributes
    ----------
    held : dict
        What we read.
    ids : dict
        Of the topics.
    beyond : dict
        Partitions that are ours and are not read, as they end before their position.
    """

    held: dict[Place, Held]
    ids: dict[str, str]
    beyond: dict[Place, Held]


def claim(reader: Reader, topics: Topics, places: Collection[Place], *, committed: Committed) -> Claimed:
    """Claim the partitions that there are, and note what was gone before it was read.

    A partition that ends before its position is claimed but not among those to read: offsets that we have
    read already would stand for other messages.
    """
    ids = topics.ids({topic for topic, _ in places})
    found = topics.bounds([place for place in places if place[0] in ids])
    bounds = {Partition(topic, ids[topic], number): bound for (topic, number), bound in found.items()}
    starts = first_offsets(reader, bounds, committed)
    with transaction.atomic(), connection.cursor() as cursor:
        claims = positions.claim(cursor, reader, bounds, starts=starts)
        lost = ledger.keep_lost(cursor, reader, claims)
        ended = ledger.keep_ends_of_lives(cursor, reader, bounds)
    say_what_is_missing(claims, lost, ended)
    held = {p.place: Held(p, c.epoch, c.next_offset) for p, c in claims.items()}
    beyond = {p.place: held.pop(p.place) for p in beyond_the_end(reader, topics, claims, bounds)}
    log.info(
        "claimed %s", ", ".join(f"{t} [{n}] from {held[t, n].next_offset}" for t, n in held) or "nothing"
    )
    return Claimed(held, ids, beyond)


def first_offsets(
    reader: Reader, bounds: Mapping[Partition, Bounds], committed: Committed
) -> dict[Partition, int]:
    """Where Kafka has the group in partitions that we have nowhere yet: whoever read before us stood there.

    Not in a topic that we knew under another id: what Kafka says may be of its earlier life.
    """
    ids = {partition.topic: partition.topic_id for partition in bounds}
    with connection.cursor() as cursor:
        known = positions.known(cursor, reader, ids)
    remade = {partition.topic for partition in known if partition.topic_id != ids[partition.topic]}
    new = {p.place: p for p in bounds if p not in known and p.topic not in remade}
    found = committed(list(new))
    return {new[place]: at for place, at in found.items() if at <= bounds[new[place]].end}


def say_what_is_missing(claims: Mapping[Partition, Claim], lost: Collection[Partition], ended: int) -> None:
    for partition in lost:
        claimed = claims[partition]
        log.error(
            "%s [%d]: offsets %d to %d were gone before they were read",
            *(*partition.place, claimed.stood, claimed.next_offset - 1),
        )
    if ended:
        log.warning("%d partitions of topics ended: the topics were deleted and made anew", ended)


def beyond_the_end(
    reader: Reader, topics: Topics, claims: Mapping[Partition, Claim], bounds: Mapping[Partition, Bounds]
) -> set[Partition]:
    """Partitions that end before their position, though their topic has the same id; noted as gaps."""
    suspects = {p.place: p for p, c in claims.items() if c.next_offset > bounds[p].end}
    # Who had the partition before us may have moved on since we asked.
    ends = topics.ends(list(suspects))
    gaps = {
        partition: (ends[place], claims[partition].next_offset)
        for place, partition in suspects.items()
        if place in ends and ends[place] < claims[partition].next_offset
    }
    for partition, (end, position) in gaps.items():
        log.error(
            "%s [%d] ends at %d, before the position %d, and is the same topic: it is not read any more",
            *(*partition.place, end, position),
        )
    if gaps:
        with transaction.atomic(), connection.cursor() as cursor:
            ledger.keep_gaps(cursor, reader, gaps, ledger.ENDS_BEFORE)
    return set(gaps)

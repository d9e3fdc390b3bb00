"""A batch of messages as it came from Kafka, in columns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Message
from numpy.typing import NDArray

from tom_desc.streams.classifications import FIRST_MS, LAST_MS, Reject
from tom_desc.streams.positions import Place

NO_TIME = -1
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The years 1 to 9999, which are all that datetime has.
FIRST_KEPT_MS, LAST_KEPT_MS = -62_135_596_800_000, 253_402_300_799_000
Value = bytes | None


@dataclass(frozen=True)
class Batch:
    """Messages in the order in which they were read; those of a partition by ascending offset.

    Attributes
    ----------
    places
        The partitions that they are of.
    which : int array
        Index of each message's partition among ``places``.
    kafka_ms : int array
        When Kafka had each message, ms since 1970 (UTC); -1 where it does not say.
    reached
        Offsets up to which a partition was read, beyond its last message: what lies between is no message.
    """

    values: list[Value]
    places: list[Place]
    which: NDArray[np.int64]
    offsets: NDArray[np.int64]
    kafka_ms: NDArray[np.int64]
    reached: Mapping[Place, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.values)

    def __bool__(self) -> bool:
        return bool(self.values or self.reached)

    @cached_property
    def topics(self) -> NDArray[np.bytes_]:
        """Each message's topic."""
        return np.array([topic.encode() for topic, _ in self.places], "S")[self.which]

    @cached_property
    def partitions(self) -> NDArray[np.int64]:
        """The number of each message's partition."""
        return np.array([partition for _, partition in self.places], np.int64)[self.which]

    @cached_property
    def lasts(self) -> dict[Place, int]:
        """Index of each partition's last message."""
        backwards = np.unique(self.which[::-1], return_index=True)
        return {
            self.places[which]: len(self) - 1 - index
            for which, index in zip(*(column.tolist() for column in backwards), strict=True)
        }

    @property
    def next_offsets(self) -> dict[Place, int]:
        """Where reading goes on after this batch."""
        after = {place: int(self.offsets[last]) + 1 for place, last in self.lasts.items()}
        return after | {place: max(offset, after.get(place, 0)) for place, offset in self.reached.items()}

    def counts(self, messages: NDArray[Any] | slice = slice(None)) -> dict[Place, int]:
        """How many of the messages each partition has; zeros left out."""
        counts = np.bincount(self.which[messages], minlength=len(self.places)).tolist()
        return {place: count for place, count in zip(self.places, counts, strict=True) if count}

    def follows(self, next_offsets: Mapping[Place, int]) -> bool:
        """Whether all of it is of these partitions, at or after their offsets, in ascending order."""
        if not next_offsets.keys() >= self.next_offsets.keys():
            return False
        for which, place in enumerate(self.places):
            offsets = self.offsets[self.which == which]
            if (np.diff(offsets, prepend=next_offsets[place] - 1) <= 0).any():
                return False
        return True

    def halves(self) -> "tuple[Batch, Batch]":
        """The earlier and the later messages."""
        middle = len(self) // 2
        return self.part(slice(middle), {}), self.part(slice(middle, None), self.reached)

    def part(self, rows: slice, reached: Mapping[Place, int]) -> "Batch":
        columns = self.which[rows], self.offsets[rows], self.kafka_ms[rows]
        return Batch(self.values[rows], self.places, *columns, reached)

    def time(self, message: int) -> datetime | None:
        """When Kafka had the message, None where it does not say; a senseless time stays a senseless one."""
        milliseconds = int(self.kafka_ms[message])
        if milliseconds == NO_TIME:
            return None
        return EPOCH + timedelta(milliseconds=min(max(milliseconds, FIRST_KEPT_MS), LAST_KEPT_MS))

    def sensible_time(self, message: int) -> datetime | None:
        """The same, None also where that is no time at which anybody could have sent it."""
        return self.time(message) if FIRST_MS <= self.kafka_ms[message] < LAST_MS else None


NOTHING = np.empty(0, np.int64)
EMPTY = Batch([], [], NOTHING, NOTHING, NOTHING)


def batch_of(messages: Sequence[Message], reached: Mapping[Place, int]) -> Batch:
    """Columns of messages that are no error events."""
    places, which = numbered([(message.topic(), message.partition()) for message in messages])  # type: ignore[misc]
    return Batch(
        values=[message.value() for message in messages],
        places=places,
        which=which,
        offsets=np.array([message.offset() for message in messages], np.int64),
        kafka_ms=np.array([kafka_ms(*message.timestamp()) for message in messages], np.int64),
        reached=reached,
    )


def numbered(places: Sequence[Place]) -> tuple[list[Place], NDArray[np.int64]]:
    """The different ones, and the index of each among them."""
    indices: dict[Place, int] = {}
    which = [indices.setdefault(place, len(indices)) for place in places]
    return list(indices), np.array(which, np.int64)


def kafka_ms(kind: int, milliseconds: int) -> int:
    return NO_TIME if kind == TIMESTAMP_NOT_AVAILABLE else milliseconds


class Decoded(Protocol):
    """A batch that a campaign has decoded, and can store."""

    @property
    def rejects(self) -> Sequence[Reject]:
        """Messages that are not valid, by their index in the batch."""

    def prepare(self) -> None:
        """Make what the rows will refer to, in transactions of its own."""

    def store(self, cursor: Any) -> Mapping[Place, int]:
        """Store the valid messages in the caller's transaction; how many were new, by partition."""


# What a campaign makes of a batch, or of a part of it, without asking the database.
Decode = Callable[[Batch], Decoded]

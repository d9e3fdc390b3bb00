"""The ledger as pages show it: what became of the messages of each night, the latest night first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any

from django.db.models import Sum

from tom_desc.streams.models import Ledger

PAGE_NIGHTS = 7
COUNTS = ("seen", "stored", "duplicate", "dead")


@dataclass(frozen=True)
class Counts:
    """Messages that were read, and what became of them."""

    seen: int
    stored: int
    duplicate: int
    dead: int

    @property
    def adds_up(self) -> bool:
        """Whether every message that was seen has become something."""
        return self.seen == self.stored + self.duplicate + self.dead

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(getattr(self, name) + getattr(other, name) for name in COUNTS))


@dataclass(frozen=True)
class PartitionCounts:
    """Counts of a partition; those of a topic that was made anew are added to those of the old one."""

    source: str
    topic: str
    partition: int
    counts: Counts


@dataclass(frozen=True)
class Night:
    """A night, called by the UTC date on which it begins at noon, and its partitions."""

    night: date
    partitions: Sequence[PartitionCounts]

    @property
    def total(self) -> Counts:
        return sum((partition.counts for partition in self.partitions), Counts(0, 0, 0, 0))


@dataclass(frozen=True)
class NightPage:
    """Some nights; ``older`` is the key of the page after this one, None where there is no more."""

    nights: Sequence[Night]
    older: date | None


def night_page(*, before: date | None, rows: int = PAGE_NIGHTS) -> NightPage:
    """The latest nights before ``before`` (None: of all) on which something was read."""
    entries = Ledger.objects.all() if before is None else Ledger.objects.filter(night__lt=before)
    dates = list(entries.values_list("night", flat=True).distinct().order_by("-night")[: rows + 1])
    shown = dates[:rows]
    return NightPage(nights(shown), shown[-1] if len(dates) > rows else None)


def nights(dates: Sequence[date]) -> list[Night]:
    """What was read in these nights, the latest first, by consumer, topic and partition."""
    keys = ("night", "source", "topic", "partition")
    entries = Ledger.objects.filter(night__in=dates).values_list(*keys)
    sums = entries.annotate(**{f"{name}_sum": Sum(name) for name in COUNTS})
    rows = sums.order_by("-night", "source", "topic", "partition")
    return [
        Night(night, [of_partition(row) for row in group])
        for night, group in groupby(rows, key=lambda row: row[0])
    ]


def of_partition(row: Sequence[Any]) -> PartitionCounts:
    _, source, topic, partition, *counts = row
    return PartitionCounts(source, topic, partition, Counts(*counts))

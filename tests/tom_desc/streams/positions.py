"""Positions, ledger rows and dead letters that a test chooses."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tom_desc.streams.models import DeadLetter, Ledger, Position

NOW = datetime.now(UTC)
STREAM = {
    "source": "test",
    "cluster_id": "here",
    "topic": "classifications",
    "topic_id": "one",
    "partition": 0,
}


def ago(**length: float) -> datetime:
    return NOW - timedelta(**length)


def add_position(**changes: Any) -> None:
    """A position read to its end a moment ago, but for the changes."""
    read = {"next_offset": 10, "end_offset": 10, "message_time": ago(seconds=5), "updated": NOW}
    Position.objects.create(**STREAM | {"consumer_group": "testing"} | read | changes)


def add_night(**changes: Any) -> None:
    """A ledger row of which everything was stored, but for the changes."""
    Ledger.objects.create(**STREAM | {"night": NOW.date(), "seen": 10, "stored": 10} | changes)


def add_letter(offset: int, **changes: Any) -> None:
    DeadLetter.objects.create(**STREAM | {"offset": offset, "reason": "empty", "value": b""} | changes)

"""Findings of ``manage.py doctor`` about the streams: does the ledger add up, and what was never read?"""

from collections.abc import Iterator

from django.db import connection
from django.db.models import F

from tom_desc.findings import Finding
from tom_desc.streams.models import Gap, Ledger

SHOWN = 5
KNOWN_OFFSETS = "SELECT count(*), coalesce(sum(end_offset - first_offset), 0) FROM streams_gap"


def checkup() -> Iterator[Finding]:
    """The ledger and the gaps.

    That a position is beyond what the ledger counts is in order: offsets have holes, and the group may have
    begun where another program stopped.
    """
    yield ledger()
    yield gaps()


def ledger() -> Finding:
    """Whether all messages that were seen became something."""
    wrong = Ledger.objects.exclude(seen=F("stored") + F("duplicate") + F("dead"))
    if not (count := wrong.count()):
        return Finding("ledger", f"adds up in all of its {Ledger.objects.count()} rows")
    rows = "; ".join(map(of_row, wrong.order_by("-night", "source", "topic", "partition")[:SHOWN]))
    cure = "nothing of the TOM writes such rows: keep the log of that time and report it"
    return Finding("ledger", f"does not add up in {count} rows: {rows}", cure)


def of_row(row: Ledger) -> str:
    became = row.stored + row.duplicate + row.dead
    return (
        f"{row.source}, topic {row.topic}, partition {row.partition}, night {row.night}:"
        f" {row.seen} seen, {became} stored, duplicate or dead"
    )


def gaps() -> Finding:
    """What was gone before it was read. Nothing here brings it back; its broker may send it again."""
    with connection.cursor() as cursor:
        cursor.execute(KNOWN_OFFSETS)
        count, offsets = cursor.fetchone()
    if not count:
        return Finding("gaps", "none: nothing was gone before it was read")
    latest = "; ".join(map(of_gap, Gap.objects.order_by("-pk")[:SHOWN]))
    return Finding("gaps", f"{count}, of {offsets} offsets as far as is known; the latest: {latest}")


def of_gap(gap: Gap) -> str:
    end = "an unknown end" if gap.end_offset is None else f"before {gap.end_offset}"
    return (
        f"{gap.source}, topic {gap.topic}, partition {gap.partition}, from {gap.first_offset} to {end}"
        f" ({gap.reason})"
    )

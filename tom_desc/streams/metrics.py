"""Streams in ``/metrics``: how far behind they are read, and what became of their messages."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import connection
from prometheus_client.core import Metric

from tom_desc.metrics import counter, gauge
from tom_desc.streams.lag import Lag, lags

# A topic of yesterday that its source does not read any more would otherwise be shown for ever.
IN_USE = timedelta(days=1)
NIGHTS_IN_USE = 30
COUNTS = ("seen", "stored", "duplicate", "dead")
MOST_LETTERS = 10_000

LEDGER = f"""
SELECT source, topic, partition, {", ".join(f"sum({count})" for count in COUNTS)}
FROM streams_ledger
JOIN (SELECT source, max(night) AS latest FROM streams_ledger GROUP BY source) of_source USING (source)
GROUP BY source, topic, partition, latest
HAVING max(night) > latest - {NIGHTS_IN_USE}
ORDER BY source, topic, partition"""
GAPS = """
SELECT source, count(*), coalesce(sum(end_offset - first_offset), 0) FROM streams_gap GROUP BY source"""
# There may be millions: the sources are taken from the index one after the other, and each is counted so far.
LETTERS = """
WITH RECURSIVE known (source) AS (
    SELECT min(source) FROM streams_deadletter
    UNION ALL
    SELECT (SELECT min(source) FROM streams_deadletter d WHERE d.source > known.source)
    FROM known WHERE known.source IS NOT NULL
)
SELECT source, (SELECT count(*) FROM (SELECT FROM streams_deadletter d
                                      WHERE d.source = known.source LIMIT %s) counted)
FROM known WHERE source IS NOT NULL"""

PARTITION = ("source", "consumer_group", "topic", "partition")


def families(now: datetime) -> Iterator[Metric]:
    """Lag, counts by outcome, gaps, dead letters."""
    read = in_use(lags())
    yield from lag_families(read, now)
    yield from ledger_families(read)
    known = {lag.source for lag in read}
    yield from gap_families(known)
    yield letter_family(known)


def in_use(found: list[Lag]) -> list[Lag]:
    """The partitions that their source's poller still looked at when it was heard of last."""
    latest: dict[str, datetime] = {}
    for lag in found:
        latest[lag.source] = max(lag.heard, latest.get(lag.source, lag.heard))
    return [lag for lag in found if lag.heard > latest[lag.source] - IN_USE]


def lag_families(read: list[Lag], now: datetime) -> Iterator[Metric]:
    names = [(lag.source, lag.consumer_group, lag.topic, lag.partition) for lag in read]
    yield gauge(
        "tom_stream_lag_messages",
        "Messages that wait in a partition, or offsets without message, when its poller last looked.",
        PARTITION,
        [(*name, lag.messages) for name, lag in zip(names, read, strict=True) if lag.messages is not None],
    )
    yield gauge(
        "tom_stream_lag_seconds",
        "Age in seconds of the last message stored of a partition while others wait, else 0.",
        PARTITION,
        [(*name, lag.seconds) for name, lag in zip(names, read, strict=True)],
    )
    yield gauge(
        "tom_stream_heard_age_seconds",
        "Seconds since a partition's poller last looked at it.",
        PARTITION,
        [(*name, max((now - lag.heard).total_seconds(), 0)) for name, lag in zip(names, read, strict=True)],
    )


def ledger_families(read: list[Lag]) -> Iterator[Metric]:
    """Of what nobody heard yet there is a zero, so that the first message shows as an increase.

    By outcome they are no counters: a replay moves messages from the dead to the others.
    """
    counts = {(lag.source, lag.topic, lag.partition): (0,) * len(COUNTS) for lag in read}
    with connection.cursor() as cursor:
        cursor.execute(LEDGER)
        counts |= {(*row[:3],): (*row[3:],) for row in cursor.fetchall()}
    rows = sorted(counts.items())
    labels = ("source", "topic", "partition")
    yield counter(
        "tom_stream_messages_seen_total",
        "Messages read from a partition.",
        labels,
        [(*partition, seen) for partition, (seen, *_) in rows],
    )
    yield gauge(
        "tom_stream_messages",
        "The same messages by what has become of them: stored, duplicate, or dead and not replayed yet.",
        (*labels, "outcome"),
        [
            (*partition, outcome, count)
            for partition, (_, *outcomes) in rows
            for outcome, count in zip(COUNTS[1:], outcomes, strict=True)
        ],
    )


def gap_families(known: set[str]) -> Iterator[Metric]:
    with connection.cursor() as cursor:
        cursor.execute(GAPS)
        gaps = dict.fromkeys(known, (0, 0)) | {row[0]: row[1:] for row in cursor.fetchall()}
    of_sources = sorted(gaps.items())
    yield counter(
        "tom_stream_gaps_total",
        "Gaps: ranges of offsets that were gone before they were read.",
        ["source"],
        [(source, count) for source, (count, _) in of_sources],
    )
    yield counter(
        "tom_stream_gap_offsets_total",
        "Offsets in gaps, of gaps whose end is known.",
        ["source"],
        [(source, offsets) for source, (_, offsets) in of_sources],
    )


def letter_family(known: set[str]) -> Metric:
    with connection.cursor() as cursor:
        cursor.execute(LETTERS, (MOST_LETTERS,))
        letters = dict.fromkeys(known, 0) | dict(cursor.fetchall())
    return gauge(
        "tom_dead_letters_waiting",
        f"Messages that could not be stored and wait for replay or their end, counted up to {MOST_LETTERS}.",
        ["source"],
        sorted(letters.items()),
    )

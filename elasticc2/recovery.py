"""Recovery: alerts that a killed run had sent but not marked are found on its topics, and marked."""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Message
from django.db import connection, transaction

from elasticc2.alerts import RunBatch, mark_sent
from elasticc2.encoding import alert_id_of
from elasticc2.models import SendRun
from elasticc2.sendruns import night_of, topics_of, window_of
from tom_desc.streams.delivered import NOWHERE, Ends, messages_since

log = logging.getLogger(__name__)

ALERTS_AT_ONCE = 20_000

WANTED = """
SELECT a.alert_id, coalesce(o.isddf, false), s.midpointtai
FROM elasticc2_ppdbalert a
JOIN elasticc2_ppdbdiasource s USING (diasource_id)
LEFT JOIN elasticc2_ppdbdiaobject o ON o.diaobject_id = s.diaobject_id
WHERE a.alert_id = ANY(%(found)s) AND a.alertsenttimestamp IS NULL
  AND s.midpointtai <= %(through)s AND (s.midpointtai, s.diasource_id) > (%(after_mjd)s, %(after_id)s)
ORDER BY s.midpointtai, s.diasource_id"""


@dataclass
class Found:
    """What the topics have of an alert: copies on each, and when the first came (Kafka's time, ms)."""

    copies: Counter[str] = field(default_factory=Counter)
    first_ms: int | None = None
    size: int = 0

    def add(self, topic: str, message: Message) -> None:
        kind, ms = message.timestamp()
        if kind != TIMESTAMP_NOT_AVAILABLE and (self.first_ms is None or ms < self.first_ms):
            self.first_ms = ms
        self.copies[topic] += 1
        self.size += len(message.value() or b"")

    def is_on(self, topics: Iterable[str]) -> bool:
        """Whether every one of them has it; on a topic that is named twice, two copies."""
        return self.copies >= Counter(topics)


@dataclass(frozen=True)
class Arrived:
    """An alert that arrived with all its messages."""

    alert_id: int
    mjd: float
    found: Found


def mark_delivered(
    run: SendRun, settings: Mapping[str, Any], cluster_id: str, ends: Mapping[str, Ends], now: datetime
) -> int:
    """Mark what has arrived since the run last noted where its topics end; how many alerts that were.

    Parameters
    ----------
    settings
        librdkafka's, to reach the server.
    ends
        Where the run's topics end now.
    now
        When an alert was sent of which Kafka does not say so.
    """
    if run.slice_ends is None:
        return 0
    if run.cluster_id != cluster_id:
        log.warning("run %d sent to another cluster: what arrived there is sent again here", run.pk)
        return 0
    found = read_topics(run, settings, ends)
    arrived = arrived_of(run, found)
    for start in range(0, len(arrived), ALERTS_AT_ONCE):
        mark(run, arrived[start : start + ALERTS_AT_ONCE], now)
    log.info("run %d: %d alerts had arrived that were not marked", run.pk, len(arrived))
    return len(arrived)


def read_topics(run: SendRun, settings: Mapping[str, Any], ends: Mapping[str, Ends]) -> dict[int, Found]:
    """By alert, what the run's topics have beyond where they ended when the run last looked."""
    found: dict[int, Found] = defaultdict(Found)
    for topic, message in new_messages(run, settings, ends):
        alert_id = alert_id_of(message.value() or b"")
        if alert_id is not None:
            found[alert_id].add(topic, message)
    return found


def new_messages(
    run: SendRun, settings: Mapping[str, Any], ends: Mapping[str, Ends]
) -> Iterator[tuple[str, Message]]:
    for topic in sorted(topics_of(run).names):
        kept = (run.slice_ends or {}).get(topic)
        before, after = Ends.of_json(kept) if kept else NOWHERE, ends[topic]
        if before.topic_id not in ("", after.topic_id):
            log.warning("topic %s was made anew: what arrived on the old one is sent again", topic)
            continue
        for message in messages_since(settings, topic, before.offsets, after.offsets):
            yield topic, message


def arrived_of(run: SendRun, found: Mapping[int, Found]) -> list[Arrived]:
    """Those of the run's unsent alerts that are on all their topics, by time."""
    window, topics = window_of(run), topics_of(run)
    bounds = {"through": window.through_mjd, "after_mjd": window.after[0], "after_id": window.after[1]}
    with connection.cursor() as cursor:
        cursor.execute(WANTED, bounds | {"found": list(found)})
        return [
            Arrived(alert_id, mjd, found[alert_id])
            for alert_id, isddf, mjd in cursor.fetchall()
            if found[alert_id].is_on(topics.of(isddf=isddf))
        ]


def mark(run: SendRun, arrived: Sequence[Arrived], now: datetime) -> None:
    """Mark alerts in one transaction, each night with the time of its first message."""
    nights: dict[int, list[Arrived]] = defaultdict(list)
    for alert in arrived:
        nights[night_of(alert.mjd)].append(alert)
    with transaction.atomic(), connection.cursor() as cursor:
        for night, of_night in nights.items():
            batch = RunBatch(
                run=run.pk,
                night=night,
                messages=sum(alert.found.copies.total() for alert in of_night),
                bytes=sum(alert.found.size for alert in of_night),
                first_mjd=of_night[0].mjd,
                last_mjd=of_night[-1].mjd,
            )
            ids = [alert.alert_id for alert in of_night]
            mark_sent(cursor, ids, earliest(of_night) or now, batch=batch)


def earliest(alerts: Sequence[Arrived]) -> datetime | None:
    """When Kafka had the first of these; None where it does not say."""
    times = [alert.found.first_ms for alert in alerts if alert.found.first_ms is not None]
    return datetime.fromtimestamp(min(times) / 1000, UTC) if times else None

"""Classifiers as a broker team looks at them: how many messages, the last one, and what it said."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from elasticc2.counts import COUNTED_EXACTLY, Count, estimate
from elasticc2.ingest import REST_TOPIC
from elasticc2.models import BrokerClassifier
from elasticc2.opinions import ProbableClass, class_names

PAGE_ROWS = 50
# What came last is looked at message by message, which takes a tenth of a second for so many.
LOOKED_AT = 100_000
RECENTLY = timedelta(days=7)
SHOWN_CLASSES = 25
TABLE = "elasticc2_brokermessage"
NAMES = ("brokername", "brokerversion", "classifiername", "classifierparams")

LATEST = f"""
WITH latest AS (
    SELECT brokermessage_id, classifier_id, descingesttimestamp FROM {TABLE}
    ORDER BY descingesttimestamp DESC LIMIT {LOOKED_AT}
)
SELECT classifier_id, count(*) FILTER (WHERE descingesttimestamp >= %s), max(brokermessage_id),
       count(*), min(descingesttimestamp)
FROM latest GROUP BY classifier_id"""
PER_CLASSIFIER = f"SELECT classifier_id, count(*) FROM {TABLE} GROUP BY classifier_id"
MESSAGES = f"""
SELECT m.brokermessage_id, m.classifier_id, m.alert_id, m.diasource_id,
       m.elasticcpublishtimestamp, m.brokeringesttimestamp, m.msghdrtimestamp, m.descingesttimestamp,
       coalesce(m.topicname, ''), m.topicpartition, m.streammessage_id, cardinality(m.classid),
       best.classids, best.probabilities
FROM {TABLE} m
CROSS JOIN LATERAL (
    SELECT array_agg(classid) AS classids, array_agg(probability) AS probabilities
    FROM (SELECT classid, probability FROM unnest(m.classid, m.probability) AS named (classid, probability)
          ORDER BY probability DESC, classid LIMIT {SHOWN_CLASSES}) likeliest
) best
WHERE m.brokermessage_id = ANY(%s)"""


@dataclass(frozen=True)
class Message:
    """A stored message in words; times are wall time, None where the message does not say.

    Attributes
    ----------
    classes
        The likeliest of the classes that it names, at most SHOWN_CLASSES, the likeliest first.
    header
        Kafka's time of the message, or when the broker said over REST that it published it.
    named
        How many classes it names.
    """

    classes: list[ProbableClass]
    message_id: int
    classifier_id: int
    alert_id: int
    diasource_id: int
    alert_published: datetime | None
    broker_ingested: datetime | None
    header: datetime | None
    stored: datetime
    topic: str
    partition: int | None
    offset: int | None
    named: int

    @property
    def came_over_rest(self) -> bool:
        return self.topic in ("", REST_TOPIC)


@dataclass(frozen=True)
class LatestMessages:
    """What came last of all classifiers.

    Attributes
    ----------
    since
        How far it reaches back for counting.
    counts
        By classifier, the messages since then.
    last_ids
        By classifier, the id of its last message.
    reaches_back
        The time before which nothing was looked at; None where all that there is was looked at.
    """

    since: datetime
    counts: dict[int, int]
    last_ids: dict[int, int]
    reaches_back: datetime | None


def latest_messages(*, moment: datetime) -> LatestMessages:
    """What was stored in the last seven days, or the latest LOOKED_AT messages if they are fewer."""
    since = moment - RECENTLY
    with connection.cursor() as cursor:
        cursor.execute(LATEST, (since,))
        rows = cursor.fetchall()
    looked_at = sum(row[3] for row in rows)
    reaches_back = min(row[4] for row in rows) if looked_at == LOOKED_AT else None
    return LatestMessages(
        since=max(since, reaches_back or since),
        counts={classifier_id: recent for classifier_id, recent, *_ in rows},
        last_ids={classifier_id: last_id for classifier_id, _, last_id, *_ in rows},
        reaches_back=reaches_back,
    )


def messages(ids: Sequence[int]) -> dict[int, Message]:
    """By classifier, the messages with these ids, one a classifier."""
    names = class_names()
    with connection.cursor() as cursor:
        cursor.execute(MESSAGES, (list(ids),))
        found = [in_words(row, names) for row in cursor.fetchall()]
    return {message.classifier_id: message for message in found}


def in_words(row: Sequence[Any], names: dict[int, str]) -> Message:
    columns, classids, probabilities = row[:-2], row[-2] or [], row[-1] or []
    pairs = zip(classids, probabilities, strict=True)
    classes = [ProbableClass(key, names.get(key, ""), value) for key, value in pairs]
    return Message(classes, *columns)


@dataclass(frozen=True)
class ClassifierRow:
    """A classifier, how many messages it has ever sent, how many of late, and the last one of those.

    ``last`` is None where none of its messages is among the latest that were looked at.
    """

    classifier: BrokerClassifier
    total: Count
    recent: int
    last: Message | None

    @property
    def name(self) -> str:
        return name_of(self.classifier)


def topics_heard(classifiers: Sequence[BrokerClassifier], latest: LatestMessages) -> set[str]:
    """The topics on which these classifiers' last messages came."""
    return {one.topic for one in last_messages(classifiers, latest).values() if not one.came_over_rest}


def last_messages(classifiers: Sequence[BrokerClassifier], latest: LatestMessages) -> dict[int, Message]:
    """By classifier, its last message, where that is among the latest of all."""
    ids = [latest.last_ids[one.pk] for one in classifiers if one.pk in latest.last_ids]
    return messages(ids)


def name_of(classifier: BrokerClassifier) -> str:
    """The four names in a row; empty ones have none."""
    return " ".join(str(getattr(classifier, name)) for name in NAMES if getattr(classifier, name))


def classifiers_of(brokers: Collection[str] | None) -> QuerySet[BrokerClassifier]:
    """The classifiers of these brokers (None: of all) by their names."""
    found = BrokerClassifier.objects.order_by(*NAMES, "classifier_id")
    return found if brokers is None else found.filter(brokername__in=brokers)


def broker_names() -> list[str]:
    """The brokers that have classifiers."""
    return list(
        BrokerClassifier.objects.values_list("brokername", flat=True).distinct().order_by("brokername")
    )


def classifier_rows(classifiers: Sequence[BrokerClassifier], latest: LatestMessages) -> list[ClassifierRow]:
    """The same classifiers with their messages."""
    totals = total_counts([classifier.pk for classifier in classifiers])
    last = last_messages(classifiers, latest)
    return [ClassifierRow(c, totals[c.pk], latest.counts.get(c.pk, 0), last.get(c.pk)) for c in classifiers]


def total_counts(ids: Sequence[int]) -> dict[int, Count]:
    """How many messages each of these classifiers has: exactly where that is quick, else about."""
    if estimate(TABLE, "true") > COUNTED_EXACTLY:
        return {key: Count(str(key), estimate(TABLE, f"classifier_id = {int(key)}"), True) for key in ids}
    with connection.cursor() as cursor:
        cursor.execute(PER_CLASSIFIER)
        exact = dict(cursor.fetchall())
    return {key: Count(str(key), exact.get(key, 0), False) for key in ids}

"""Latency, of messages whose every time a test chooses."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from elasticc2.latency import Latency, latency
from elasticc2.models import BrokerClassifier
from tests.elasticc2.plans import rows_read
from tests.elasticc2.sky import hear, message

pytestmark = pytest.mark.django_db

STORED = datetime(2026, 3, 7, 4, 0, tzinfo=UTC)
TIMES = ("elasticcpublishtimestamp", "brokeringesttimestamp", "msghdrtimestamp", "descingesttimestamp")


def add(*seconds: float | None, source: int, classifier: str = "A", stored: datetime = STORED) -> None:
    """A message sent, received, answered so many seconds before it was stored; None: nobody wrote it down."""
    hear(message(source, classifierName=classifier))
    times = [None if before is None else stored - timedelta(seconds=before) for before in (*seconds, 0)]
    assigned = ", ".join(f"{column} = %s" for column in TIMES)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE elasticc2_brokermessage SET {assigned} WHERE (diasource_id, classifier_id) = (%s, %s)",
            (*times, source, id_of(classifier)),
        )


def id_of(classifier: str) -> int:
    return BrokerClassifier.objects.get(classifiername=classifier).pk


def stages(**asked: Any) -> list[Latency]:
    return latency(since=STORED - timedelta(hours=1), **asked)


def test_each_stage_of_the_way_is_measured():
    add(100, 60, 1.5, source=1)
    a = id_of("A")
    assert stages() == [
        Latency(a, "sent to broker", 1, 40, 40, 40),
        Latency(a, "in broker", 1, 58.5, 58.5, 58.5),
        Latency(a, "broker to TOM", 1, 1.5, 1.5, 1.5),
        Latency(a, "all", 1, 100, 100, 100),
    ]


def test_median_and_95th_percentile_are_interpolated():
    for k in range(101):
        add(1000 + 2 * k, 1000, 0, source=k + 1)
    [sent, *_] = stages()
    assert (sent.count, sent.p50, sent.most) == (101, 100, 200)
    assert sent.p95 == pytest.approx(190)


def test_a_time_that_nobody_wrote_down_is_left_out_of_its_stages():
    add(100, 60, None, source=1)
    add(100, None, 2, source=2)
    assert [(row.stage, row.count) for row in stages()] == [
        ("sent to broker", 1),
        ("broker to TOM", 1),
        ("all", 2),
    ]


def test_clocks_that_disagree_show_as_negative_seconds():
    add(100, 110, 1, source=1)
    assert stages()[0].p50 == -10


def test_classifiers_are_told_apart_and_may_be_chosen():
    add(100, 60, 1, source=1, classifier="A")
    add(200, 60, 1, source=1, classifier="B")
    assert [(row.classifier_id, row.p50) for row in stages() if row.stage == "all"] == [
        (id_of("A"), 100),
        (id_of("B"), 200),
    ]
    assert {row.classifier_id for row in stages(classifier_ids=[id_of("B")])} == {id_of("B")}
    assert stages(classifier_ids=[]) == []


def test_messages_stored_before_are_not_looked_at():
    add(100, 60, 1, source=1, stored=STORED - timedelta(hours=2))
    assert stages() == []


def test_of_many_messages_the_latest_stand_for_all():
    for k in range(10):
        add(100 + k, 60, 1, source=k + 1, stored=STORED + timedelta(seconds=k))
    assert [row.count for row in stages(messages=3)] == [3, 3, 3, 3]
    assert stages(messages=3)[-1].p50 == 108


def test_what_is_read_is_bounded():
    hear(*(message(source) for source in range(1, 1001)))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE elasticc2_brokermessage")
    read = rows_read(lambda: latency(since=datetime.now(UTC) - timedelta(hours=1), messages=50))
    # Each of the 16 partitions also shows the one that comes next.
    assert 50 <= sum(read.values()) <= 50 + 16

"""Coverage, on a sky whose every alert and answer is known."""

from typing import Any

import numpy as np
import pytest
from django.db import connection

from elasticc2.coverage import Coverage, coverage, latest_coverage, missing_alerts, nights_sent
from elasticc2.models import BrokerClassifier, SendBatch, SendRun
from tests.elasticc2.plans import rows_read
from tests.elasticc2.sky import add_object, hear, message, value

pytestmark = pytest.mark.django_db

NIGHT = 60010
# Noon before, which is of the night before; in the night; noon after, which is of the night.
TIMES = (60009.5, 60009.75, 60010.0, 60010.25, 60010.5, 60010.75)


def mark(*alerts: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE elasticc2_ppdbalert SET alertsenttimestamp = now() WHERE alert_id = ANY(%s)",
            (list(alerts),),
        )


def add_batch(night: int, alerts: int, *, run: SendRun | None = None, **changes: object) -> None:
    ends = {"first_mjd": night - 0.4, "last_mjd": night + 0.4}
    batch = {"night": night, "alerts": alerts, "messages": alerts, "sendrun": run, **ends, **changes}
    SendBatch.objects.create(sent="2026-01-01T00:00:00Z", **batch)


def add_run(**changes: object) -> SendRun:
    topics = {"wfd_topic": "wfd", "ddf_full_topic": "full", "ddf_limited_topic": "limited"}
    return SendRun.objects.create(through_mjd=NIGHT + 0.5, server="here", **topics, **changes)


def classifier(name: str) -> int:
    return BrokerClassifier.objects.get(classifiername=name).pk


@pytest.fixture
def alerts() -> list[int]:
    """Six alerts, all but the one of midnight sent; classifiers A and B have said something before."""
    ids = add_object(1, [(mjd, "r", 100.0, True) for mjd in TIMES])
    mark(*ids[:2], *ids[3:])
    hear(message(999, classifierName="A"), message(999, classifierName="B"))
    return ids


def counts(**asked: Any) -> list[tuple[int, int, int]]:
    return [(row.sent, row.answered, row.missing) for row in coverage(nights=[NIGHT], **asked)]


def test_a_night_lasts_from_noon_to_noon(alerts):
    nights = coverage(nights=[60009, 60010, 60011], classifier_ids=[classifier("A")])
    assert [(row.night, row.sent) for row in nights] == [(60009, 1), (60010, 3), (60011, 1)]


def test_every_classifier_has_a_row_whether_it_answered_or_not(alerts):
    hear(message(alerts[1], classifierName="A"), message(alerts[3], classifierName="A"))
    assert coverage(nights=[NIGHT]) == [
        Coverage(NIGHT, classifier("A"), sent=3, answered=2),
        Coverage(NIGHT, classifier("B"), sent=3, answered=0),
    ]


def test_several_messages_on_one_alert_are_one_answer(alerts):
    for probability in (0.1, 0.2, 0.3):
        hear(message(alerts[1], classifierName="A", classes=((2222, probability),)))
    assert counts(classifier_ids=[classifier("A")]) == [(3, 1, 2)]


def test_a_message_on_an_alert_that_was_not_sent_is_no_answer(alerts):
    hear(message(alerts[2], classifierName="A"))
    assert counts(classifier_ids=[classifier("A")]) == [(3, 0, 3)]


def test_a_message_that_names_another_alert_than_its_sources_is_no_answer(alerts):
    hear(message(alerts[1], classifierName="A", alertId=alerts[3]))
    assert counts(classifier_ids=[classifier("A")]) == [(3, 0, 3)]
    assert missing_alerts(night=NIGHT, classifier_id=classifier("A")).tolist() == [
        alerts[k] for k in (1, 3, 4)
    ]


def test_only_the_classifiers_asked_for_are_counted_unknown_ones_too(alerts):
    hear(message(alerts[1], classifierName="A"), message(alerts[1], classifierName="B"))
    rows = coverage(nights=[NIGHT], classifier_ids=[10**6, classifier("B")])
    assert [(row.classifier_id, row.answered) for row in rows] == [(classifier("B"), 1), (10**6, 0)]
    assert coverage(nights=[NIGHT], classifier_ids=[]) == []


def test_nights_come_in_the_order_asked_and_one_without_alerts_is_empty(alerts):
    rows = coverage(nights=[60500, NIGHT], classifier_ids=[classifier("A")])
    assert [(row.night, row.sent) for row in rows] == [(60500, 0), (NIGHT, 3)]
    assert coverage(nights=[]) == []


def test_missing_alerts_are_those_that_the_classifier_did_not_answer(alerts):
    hear(message(alerts[3], classifierName="A"), message(alerts[1], classifierName="B"))
    missing = missing_alerts(night=NIGHT, classifier_id=classifier("A"))
    assert missing.tolist() == [alerts[1], alerts[4]]
    assert missing.dtype == np.int64
    assert missing_alerts(night=60500, classifier_id=classifier("A")).tolist() == []


def test_answered_and_missing_are_all_that_was_sent(alerts):
    hear(message(alerts[3], classifierName="A"))
    [row] = coverage(nights=[NIGHT], classifier_ids=[classifier("A")])
    assert row.missing == len(missing_alerts(night=NIGHT, classifier_id=row.classifier_id)) == 2


def test_a_source_may_have_several_alerts_each_of_which_counts(alerts):
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO elasticc2_ppdbalert (alert_id, diasource_id, diaobject_id, alertsenttimestamp)"
            " VALUES (7, %s, 1, now())",
            (alerts[1],),
        )
    hear(message(alerts[1], classifierName="A", alertId=7))
    assert counts(classifier_ids=[classifier("A")]) == [(4, 1, 3)]


def test_coverage_reads_the_rows_of_its_night_and_no_others():
    for objectid in range(1, 21):
        ids = add_object(objectid, [(60000.25 + night, "r", 100.0, True) for night in range(20)])
        mark(*ids)
        hear(*(message(alert, classifierName=name) for alert in ids for name in ("A", "B")))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    read = rows_read(lambda: coverage(nights=[60005]))
    assert counts_of(read, "elasticc2_ppdbdiasource") == counts_of(read, "elasticc2_ppdbalert") == 20
    assert counts_of(read, "elasticc2_brokermessage") == 40
    assert value("SELECT count(*) FROM elasticc2_brokermessage") == 800


def counts_of(read, table: str) -> int:
    return sum(rows for name, rows in read.items() if name.startswith(table))


def test_nights_sent_are_the_batches_of_each_night_the_latest_first():
    for night, alerts in ((60001, 10), (60003, 20), (60003, 5), (60002, 1)):
        add_batch(night, alerts)
    assert nights_sent(limit=10) == [(60003, 25), (60002, 1), (60001, 10)]
    assert nights_sent(limit=2) == [(60003, 25), (60002, 1)]
    assert nights_sent(limit=2, before=60003) == [(60002, 1), (60001, 10)]
    assert nights_sent(limit=2, before=60001) == []


def test_an_alert_that_is_sent_again_is_sent_once():
    first, second = add_run(), add_run()
    again, once_more = add_run(resend=True), add_run(resend=True)
    for run, alerts in ((first, 10), (second, 5), (None, 1), (again, 15), (once_more, 8), (once_more, 7)):
        add_batch(60001, alerts, run=run)
    add_batch(60002, 3, run=again)
    assert nights_sent(limit=10) == [(60002, 3), (60001, 16)]


def test_the_latest_nights_coverage_is_exact_where_the_night_is_small(alerts):
    hear(message(alerts[1], classifierName="A"))
    add_batch(NIGHT - 1, 1)
    add_batch(NIGHT, 2, last_mjd=60010.25, first_mjd=60009.75)
    add_batch(NIGHT, 1, last_mjd=60010.5, first_mjd=60010.5)
    assert latest_coverage(alerts=100, classifier_ids=[classifier("A"), classifier("B")]) == [
        Coverage(NIGHT, classifier("A"), sent=3, answered=1),
        Coverage(NIGHT, classifier("B"), sent=3, answered=0),
    ]


def test_a_sample_of_a_large_night_is_spread_over_it():
    ids = add_object(1, [(60000.0 + k / 5000, "r", 100.0, True) for k in range(1000)])
    mark(*ids)
    hear(*(message(alert, classifierName="A") for alert in ids[500:]))
    add_batch(60000, 1000, first_mjd=60000.0, last_mjd=60000.0 + 999 / 5000)
    [row] = latest_coverage(alerts=100, classifier_ids=[classifier("A")])
    assert (row.sent, row.answered) == (100, 50)


def test_before_anything_was_sent_there_is_no_latest_night(alerts):
    assert latest_coverage(alerts=100, classifier_ids=[classifier("A")]) == []

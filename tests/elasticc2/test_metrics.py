"""ELAsTiCC2 in /metrics, on a sky whose every alert and answer is known."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from elasticc2 import metrics
from elasticc2.models import BrokerClassifier, BrokerNews, LoadNews, UnknownSource
from elasticc2.reveal import reveal
from tests.elasticc2.plans import rows_read
from tests.elasticc2.sky import add_object, hear, message
from tests.elasticc2.test_coverage import add_batch, add_run, mark
from tests.tom_desc.campaigns.test_campaign import campaign
from tests.tom_desc.samples import samples

pytestmark = pytest.mark.django_db


def said(name: str, *labels: str) -> dict[tuple[str, ...], float]:
    return samples(metrics.families(datetime.now(UTC)), name, *labels)


def only(name: str) -> float | None:
    """The value of a family that has one, or none."""
    return next(iter(said(name, "campaign").values()), None)


def test_everything_bears_the_campaigns_name():
    hear(*map(message, add_object(1, [(60000.25, "r", 100.0, True)])))
    for family in metrics.families(datetime.now(UTC)):
        assert {sample.labels["campaign"] for sample in family.samples} <= {"elasticc2"}


def test_news_are_counted_in_rows_and_ids_until_they_are_revealed():
    sources = add_object(1, [(60000.25, "r", 100.0, True), (60001.25, "r", 100.0, True)])
    hear(*map(message, sources))
    hear(message(sources[0], classifierName="Another"))
    waiting = {("brokernews",): 2, ("loadnews",): 1, ("staleobjects",): 0}
    assert said("tom_news_waiting_rows", "table") == waiting
    assert said("tom_news_waiting_ids", "table") == waiting | {("brokernews",): 3}
    assert said("tom_news_oldest_id", "table")["brokernews",] == BrokerNews.objects.earliest("pk").pk
    reveal()
    for name in ("rows", "ids"):
        assert set(said(f"tom_news_waiting_{name}", "table").values()) == {0}
    assert said("tom_news_oldest_id", "table")["brokernews",] == 0


def test_the_ids_of_very_many_news_are_about_as_many(monkeypatch):
    monkeypatch.setattr(metrics, "COUNTED_NEWS", 2)
    for count in (1, 3, 10, 10):
        LoadNews.objects.create(diaobject_ids=list(range(count)))
    assert said("tom_news_waiting_ids", "table")["loadnews",] == 4 * 2


def test_more_rows_than_can_be_counted_quickly_are_not_counted(monkeypatch):
    monkeypatch.setattr(metrics, "MOST_ROWS", 2)
    for number in range(3):
        UnknownSource.objects.create(diasource_id=number)
        LoadNews.objects.create(diaobject_ids=[number])
    assert only("tom_unknown_sources") == 2
    assert said("tom_news_waiting_rows", "table")["loadnews",] == 2


def test_alerts_sent_only_grow_whoever_sent_them_and_however_often():
    assert only("tom_alerts_sent_total") == 0
    add_batch(60000, 10, run=add_run())
    add_batch(60000, 10, run=add_run(resend=True))
    add_batch(60001, 5)
    assert only("tom_alerts_sent_total") == 25


def test_alerts_are_due_up_to_the_clock():
    ids = add_object(1, [(60000.25 + k, "r", 100.0, True) for k in range(5)])
    assert only("tom_alerts_unsent_due") == 5
    campaign("--clock", "sent")
    mark(ids[0], ids[3])
    assert only("tom_alerts_unsent_due") == 2


def test_only_the_latest_alerts_are_looked_at(monkeypatch):
    monkeypatch.setattr(metrics, "MOST_DUE", 3)
    mark(add_object(1, [(60000.25 + k, "r", 100.0, True) for k in range(5)])[3])
    assert only("tom_alerts_unsent_due") == 2


def test_before_the_first_run_nothing_is_in_progress():
    assert (only("tom_send_run_in_progress"), only("tom_send_run_failed")) == (0, 0)
    assert only("tom_send_run_confirmed_age_seconds") is None


def test_a_run_is_in_progress_until_it_is_finished():
    minute_ago = datetime.now(UTC) - timedelta(minutes=1)
    run = add_run(alerts_to_send=100, alerts_sent=40, updated=minute_ago)
    assert (only("tom_send_run_in_progress"), only("tom_send_run_failed")) == (1, 0)
    assert (only("tom_send_run_alerts_to_send"), only("tom_send_run_alerts_sent")) == (100, 40)
    assert 60 <= (only("tom_send_run_confirmed_age_seconds") or 0) < 120
    run.finished = minute_ago
    run.save()
    assert only("tom_send_run_in_progress") == 0


def test_an_unfinished_run_is_shown_whatever_came_after_it():
    add_run(failure="Kafka is away")
    add_run(finished=datetime.now(UTC))
    assert (only("tom_send_run_in_progress"), only("tom_send_run_failed")) == (1, 1)


def test_coverage_of_the_latest_night_is_shown_for_each_classifier():
    ids = add_object(1, [(60000.1 + k / 10, "r", 100.0, True) for k in range(4)])
    mark(*ids)
    add_batch(60000, 4, first_mjd=60000.1, last_mjd=60000.4)
    hear(*(message(alert, classifierName="Answers", brokerName="B") for alert in ids[:3]))
    hear(message(999, classifierName="Silent", brokerName="B"))
    assert said("tom_coverage_ratio", "broker", "classifier") == {("B", "Answers"): 0.75, ("B", "Silent"): 0}
    assert only("tom_coverage_sampled_alerts") == 4
    assert only("tom_coverage_night_mjd") == 60000


def test_a_night_whose_marks_were_taken_away_has_no_ratio():
    hear(message(1))
    add_batch(60000, 4)
    assert said("tom_coverage_ratio") == {}
    assert only("tom_coverage_sampled_alerts") == 0


def test_latency_is_shown_by_stage_and_percentile():
    hear(message(1))
    latency = said("tom_message_latency_seconds", "classifier", "stage", "percentile")
    assert latency["NugentClassifier", "sent to broker", "50"] == 1
    assert {key[1:] for key in latency} == {
        (stage, percentile) for stage in ("sent to broker", "all") for percentile in ("50", "95", "100")
    }


def test_messages_of_before_the_last_hour_have_no_latency():
    hear(message(1))
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE elasticc2_brokermessage SET descingesttimestamp = now() - interval '61 minutes'"
        )
    assert said("tom_message_latency_seconds") == {}


def test_of_very_many_classifiers_the_newest_are_shown(monkeypatch):
    monkeypatch.setattr(metrics, "MOST_CLASSIFIERS", 2)
    [alert] = add_object(1, [(60000.25, "r", 100.0, True)])
    mark(alert)
    add_batch(60000, 1)
    for name in "ABC":
        hear(message(alert, classifierName=name))
    newest = {(str(row.pk),) for row in BrokerClassifier.objects.order_by("-pk")[:2]}
    assert said("tom_coverage_ratio", "classifier_id").keys() == newest
    shown = said("tom_message_latency_seconds", "classifier_id", "stage", "percentile")
    assert {(key[0],) for key in shown} == newest


def test_what_a_scrape_reads_does_not_grow_with_the_tables(monkeypatch):
    bounds = ("MOST_ROWS", "COUNTED_NEWS", "MOST_DUE", "COVERAGE_ALERTS", "LATENCY_MESSAGES")
    for bound in bounds:
        monkeypatch.setattr(metrics, bound, 20)
    for objectid in range(1, 41):
        ids = add_object(objectid, [(60000.25 + k / 1000, "r", 100.0, True) for k in range(40)])
        mark(*ids)
        hear(*(message(alert, classifierName=name) for alert in ids for name in ("A", "B")))
    add_batch(60000, 1600, first_mjd=60000.25, last_mjd=60000.289)
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO elasticc2_unknownsource SELECT generate_series(1, 1000)")
        cursor.execute("ANALYZE")
    read = rows_read(lambda: list(metrics.families(datetime.now(UTC))))
    assert max(read.values()) <= 40 + 1
    assert sum(read.values()) < 500

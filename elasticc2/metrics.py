"""ELAsTiCC2 in ``/metrics``: what waits for reveal, sending, coverage and latency.

Every statement looks at so many rows at most, however many there are.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from prometheus_client.core import Metric

from elasticc2.coverage import latest_coverage
from elasticc2.latency import latency
from tom_desc.metrics import Rows, counter, gauge

CAMPAIGN = "elasticc2"
MOST_ROWS = 100_000
# News whose ids are counted; each row may have thousands.
COUNTED_NEWS = 200
MOST_DUE = 2_000
MOST_CLASSIFIERS = 500
COVERAGE_ALERTS = 1000
LATENCY_MESSAGES = 5000
LATELY = timedelta(hours=1)

QUEUES = {"brokernews": "diasource_ids", "loadnews": "diaobject_ids", "staleobjects": "diaobject_ids"}
WAITING = """
SELECT (SELECT count(*) FROM (SELECT FROM {table} LIMIT %(most)s) counted),
       avg(cardinality({ids})), min(news_id)
FROM (SELECT * FROM {table} ORDER BY news_id LIMIT %(counted)s) oldest"""
UNKNOWN = "SELECT count(*) FROM (SELECT FROM elasticc2_unknownsource LIMIT %(most)s) counted"

SENT = "SELECT coalesce(sum(alerts), 0) FROM elasticc2_sendbatch"
UNSENT_DUE = """
SELECT count(*)
FROM (SELECT diasource_id FROM elasticc2_ppdbdiasource
      WHERE midpointtai <= (SELECT mjd_now FROM elasticc2_clock)
      ORDER BY midpointtai DESC LIMIT %(most)s) due
CROSS JOIN LATERAL (SELECT FROM elasticc2_ppdbalert
                    WHERE diasource_id = due.diasource_id AND alertsenttimestamp IS NULL
                    OFFSET 0) unsent"""
# An unfinished run is completed before another begins.
LATEST_RUN = """
SELECT finished IS NULL, coalesce(failure, '') <> '', updated, alerts_to_send, alerts_sent
FROM elasticc2_sendrun ORDER BY (finished IS NULL) DESC, sendrun_id DESC LIMIT 1"""

CLASSIFIERS = """
SELECT classifier_id, brokername, classifiername FROM elasticc2_brokerclassifier
ORDER BY classifier_id DESC LIMIT %(most)s"""
CLASSIFIER_LABELS = ("classifier_id", "broker", "classifier")
# Broker and classifier by id.
Names = dict[int, tuple[str, str]]


def families(now: datetime) -> Iterator[Metric]:
    """Reveal, sending, coverage and latency."""
    yield from reveal_families()
    yield from sending_families(now)
    names = {row[0]: (row[1], row[2]) for row in fetch(CLASSIFIERS, most=MOST_CLASSIFIERS)}
    yield from coverage_families(names)
    yield latency_family(names, now - LATELY)


def reveal_families() -> Iterator[Metric]:
    waiting = [(queue, *waiting_in(queue, ids)) for queue, ids in QUEUES.items()]
    yield of_campaign(
        "tom_news_waiting_rows",
        f"Rows that wait for reveal in a table of news, counted up to {MOST_ROWS}.",
        ["table"],
        [(queue, rows) for queue, rows, _, _ in waiting],
    )
    yield of_campaign(
        "tom_news_waiting_ids",
        f"Ids of sources or objects in these rows; of more than {COUNTED_NEWS} rows about so many.",
        ["table"],
        [(queue, ids) for queue, _, ids, _ in waiting],
    )
    yield of_campaign(
        "tom_news_oldest_id",
        "Number of the oldest row that waits for reveal in a table of news; 0 while none does.",
        ["table"],
        [(queue, oldest) for queue, _, _, oldest in waiting],
    )
    yield of_campaign(
        "tom_unknown_sources",
        f"Sources that brokers spoke of and the PPDB does not have, counted up to {MOST_ROWS}.",
        [],
        fetch(UNKNOWN, most=MOST_ROWS),
    )


def waiting_in(queue: str, ids: str) -> tuple[int, int, int]:
    """Rows that wait in a table of news, about how many ids they hold, and the number of the oldest."""
    query = WAITING.format(table=f"{CAMPAIGN}_{queue}", ids=ids)
    [(rows, ids_a_row, oldest)] = fetch(query, most=MOST_ROWS, counted=COUNTED_NEWS)
    return rows, round(rows * (ids_a_row or 0)), oldest or 0


def sending_families(now: datetime) -> Iterator[Metric]:
    [(sent,)] = fetch(SENT)
    yield counter(
        "tom_alerts_sent_total", "Alerts sent to brokers and confirmed.", ["campaign"], [(CAMPAIGN, sent)]
    )
    yield of_campaign(
        "tom_alerts_unsent_due",
        f"Alerts up to the campaign's clock that were not sent, among the {MOST_DUE} latest.",
        [],
        fetch(UNSENT_DUE, most=MOST_DUE),
    )
    yield from run_families(now)


def run_families(now: datetime) -> Iterator[Metric]:
    """Before the first run there is nothing to be in progress or to fail, and no figures of it."""
    run = next(iter(fetch(LATEST_RUN)), None)
    running, failed = run[:2] if run else (False, False)
    figures = ((now - run[2]).total_seconds(), *run[3:]) if run else (None, None, None)
    for name, documentation, value in (
        ("in_progress", "1 while a run of sending is unfinished, else 0.", running),
        ("failed", "1 where that run, or else the latest, failed, else 0.", failed),
        ("confirmed_age_seconds", "Seconds since that run last confirmed alerts.", figures[0]),
        ("alerts_to_send", "Alerts that that run has to send.", figures[1]),
        ("alerts_sent", "Alerts that that run has sent and confirmed.", figures[2]),
    ):
        yield of_campaign(f"tom_send_run_{name}", documentation, [], [] if value is None else [(value,)])


def coverage_families(names: Names) -> Iterator[Metric]:
    covered = latest_coverage(alerts=COVERAGE_ALERTS, classifier_ids=list(names))
    yield of_campaign(
        "tom_coverage_ratio",
        "Share of the alerts sent of the latest night that a classifier has answered, of a sample.",
        CLASSIFIER_LABELS,
        [
            (row.classifier_id, *names[row.classifier_id], row.answered / row.sent)
            for row in covered
            if row.sent
        ],
    )
    latest = covered[:1]
    yield of_campaign(
        "tom_coverage_sampled_alerts",
        f"Alerts of the latest night in that sample, {COVERAGE_ALERTS} at most, spread over the night.",
        [],
        [(row.sent,) for row in latest],
    )
    yield of_campaign(
        "tom_coverage_night_mjd",
        "The latest night of which alerts were sent, MJD (TAI) in days.",
        [],
        [(row.night,) for row in latest],
    )


def latency_family(names: Names, since: datetime) -> Metric:
    measured = latency(since=since, classifier_ids=list(names), messages=LATENCY_MESSAGES)
    return of_campaign(
        "tom_message_latency_seconds",
        "Seconds that messages took on a stage of their way from the alert sent to the message stored,"
        f" of the {LATENCY_MESSAGES} latest stored within the last hour.",
        (*CLASSIFIER_LABELS, "stage", "percentile"),
        [
            (row.classifier_id, *names[row.classifier_id], row.stage, percentile, seconds)
            for row in measured
            for percentile, seconds in ((50, row.p50), (95, row.p95), (100, row.most))
        ],
    )


def of_campaign(name: str, documentation: str, labels: Sequence[str], rows: Rows) -> Metric:
    return gauge(name, documentation, ["campaign", *labels], [(CAMPAIGN, *row) for row in rows])


def fetch(query: str, **parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return cursor.fetchall()

"""Findings of ``manage.py doctor`` in this campaign: sending, and is what is kept what the rows say?"""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import OperationalError, connection, transaction
from psycopg2.errors import LockNotAvailable

from elasticc2.counts import estimate
from elasticc2.coverage import NOON, nights_sent, of_night
from elasticc2.encoding import encode_batch
from elasticc2.histories import OBJECTS_AT_ONCE, read_batch
from elasticc2.keptobjects import hold, read_kept
from elasticc2.renewal import LOCK
from elasticc2.summaries import GROUNDLESS, KEPT, forget_groundless, summarise
from tom_desc.findings import Finding

LABELS = {
    "diaobjectinfo": "summaries per band",
    "diaobjectclassification": "latest classifications",
    "packedlightcurve": "packed light curves",
    "objectsummary": "object summaries",
}
assert LABELS.keys() == KEPT.keys() >= GROUNDLESS.keys()

# Objects for which reveal has something to do are known to be out of date.
SAMPLE = """
INSERT INTO sampled_object
SELECT diaobject_id FROM elasticc2_diaobject TABLESAMPLE BERNOULLI (%(percent)s)
WHERE diaobject_id NOT IN (SELECT unnest(diaobject_ids) FROM elasticc2_staleobjects)
  AND diaobject_id NOT IN (SELECT diaobject_id FROM elasticc2_diasource
                           WHERE diaobject_id IS NOT NULL
                             AND diasource_id IN (SELECT unnest(diasource_ids) FROM elasticc2_brokernews))
ORDER BY random() LIMIT %(sample)s"""
PPDB_SAMPLE = """
SELECT diaobject_id FROM elasticc2_ppdbdiaobject TABLESAMPLE BERNOULLI (%(percent)s)
ORDER BY random() LIMIT %(sample)s"""
# Of fewer rows all are looked through: an estimate of how many there are can be quite wrong.
DRAWN_WHOLE = 100_000
# Whoever writes messages or photometry while they are compared waits that long, and so do we for them.
LOCKS = f"""
SET LOCAL lock_timeout = '10s';
SELECT pg_advisory_xact_lock({LOCK});
LOCK TABLE elasticc2_brokernews, elasticc2_staleobjects IN SHARE MODE"""
WAITING = {
    "elasticc2_brokernews, unnest(diasource_ids) AS id": "sources that brokers spoke of",
    "elasticc2_loadnews, unnest(diaobject_ids) AS id": "objects that a load brought or added to",
    "elasticc2_staleobjects, unnest(diaobject_ids) AS id": "objects whose photometry somebody changed",
}
# A run of sending confirms alerts much more often than this.
SILENT = timedelta(minutes=10)
UNFINISHED = """
SELECT sendrun_id, through_mjd, alerts_sent, updated, failure
FROM elasticc2_sendrun WHERE finished IS NULL ORDER BY sendrun_id LIMIT 1"""
# A night has up to 10^5 alerts.
COMPARED_NIGHTS = 5
MARKS = """
SELECT count(alertsenttimestamp), count(*) - count(alertsenttimestamp)
FROM elasticc2_ppdbdiasource s
CROSS JOIN LATERAL (SELECT alertsenttimestamp FROM elasticc2_ppdbalert
                    WHERE diasource_id = s.diasource_id OFFSET 0) alert
WHERE midpointtai > %(noon)s AND midpointtai <= %(next_noon)s"""


def checkup(sample: int) -> Iterator[Finding]:
    """Reveal's work, sending, and whether what is kept of ``sample`` objects, at random, is right."""
    yield waiting()
    yield sending(datetime.now(UTC))
    yield marks()
    yield encoded(sample)
    try:
        objects, wrong = compare(sample)
    except OperationalError as error:
        if not isinstance(error.__cause__, LockNotAvailable):
            raise
        yield Finding("what is kept of objects", "not looked at: somebody writes in a long transaction")
        return
    for table, label in LABELS.items():
        if wrong[table]:
            said = f"{wrong[table]} rows are not what the rows of {objects} objects say"
            yield Finding(label, said, "manage.py rebuild_summaries")
        else:
            yield Finding(label, f"are right for the {objects} objects looked at")


def waiting() -> Finding:
    said = []
    with connection.cursor() as cursor:
        for news, label in WAITING.items():
            cursor.execute(f"SELECT count(DISTINCT id) FROM {news}")
            said.append(f"{cursor.fetchone()[0]} {label}")
        cursor.execute("SELECT count(*) FROM elasticc2_unknownsource")
        said.append(f"{cursor.fetchone()[0]} sources that the PPDB does not have")
    return Finding("waiting for reveal", ", ".join(said))


def sending(now: datetime) -> Finding:
    """Whether a run of sending was left unfinished."""
    with connection.cursor() as cursor:
        cursor.execute(UNFINISHED)
        row = cursor.fetchone()
    if row is None:
        return Finding("sending", "no run is unfinished")
    number, through_mjd, alerts, updated, failure = row
    said = f"run {number}, through MJD {through_mjd}, has confirmed {alerts} alerts"
    cure = "manage.py send_elasticc2_alerts, which completes it before anything else"
    if failure:
        return Finding("sending", f"{said} and failed: {failure}", cure)
    if now - updated > SILENT:
        return Finding("sending", f"{said} and was last heard of {updated:%Y-%m-%d %H:%M} UTC", cure)
    return Finding("sending", f"{said} and goes on")


def marks() -> Finding:
    """Whether as many alerts are marked as the batches of the latest nights say were sent.

    More are where somebody else marked them. Fewer are where somebody took marks away, which is in order once
    these alerts were sent again.
    """
    differing, unmarked = [], []
    nights = nights_sent(limit=COMPARED_NIGHTS)
    for night, sent in nights:
        marked, unsent = count_marks(night)
        if marked != sent:
            differing.append(f"{marked} of night {night}, of which {sent} were sent")
        if marked < sent and unsent:
            unmarked.append(night)
    said = f"of {len(nights)} nights compared with what was sent: {', '.join(differing) or 'the same'}"
    window = f"--start-day {min(unmarked) - NOON} --through-day {max(unmarked) + NOON}" if unmarked else ""
    return Finding("marked alerts", said, window and f"manage.py send_elasticc2_alerts {window} --do")


def count_marks(night: int) -> tuple[int, int]:
    """How many alerts of a night are marked sent, and how many are not."""
    with connection.cursor() as cursor:
        cursor.execute(MARKS, of_night(night))
        marked, unsent = cursor.fetchone()
    return marked, unsent


def encoded(sample: int) -> Finding:
    """Whether objects that are kept encoded are what their rows come to."""
    looked_at = kept = wrong = 0
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(PPDB_SAMPLE, share("elasticc2_ppdbdiaobject", sample))
        drawn = [row[0] for row in cursor.fetchall()]
        for start in range(0, len(drawn), OBJECTS_AT_ONCE):
            held = hold(cursor, drawn[start : start + OBJECTS_AT_ONCE])
            of_rows = encode_batch(read_batch(cursor, held))
            stored = read_kept(cursor, held)
            looked_at += len(held)
            kept += len(stored)
            wrong += sum(of_rows[objectid] != found for objectid, found in stored.items())
        transaction.set_rollback(True)
    label = "objects kept encoded"
    if wrong:
        said = f"{wrong} of {kept} are not what their rows come to"
        return Finding(label, said, "manage.py encode_elasticc2_objects --anew")
    return Finding(label, f"{kept} of {looked_at} looked at, and they are right")


def compare(sample: int) -> tuple[int, Counter[str]]:
    """Recompute what is kept of a sample, and take it back: objects looked at, wrong rows by table."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(LOCKS)
        objects = take_sample(cursor, sample)
        wrong = Counter(forget_groundless(cursor, "sampled_object"))
        wrong.update(summarise(cursor, "sampled_object"))
        transaction.set_rollback(True)
    return objects, wrong


def take_sample(cursor: Any, sample: int) -> int:
    """Put up to so many objects into ``sampled_object``; how many they are."""
    cursor.execute("CREATE TEMPORARY TABLE sampled_object (diaobject_id bigint PRIMARY KEY)")
    cursor.execute(SAMPLE, share("elasticc2_diaobject", sample))
    drawn: int = cursor.rowcount
    cursor.execute("ANALYZE sampled_object")
    return drawn


def share(table: str, sample: int) -> dict[str, float]:
    """How much of a table to draw a sample from: rather too much, since a share is drawn only about."""
    rows = estimate(table, "true")
    percent = min(100.0, 100 * (2 * sample + 1000) / rows) if rows > DRAWN_WHOLE else 100.0
    return {"percent": percent, "sample": sample}

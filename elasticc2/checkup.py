"""Findings of ``manage.py doctor`` in this campaign: is what is kept of objects what their rows say?"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.db import OperationalError, connection, transaction
from psycopg2.errors import LockNotAvailable

from elasticc2.counts import estimate
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


def checkup(sample: int) -> Iterator[Finding]:
    """What waits for reveal, and whether what is kept of ``sample`` objects, at random, is right."""
    yield waiting()
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
    # Rather too many, since a share is drawn only about; as many as wanted are chosen from them.
    percent = min(100.0, 100 * (2 * sample + 1000) / max(estimate("elasticc2_diaobject", "true"), 1))
    cursor.execute(SAMPLE, {"percent": percent, "sample": sample})
    drawn: int = cursor.rowcount
    cursor.execute("ANALYZE sampled_object")
    return drawn

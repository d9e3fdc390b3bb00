"""Ingest: broker messages into the database, each once, and the news of them for reveal."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import connection, transaction

from tom_desc import bulkcopy
from tom_desc.streams.classifications import Classifications, Classifier

REST_TOPIC = "REST_push"
REST_OFFSET = -1
# Messages that are written into the statement; more go through a staging table.
MOST_LITERALS = 20

TABLE = "elasticc2_brokermessage"
COLUMNS = (
    "streammessage_id",
    "topicname",
    "alert_id",
    "diasource_id",
    "msghdrtimestamp",
    "elasticcpublishtimestamp",
    "brokeringesttimestamp",
    "classid",
    "classifier_id",
    "probability",
)
# As the table's generated column has it.
DIGEST = (
    "hash_record_extended(ROW(s.alert_id, s.classifier_id, s.msghdrtimestamp, s.classid, s.probability), 0)"
)

# Ids follow the order of the request, rows go in by their key: two batches of the same messages then wait
# for each other, never in a ring.
STORE = f"""
WITH numbered AS MATERIALIZED (
    SELECT nextval('"elasticc2_brokermessage_brokerMessageId_seq"') AS brokermessage_id, {", ".join(COLUMNS)}
    FROM {{rows}} s
), stored AS (
    INSERT INTO {TABLE} (brokermessage_id, {", ".join(COLUMNS)})
    SELECT brokermessage_id, {", ".join(COLUMNS)} FROM numbered s
    ORDER BY diasource_id, {DIGEST}
    ON CONFLICT DO NOTHING
    RETURNING diasource_id, brokermessage_id
), sources AS (
    SELECT DISTINCT diasource_id FROM stored
), news AS (
    INSERT INTO elasticc2_brokernews (diasource_ids)
    SELECT array_agg(diasource_id ORDER BY diasource_id) FROM sources HAVING count(*) > 0
), mirror AS (
    INSERT INTO elasticc2_brokersourceids (diasource_id)
    SELECT diasource_id FROM sources ORDER BY diasource_id
    ON CONFLICT DO NOTHING
)
SELECT count(*), min(brokermessage_id) FILTER (WHERE brokermessage_id = first)
FROM stored, (SELECT min(brokermessage_id) AS first FROM numbered) numbered"""

# Where the first message was there already.
FIRST_ID = f"""
SELECT m.brokermessage_id
FROM {{first}} s
JOIN {TABLE} m ON m.diasource_id = s.diasource_id AND m.digest = {DIGEST}"""

KNOWN_CLASSIFIERS = """
SELECT brokername, brokerversion, classifiername, classifierparams, classifier_id
FROM elasticc2_brokerclassifier WHERE brokername = ANY(%s)"""
ADD_CLASSIFIER = """
INSERT INTO elasticc2_brokerclassifier (brokername, brokerversion, classifiername, classifierparams)
VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING"""


@dataclass(frozen=True)
class Stored:
    """What became of a batch. ``first_id`` is the id of its first message, stored now or before."""

    loaded: int
    duplicates: int
    first_id: int


def ingest(batch: Classifications, *, topic: str = REST_TOPIC) -> Stored:
    """Store a batch that is not empty; messages that are there already are counted, not stored again."""
    ids = classifier_ids(batch.classifiers)
    keep = first_of_each(batch)
    columns = message_columns(batch, ids, keep, topic)
    with connection.cursor() as cursor:
        with as_rows(cursor, columns) as rows:
            cursor.execute(STORE.format(rows=rows))
            loaded, first_id = cursor.fetchone()
        if first_id is None:
            first = bulkcopy.as_values(cursor, TABLE, {name: values[:1] for name, values in columns.items()})
            cursor.execute(FIRST_ID.format(first=first))
            (first_id,) = cursor.fetchone()
    return Stored(loaded=loaded, duplicates=len(batch) - loaded, first_id=first_id)


@contextmanager
def as_rows(cursor: Any, columns: dict[str, Any]) -> Iterator[str]:
    """What a statement names to read the columns as rows. A few need no transaction of several statements."""
    if bulkcopy.row_count(columns) <= MOST_LITERALS:
        yield bulkcopy.as_values(cursor, TABLE, columns)
        return
    with transaction.atomic():
        yield (staging := bulkcopy.stage(cursor, TABLE, columns))
        cursor.execute(f"TRUNCATE {staging}")


def classifier_ids(classifiers: list[Classifier]) -> dict[Classifier, int]:
    """Ids of the batch's classifiers; new ones are made in a transaction of their own.

    Two batches that bring the same new classifier would otherwise wait for each other's messages.
    """
    wanted = set(classifiers)
    known = known_classifiers(wanted)
    missing = sorted(wanted - set(known), key=repr)
    if missing:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.executemany(ADD_CLASSIFIER, missing)
        known = known_classifiers(wanted)
    return known


def known_classifiers(wanted: set[Classifier]) -> dict[Classifier, int]:
    with connection.cursor() as cursor:
        cursor.execute(KNOWN_CLASSIFIERS, (sorted({classifier[0] for classifier in wanted}),))
        return {row[:4]: row[4] for row in cursor.fetchall() if row[:4] in wanted}


def first_of_each(batch: Classifications) -> list[int]:
    """In one request, messages of one classifier on one alert are one message: the first."""
    first: dict[tuple[Classifier, int], int] = {}
    for row, key in enumerate(zip(batch.classifiers, batch.alert_ids.tolist(), strict=True)):
        first.setdefault(key, row)
    return list(first.values())


def message_columns(
    batch: Classifications, ids: dict[Classifier, int], keep: list[int], topic: str
) -> dict[str, Any]:
    """The table's other columns, of the rows to keep."""
    rows = np.array(keep)
    return {
        "streammessage_id": np.full(len(rows), REST_OFFSET),
        "topicname": np.full(len(rows), topic.encode()),
        "alert_id": batch.alert_ids[rows],
        "diasource_id": batch.source_ids[rows],
        "msghdrtimestamp": batch.header[rows],
        "elasticcpublishtimestamp": batch.published[rows],
        "brokeringesttimestamp": batch.ingested[rows],
        "classid": batch.classids.take(rows),
        "classifier_id": np.array([ids[batch.classifiers[row]] for row in keep]),
        "probability": batch.probabilities.take(rows),
    }

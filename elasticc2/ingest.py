"""Ingest: broker messages into the database, each once, and the news of them for reveal."""

from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import IntegrityError, connection, transaction
from numpy.typing import NDArray

from tom_desc import bulkcopy
from tom_desc.hashpartitions import hash_partition, partition_sql
from tom_desc.streams.classifications import Classifications, Classifier

REST_TOPIC = "REST_push"
REST_OFFSET = -1
# Messages, and classes of them, that are written into the statement; more go through a staging table.
MOST_LITERALS = 20
MOST_LITERAL_CLASSES = 1000
# Characters of the column; Kafka allows 249.
LONGEST_TOPIC = 200

TABLE = "elasticc2_brokermessage"
PARTITIONS = 16
COLUMNS = (
    "streammessage_id",
    "topicname",
    "topicpartition",
    "alert_id",
    "diasource_id",
    "msghdrtimestamp",
    "elasticcpublishtimestamp",
    "brokeringesttimestamp",
    "classid",
    "classifier_id",
    "probability",
)
NAMES = ", ".join(COLUMNS)
# As the table's generated column has it.
DIGEST = (
    "hash_record_extended(ROW(s.alert_id, s.classifier_id, s.msghdrtimestamp, s.classid, s.probability), 0)"
)
# Rows go in by what makes a message the same: two batches of the same messages then wait for each other,
# never in a ring. COPY fills one partition after the other, so the partition comes first.
KEY_ORDER = (
    f"{partition_sql('diasource_id', PARTITIONS)}, diasource_id, classifier_id, alert_id,"
    " msghdrtimestamp NULLS FIRST, classid, probability"
)

# What reveal is to look at, from a query of one sorted array of source ids. Messages always come before.
HEARD = """
news AS (
    INSERT INTO elasticc2_brokernews (diasource_ids)
    {source_ids}
    RETURNING diasource_ids
), mirror AS (
    INSERT INTO elasticc2_brokersourceids (diasource_id)
    SELECT unnest(diasource_ids) FROM news
    ON CONFLICT DO NOTHING
)"""
TELL = f"WITH {HEARD.format(source_ids='VALUES (%s::bigint[])')} SELECT FROM news"
STORED_SOURCES = (
    "SELECT array_agg(DISTINCT diasource_id ORDER BY diasource_id) FROM stored HAVING count(*) > 0"
)

# Ids follow the order in which the messages came.
STORE = f"""
WITH numbered AS MATERIALIZED (
    SELECT nextval('"elasticc2_brokermessage_brokerMessageId_seq"') AS brokermessage_id, {NAMES}
    FROM {{rows}} s
), stored AS (
    INSERT INTO {TABLE} (brokermessage_id, {NAMES})
    SELECT brokermessage_id, {NAMES} FROM numbered
    ORDER BY {KEY_ORDER}
    ON CONFLICT (diasource_id, digest) DO NOTHING
    RETURNING diasource_id, brokermessage_id, topicname, topicpartition
), {HEARD.format(source_ids=STORED_SOURCES)}"""
STORE_AND_FIND_FIRST = f"""{STORE}
SELECT count(*), min(brokermessage_id) FILTER (WHERE brokermessage_id = first)
FROM stored, (SELECT min(brokermessage_id) AS first FROM numbered) numbered"""
STORE_AND_COUNT = f"""{STORE}
SELECT topicname, topicpartition, count(*) FROM stored GROUP BY topicname, topicpartition"""

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


def ingest(batch: Classifications) -> Stored:
    """Store a batch that is not empty; messages that are there already are counted, not stored again."""
    ids = classifier_ids(batch.classifiers)
    first_ones = first_of_each(batch)
    columns = message_columns(first_ones, ids) | rest_columns(len(first_ones))
    with connection.cursor() as cursor:
        with as_rows(cursor, columns) as rows:
            cursor.execute(STORE_AND_FIND_FIRST.format(rows=rows))
            loaded, first_id = cursor.fetchone()
        if first_id is None:
            first = {name: column if column is None else column[:1] for name, column in columns.items()}
            cursor.execute(FIRST_ID.format(first=bulkcopy.as_values(cursor, TABLE, first)))
            (first_id,) = cursor.fetchone()
    return Stored(loaded=loaded, duplicates=len(batch) - loaded, first_id=first_id)


def ingest_stream(
    cursor: Any,
    batch: Classifications,
    ids: dict[Classifier, int],
    *,
    topics: NDArray[np.bytes_],
    partitions: NDArray[np.int64],
    offsets: NDArray[np.int64],
) -> dict[tuple[str, int], int]:
    """Store all messages of a batch within the caller's transaction, those that are there already excepted.

    Parameters
    ----------
    ids
        Of the batch's classifiers, see :func:`classifier_ids`.
    topics, partitions, offsets
        Where each of the batch's messages came from.

    Returns
    -------
    dict
        How many were stored now, by topic and partition.
    """
    if not len(batch):
        return {}
    columns = message_columns(batch, ids) | stream_columns(topics, partitions, offsets)
    if not copied(cursor, columns):
        return stored_where_new(cursor, columns, counts_of(topics, partitions))
    cursor.execute(TELL, (as_array(np.unique(batch.source_ids)),))
    return counts_of(topics, partitions)


def copied(cursor: Any, columns: dict[str, Any]) -> bool:
    """Whether all rows could go straight into the table; nothing is stored where one is there already."""
    order = key_order(columns)
    if order is None:
        return False
    try:
        with transaction.atomic(using=cursor.db.alias):
            bulkcopy.copy_in(cursor, TABLE, {name: column.take(order) for name, column in columns.items()})
    except IntegrityError:
        return False
    return True


def key_order(columns: dict[str, Any]) -> NDArray[np.int64] | None:
    """Indices that put the rows in the order of :data:`KEY_ORDER`; None where that takes their opinions."""
    sources = columns["diasource_id"]
    times = columns["msghdrtimestamp"].view(np.int64)
    parted = hash_partition(sources, PARTITIONS)
    keys = times, columns["alert_id"], columns["classifier_id"], sources, parted
    order = np.lexsort(keys)
    same = np.logical_and.reduce([np.diff(key[order]) == 0 for key in keys])
    return None if same.any() else order


def stored_where_new(
    cursor: Any, columns: dict[str, Any], places: Collection[tuple[str, int]]
) -> dict[tuple[str, int], int]:
    """Store the rows that are not there yet; how many of each place these were."""
    in_table = {(topic[:LONGEST_TOPIC], partition): (topic, partition) for topic, partition in places}
    with as_rows(cursor, columns) as rows:
        cursor.execute(STORE_AND_COUNT.format(rows=rows))
        return {in_table[topic, partition]: count for topic, partition, count in cursor.fetchall()}


def counts_of(topics: NDArray[np.bytes_], partitions: NDArray[np.int64]) -> dict[tuple[str, int], int]:
    """How many messages came from each topic and partition."""
    places = Counter(zip(topics.tolist(), partitions.tolist(), strict=True))
    return {(topic.decode(), partition): count for (topic, partition), count in places.items()}


def as_array(numbers: NDArray[np.int64]) -> str:
    """An array literal: thousands of parameters would be parsed one by one."""
    return f"{{{','.join(map(str, numbers.tolist()))}}}"


@contextmanager
def as_rows(cursor: Any, columns: dict[str, Any]) -> Iterator[str]:
    """What a statement names to read the columns as rows. A few need no transaction of several statements."""
    classes = len(columns["classid"].values)
    if bulkcopy.row_count(columns) <= MOST_LITERALS and classes <= MOST_LITERAL_CLASSES:
        yield bulkcopy.as_values(cursor, TABLE, columns)
        return
    with transaction.atomic(using=cursor.db.alias):
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


def first_of_each(batch: Classifications) -> Classifications:
    """In one request, messages of one classifier on one alert are one message: the first."""
    first: dict[tuple[Classifier, int], int] = {}
    for row, key in enumerate(zip(batch.classifiers, batch.alert_ids.tolist(), strict=True)):
        first.setdefault(key, row)
    rows = np.array(list(first.values()), np.int64)
    return batch if len(rows) == len(batch) else batch.take(rows)


def message_columns(batch: Classifications, ids: dict[Classifier, int]) -> dict[str, Any]:
    """The table's columns that tell what a message says."""
    return {
        "alert_id": batch.alert_ids,
        "diasource_id": batch.source_ids,
        "msghdrtimestamp": batch.header,
        "elasticcpublishtimestamp": batch.published,
        "brokeringesttimestamp": batch.ingested,
        "classid": batch.classids,
        "classifier_id": np.array([ids[names] for names in batch.classifiers]),
        "probability": batch.probabilities,
    }


def rest_columns(rows: int) -> dict[str, Any]:
    """Where messages come from that came over REST."""
    return {
        "streammessage_id": np.full(rows, REST_OFFSET),
        "topicname": np.full(rows, REST_TOPIC.encode()),
        "topicpartition": None,
    }


def stream_columns(
    topics: NDArray[np.bytes_], partitions: NDArray[np.int64], offsets: NDArray[np.int64]
) -> dict[str, Any]:
    """Where messages come from that came from a stream; the longest names of topics are cut."""
    names = topics if topics.itemsize <= LONGEST_TOPIC else topics.astype(f"S{LONGEST_TOPIC}")
    return {"streammessage_id": offsets, "topicname": names, "topicpartition": partitions}

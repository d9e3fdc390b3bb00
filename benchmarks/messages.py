"""What brokers say in a benchmark, and the same as rows ready to be copied."""

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
from django.db import connection

from benchmarks.copying import Rows, copy_form
from elasticc2.ingest import classifier_ids, message_columns, rest_columns
from tom_desc.streams.classifications import check
from tom_desc.streams.fakebroker import NUGENT, RANDOM_SN_TYPE

TABLE = "elasticc2_brokermessage"
CLASSIFIERS = (NUGENT, RANDOM_SN_TYPE)
AT_ONCE = 1000
# 2024-01-01, in milliseconds: when all of it happens.
MOMENT_MS = 1_704_067_200_000
# Of messages: far beyond what the sequence gives out.
FIRST_FREE_ID = 10**12
# Sources that no sky has: beyond the epochs of every object.
FIRST_UNUSED_EPOCH = 1000


class Sources:
    """Ids of sources that nobody has spoken of, spread over all objects as a night's are."""

    def __init__(self, objects: int) -> None:
        self.objects = objects
        self.epoch = FIRST_UNUSED_EPOCH
        self.dice = random.Random(1)

    def next(self, count: int) -> list[int]:
        """So many more."""
        self.epoch += 1
        chosen = self.dice.sample(range(1, self.objects + 1), count)
        return [objectid * 100_000 + self.epoch for objectid in chosen]


def messages(sourceids: Sequence[int]) -> list[dict[str, Any]]:
    """Both pretend classifiers' answers to the alerts of some sources: one of one class, one of twenty."""
    return [
        classifier.answer(alert_id=sourceid, diasource_id=sourceid, published_ms=MOMENT_MS, now_ms=MOMENT_MS)
        for sourceid in sourceids
        for classifier in CLASSIFIERS
    ]


def rows_of(said: list[dict[str, Any]], *, first_id: int) -> Rows:
    """The rows that ingest would store, numbered from ``first_id``; Django's connection knows the columns."""
    batch, _ = check(said)
    columns = message_columns(batch, classifier_ids(batch.classifiers)) | rest_columns(len(batch))
    with connection.cursor() as cursor:
        ids = np.arange(first_id, first_id + len(batch))
        return copy_form(cursor, TABLE, {"brokermessage_id": ids} | columns)


def rows_of_batches(batches: Sequence[list[dict[str, Any]]]) -> list[Rows]:
    """The same of several batches, no number twice."""
    return [rows_of(said, first_id=FIRST_FREE_ID + k * AT_ONCE) for k, said in enumerate(batches)]


def as_body(said: list[dict[str, Any]]) -> bytes:
    """The body of a PUT."""
    return orjson.dumps(said)

"""How many rows the campaign's tables have: exactly where that is quick, else as the planner estimates."""

import json
from dataclasses import dataclass

from django.db import connection

# Counting more rows than this one by one would take longer than a visitor waits.
COUNTED_EXACTLY = 1_000_000


@dataclass(frozen=True)
class Count:
    """``about``: an estimate from the sizes of the table's files and its statistics."""

    label: str
    rows: int
    about: bool


# Label, table, and which of its rows.
KNOWN = (
    ("Objects", "elasticc2_diaobject", "true"),
    ("Sources (detections)", "elasticc2_diasource", "true"),
    ("Forced sources", "elasticc2_diaforcedsource", "true"),
    ("Broker messages", "elasticc2_brokermessage", "true"),
    ("Classifiers", "elasticc2_brokerclassifier", "true"),
)
SURVEY = (
    ("PPDB objects", "elasticc2_ppdbdiaobject", "true"),
    ("PPDB sources", "elasticc2_ppdbdiasource", "true"),
    ("PPDB forced sources", "elasticc2_ppdbdiaforcedsource", "true"),
    ("Alerts", "elasticc2_ppdbalert", "true"),
    ("Alerts sent", "elasticc2_ppdbalert", "alertsenttimestamp IS NOT NULL"),
)


def counts(tables: tuple[tuple[str, str, str], ...]) -> list[Count]:
    """Row counts, in the order of ``tables``."""
    return [count(label, table, condition) for label, table, condition in tables]


def count(label: str, table: str, condition: str) -> Count:
    about = estimate(table, "true") > COUNTED_EXACTLY
    rows = estimate(table, condition) if about else exact(table, condition)
    return Count(label, rows, about)


def exact(table: str, condition: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table} WHERE {condition}")
        rows: int = cursor.fetchone()[0]
    return rows


def estimate(table: str, condition: str) -> int:
    """The planner's estimate: reltuples of all partitions, corrected for what they have grown since."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) SELECT FROM {table} WHERE {condition}")
        (plan,) = cursor.fetchone()
    [top] = json.loads(plan) if isinstance(plan, str) else plan
    rows: int = top["Plan"]["Plan Rows"]
    return rows

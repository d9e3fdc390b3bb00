"""Coverage: of the alerts sent of a night, how many each classifier has answered, and which it has not.

A night of the survey lasts from noon to noon (UTC) and is called by the MJD between them. What is asked
costs what the night holds, however much the tables do: subqueries with ``OFFSET 0`` or DISTINCT are looked up
row by row in an index, where the planner might otherwise read a whole table to join it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from tom_desc import bulkcopy

NOON = 0.5
# Of a sample: a night is cut into so many parts, from each of which the first alerts are taken.
PARTS = 20

# A run that sends again sends each alert of the night once more, and what others sent comes together.
NIGHTS_SENT = """
SELECT night, max(alerts)
FROM (SELECT night, sum(alerts) AS alerts, CASE WHEN resend THEN sendrun_id END AS resent_by
      FROM elasticc2_sendbatch LEFT JOIN elasticc2_sendrun USING (sendrun_id)
      WHERE %(before)s::integer IS NULL OR night < %(before)s
      GROUP BY night, resent_by) of_runs
GROUP BY night ORDER BY night DESC LIMIT %(limit)s"""

ALERT_OF_SOURCE = """
CROSS JOIN LATERAL (SELECT alert_id FROM elasticc2_ppdbalert
                    WHERE diasource_id = s.diasource_id AND alertsenttimestamp IS NOT NULL
                    OFFSET 0) a"""
SENT = f"""
SELECT a.alert_id, s.diasource_id
FROM elasticc2_ppdbdiasource s {ALERT_OF_SOURCE}
WHERE s.midpointtai > %(noon)s AND s.midpointtai <= %(next_noon)s"""
SAMPLE = f"""
SELECT a.alert_id, s.diasource_id
FROM unnest(%(starts)s::float8[], %(ends)s::float8[]) AS part (starts, ends)
CROSS JOIN LATERAL (SELECT diasource_id FROM elasticc2_ppdbdiasource
                    WHERE midpointtai >= part.starts AND midpointtai < part.ends
                    ORDER BY midpointtai LIMIT %(of_each)s) s {ALERT_OF_SOURCE}"""

# How many were sent, in a row without classifier, and how many each classifier answered.
ANSWERED = """
WITH sent AS MATERIALIZED ({sent})
SELECT NULL::bigint, count(*) FROM sent
UNION ALL
SELECT classifier_id, count(*)
FROM sent
CROSS JOIN LATERAL (SELECT DISTINCT classifier_id FROM elasticc2_brokermessage
                    WHERE diasource_id = sent.diasource_id AND alert_id = sent.alert_id
                      AND classifier_id = ANY(%(classifiers)s::bigint[])) answer
GROUP BY classifier_id"""
MISSING = f"""
SELECT alert_id FROM ({SENT}) sent
WHERE NOT EXISTS (SELECT FROM elasticc2_brokermessage
                  WHERE diasource_id = sent.diasource_id AND alert_id = sent.alert_id
                    AND classifier_id = %(classifier)s
                  OFFSET 0)
ORDER BY alert_id"""
CLASSIFIERS = "SELECT classifier_id FROM elasticc2_brokerclassifier ORDER BY classifier_id"
LATEST_NIGHT = """
SELECT night, min(first_mjd), max(last_mjd) FROM elasticc2_sendbatch
WHERE night = (SELECT max(night) FROM elasticc2_sendbatch) GROUP BY night"""


@dataclass(frozen=True)
class Coverage:
    """Alerts sent of a night, and how many of them a classifier answered, with however many messages."""

    night: int
    classifier_id: int
    sent: int
    answered: int

    @property
    def missing(self) -> int:
        return self.sent - self.answered


def nights_sent(*, limit: int, before: int | None = None) -> list[tuple[int, int]]:
    """The latest nights of which alerts were sent, latest first, and how many alerts.

    Parameters
    ----------
    before
        List the nights before this one.
    """
    with connection.cursor() as cursor:
        cursor.execute(NIGHTS_SENT, {"limit": limit, "before": before})
        return cursor.fetchall()


def coverage(*, nights: Sequence[int], classifier_ids: Sequence[int] | None = None) -> list[Coverage]:
    """What the classifiers answered of each night: every classifier a row, in the order of the nights.

    Parameters
    ----------
    classifier_ids
        Which classifiers; None: all that ever said anything.
    """
    classifiers = known_classifiers() if classifier_ids is None else sorted(set(classifier_ids))
    return [row for night in nights for row in answered(night, classifiers, SENT, of_night(night))]


def missing_alerts(*, night: int, classifier_id: int) -> NDArray[np.int64]:
    """Ids of the night's sent alerts that the classifier has not answered, ascending."""
    with connection.cursor() as cursor:
        query = cursor.mogrify(MISSING, of_night(night) | {"classifier": classifier_id}).decode()
        missing: NDArray[np.int64] = bulkcopy.read(cursor, query, [("alert_id", "i8")])["alert_id"]
    return missing


def latest_coverage(*, alerts: int, classifier_ids: Sequence[int]) -> list[Coverage]:
    """Coverage of the latest night sent, by a sample of its alerts; empty while nothing was sent.

    Parameters
    ----------
    alerts
        Look at so many of the night's alerts at most, spread over its hours; ``sent`` says how many.
    """
    with connection.cursor() as cursor:
        cursor.execute(LATEST_NIGHT)
        row = cursor.fetchone()
    if row is None:
        return []
    night, first, last = row
    edges = np.linspace(first, last, PARTS + 1)
    edges[-1] = np.nextafter(last, np.inf)
    parts = {"starts": edges[:-1].tolist(), "ends": edges[1:].tolist(), "of_each": alerts // PARTS}
    return answered(night, list(classifier_ids), SAMPLE, parts)


def of_night(night: int) -> dict[str, Any]:
    """Bounds of a night, MJD (TAI): from the noon before, which is not in it, to the noon after."""
    return {"noon": night - NOON, "next_noon": night + NOON}


def known_classifiers() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(CLASSIFIERS)
        return [classifier for (classifier,) in cursor.fetchall()]


def answered(night: int, classifiers: list[int], sent: str, bounds: dict[str, Any]) -> list[Coverage]:
    """Coverage of those alerts that the query ``sent`` finds within its bounds."""
    with connection.cursor() as cursor:
        cursor.execute(ANSWERED.format(sent=sent), bounds | {"classifiers": classifiers})
        counts = dict(cursor.fetchall())
    total = counts[None]
    return [Coverage(night, classifier, total, counts.get(classifier, 0)) for classifier in classifiers]

"""Stored broker messages, found by alert, object or source."""

from collections.abc import Sequence
from typing import Any

from django.db import connection

from elasticc2.counts import COUNTED_EXACTLY, estimate, exact
from tom_desc.fields import MAX_ID

TABLE = "elasticc2_brokermessage"
# A message's own columns, then its classifier's names.
COLUMNS = (
    *("brokermessage_id", "streammessage_id", "topicname", "topicpartition", "alert_id", "diasource_id"),
    *("msghdrtimestamp", "descingesttimestamp", "elasticcpublishtimestamp", "brokeringesttimestamp"),
    *("classifier_id", "classid", "probability"),
    *("brokername", "brokerversion", "classifiername", "classifierparams"),
)
# All go through the source, by which messages are indexed; an alert usually has its source's number.
CONDITIONS = {
    "sourceid": "diasource_id = ANY(%(sourceid)s)",
    "objectid": (
        "diasource_id = ANY(ARRAY(SELECT diasource_id FROM elasticc2_diasource"
        " WHERE diaobject_id = ANY(%(objectid)s)))"
    ),
    "alertid": (
        "alert_id = ANY(%(alertid)s) AND diasource_id = ANY(%(alertid)s || ARRAY("
        "SELECT diasource_id FROM elasticc2_ppdbalert WHERE alert_id = ANY(%(alertid)s)))"
    ),
}
PAGE = f"""
SELECT {", ".join(COLUMNS)}
FROM (SELECT * FROM {TABLE} WHERE {{condition}}
      ORDER BY brokermessage_id OFFSET %(offset)s LIMIT %(num)s) m
LEFT JOIN elasticc2_brokerclassifier USING (classifier_id)
ORDER BY brokermessage_id"""


def broker_messages(*, offset: int, num: int, **filters: Sequence[int]) -> tuple[list[dict[str, Any]], int]:
    """One page of the messages that pass all filters, in the order in which they were stored.

    Parameters
    ----------
    filters
        Ids by name of the filter: ``alertid``, ``objectid`` (of objects that the TOM knows), ``sourceid``.

    Returns
    -------
    list of dict, int
        The page, and how many there are; of a large table without filters, about how many.
    """
    condition = " AND ".join(CONDITIONS[name] for name in filters) or "true"
    ids = {name: list(values) for name, values in filters.items()}
    with connection.cursor() as cursor:
        cursor.execute(PAGE.format(condition=condition), {**ids, "offset": offset, "num": num})
        page = [dict(zip(COLUMNS, row, strict=True)) for row in cursor.fetchall()]
        if not filters:
            total = estimate(TABLE, "true")
            return page, total if total > COUNTED_EXACTLY else exact(TABLE, "true")
        cursor.execute(f"SELECT count(*) FROM {TABLE} WHERE {condition}", ids)
        return page, cursor.fetchone()[0]


def broker_message(message_id: int) -> dict[str, Any]:
    """The message of this id; an empty dict where there is none."""
    if message_id > MAX_ID:
        return {}
    with connection.cursor() as cursor:
        only = PAGE.format(condition="brokermessage_id = %(id)s")
        cursor.execute(only, {"id": message_id, "offset": 0, "num": 1})
        return next((dict(zip(COLUMNS, row, strict=True)) for row in cursor.fetchall()), {})

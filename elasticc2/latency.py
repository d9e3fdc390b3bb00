"""Latency: how long a message took on each stage of its way, from the alert sent to the message stored."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

# Of more messages the latest stand for all: a scan of the index on when they were stored, which ends there.
MOST_MESSAGES = 100_000

# From the first time to the second.
STAGES = {
    "sent to broker": ("elasticcpublishtimestamp", "brokeringesttimestamp"),
    "in broker": ("brokeringesttimestamp", "msghdrtimestamp"),
    "broker to TOM": ("msghdrtimestamp", "descingesttimestamp"),
    "all": ("elasticcpublishtimestamp", "descingesttimestamp"),
}
TIMES = ", ".join(dict.fromkeys(time for times in STAGES.values() for time in times))
SECONDS = ",\n    ".join(
    f"({place}, '{stage}', extract(epoch FROM {until} - {since})::float8)"
    for place, (stage, (since, until)) in enumerate(STAGES.items())
)
LATENCY = f"""
SELECT classifier_id, stage, count(*),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds),
       percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds),
       max(seconds)
FROM (SELECT classifier_id, {TIMES} FROM elasticc2_brokermessage
      WHERE descingesttimestamp >= %(since)s
      ORDER BY descingesttimestamp DESC LIMIT %(most)s) latest
CROSS JOIN LATERAL (VALUES
    {SECONDS}) stages (place, stage, seconds)
WHERE seconds IS NOT NULL
  AND (%(classifiers)s::bigint[] IS NULL OR classifier_id = ANY(%(classifiers)s))
GROUP BY classifier_id, place, stage
ORDER BY classifier_id, place"""


@dataclass(frozen=True)
class Latency:
    """Seconds that a classifier's messages took on a stage: how many messages, median, 95 %, longest.

    Each time is of the clock of whoever took it, so a stage between two machines may be negative.
    """

    classifier_id: int
    stage: str
    count: int
    p50: float
    p95: float
    most: float


def latency(
    *, since: datetime, classifier_ids: Sequence[int] | None = None, messages: int = MOST_MESSAGES
) -> list[Latency]:
    """The stages of the messages stored since a moment (wall time), by classifier and along the way.

    A message that lacks one of a stage's two times is not counted there; a stage without any has no row.

    Parameters
    ----------
    classifier_ids
        The only classifiers to list; None: all.
    messages
        Look at so many messages at most, of all classifiers: the latest.
    """
    asked = None if classifier_ids is None else list(classifier_ids)
    with connection.cursor() as cursor:
        cursor.execute(LATENCY, {"since": since, "classifiers": asked, "most": messages})
        return [Latency(*row) for row in cursor.fetchall()]

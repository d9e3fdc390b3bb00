"""The record of sending, from which the histograms are made, for alerts that were sent without one."""

from datetime import datetime
from typing import Any

# By hour (UTC) and night, marked alerts beyond those recorded: of a restored dump, or marked by SQL.
RECORD = """
WITH marked AS (
    SELECT date_trunc('hour', alertsenttimestamp, 'UTC') AS hour, ceil(midpointtai - 0.5)::int AS night,
           count(*) AS alerts, min(alertsenttimestamp) AS sent,
           min(midpointtai) AS first_mjd, max(midpointtai) AS last_mjd
    FROM elasticc2_ppdbalert JOIN elasticc2_ppdbdiasource USING (diasource_id)
    WHERE alertsenttimestamp >= %(start)s AND alertsenttimestamp < %(end)s
    GROUP BY hour, night
), recorded AS (
    SELECT date_trunc('hour', sent, 'UTC') AS hour, night, sum(alerts) AS alerts
    FROM elasticc2_sendbatch LEFT JOIN elasticc2_sendrun USING (sendrun_id)
    WHERE NOT coalesce(resend, false)
    GROUP BY hour, night
)
INSERT INTO elasticc2_sendbatch (night, sent, alerts, messages, first_mjd, last_mjd)
SELECT night, sent, marked.alerts - coalesce(recorded.alerts, 0), 0, first_mjd, last_mjd
FROM marked LEFT JOIN recorded USING (hour, night)
WHERE marked.alerts > coalesce(recorded.alerts, 0)
ORDER BY hour, night
RETURNING alerts"""
FORGET = "DELETE FROM elasticc2_sendbatch WHERE sendrun_id IS NULL AND sent >= %s AND sent < %s"


def record_sent(cursor: Any, *, start: datetime, end: datetime, anew: bool) -> int:
    """Record the alerts that were marked sent in a time and are not recorded yet; how many.

    Parameters
    ----------
    start, end
        Whole hours (UTC).
    anew
        Forget first what was recorded without a run of ``send_elasticc2_alerts``.
    """
    if anew:
        cursor.execute(FORGET, (start, end))
    cursor.execute(RECORD, {"start": start, "end": end})
    return sum(alerts for (alerts,) in cursor.fetchall())

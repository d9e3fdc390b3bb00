"""Alerts of a simulated survey as bytes.

``assemble``: value is alerts a second, read from the database and put together, beginning with an empty
cache, every alert of some of the objects in order of time. Limit: alerts a second of fastavro writing the
same alerts, which it is handed as dicts.
"""

import io
from functools import partial
from typing import Any

import fastavro
from django.db import connection

from benchmarks import databases
from benchmarks.bench import Bench
from benchmarks.measuring import Result, at_least, in_turn, seconds
from benchmarks.profiling import profile
from elasticc2.alerts import AlertAssembler
from tom_desc.streams.schemas import ALERT, schema

# Whole objects, as many as bring the number of alerts asked for.
ALERTS = """
SELECT alert_id
FROM (SELECT alert_id, midpointtai, diasource_id, sum(1) OVER (ORDER BY hashint8(a.diaobject_id)) AS upto
      FROM elasticc2_ppdbalert a JOIN elasticc2_ppdbdiasource s USING (diasource_id)) counted
WHERE upto <= %s
ORDER BY midpointtai, diasource_id"""


def run(bench: Bench) -> list[Result]:
    """Assembling beside fastavro."""
    database = bench.loaded_survey()
    with bench.progress.step("assemble"), databases.using(database), connection.cursor() as cursor:
        cursor.execute(ALERTS, (bench.scale.alerts,))
        alert_ids = [row[0] for row in cursor.fetchall()]
        return [measured(cursor, alert_ids, bench.scale.runs)]


def measured(cursor: Any, alert_ids: list[int], runs: int) -> Result:
    """Both, in turn."""
    alerts = [decoded(alert) for alert in assembled(cursor, alert_ids)]
    of_assembling, of_fastavro = in_turn(
        runs,
        lambda: seconds(partial(assembled, cursor, alert_ids)),
        lambda: seconds(partial(written, alerts)),
    )
    points = sum(len(alert["prvDiaForcedSources"] or ()) for alert in alerts) / len(alerts)
    parts = f"{len(alerts):,} alerts with {points:.0f} forced sources each"
    inside = partial(profile_of, connection.settings_dict["NAME"], alert_ids)
    value, limit = len(alerts) / of_assembling, len(alerts) / of_fastavro
    return Result("assemble", value, "alerts/s", limit, at_least(4), parts, inside)


def assembled(cursor: Any, alert_ids: list[int]) -> list[bytes]:
    """The alerts' bytes."""
    return [alert for _, alert in AlertAssembler().assemble(cursor, alert_ids)]


def profile_of(database: str, alert_ids: list[int]) -> str:
    """Where the time of assembling goes."""
    with databases.using(database), connection.cursor() as cursor:
        return profile(partial(assembled, cursor, alert_ids))


def decoded(alert: bytes) -> Any:
    """The alert as fastavro takes it."""
    return fastavro.schemaless_reader(io.BytesIO(alert), schema(ALERT), None)


def written(alerts: list[Any]) -> None:
    """The same alerts by fastavro."""
    for alert in alerts:
        fastavro.schemaless_writer(io.BytesIO(), schema(ALERT), alert)

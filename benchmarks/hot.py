"""The hot list over HTTP: every lately detected object with its whole light curve.

``hot``: value is the median time of ``POST elasticc2/gethottransients``; limit is that of the bare SQL
(ids of the hot objects, then their positions and packed light curves, in a plain psycopg2 connection) plus
that of writing the same answer with orjson.

``hot, memory``: by how much the resident memory of the web workers, taken together, is up after ten calls;
limit: 50 MB.
"""

from contextlib import closing
from functools import partial
from typing import Any

import orjson

from benchmarks import databases, ltcv
from benchmarks.bench import LARGE, Bench
from benchmarks.measuring import Result, at_most, in_turn, seconds
from benchmarks.skies import HOT_DAYS
from benchmarks.web import Web, profile_requests, web_server

PATH = "/elasticc2/gethottransients"
BODY = orjson.dumps({"detected_in_last_days": HOT_DAYS})
CALLS = 10
MOST_MEGABYTES = 50.0

HOT_IDS = """
SELECT DISTINCT diaobject_id FROM elasticc2_diasource
WHERE midpointtai >= (SELECT sent_mjd - %s FROM campaigns_campaign WHERE name = 'elasticc2')"""


def run(bench: Bench) -> list[Result]:
    """How long the hot list takes, and what it leaves behind in memory."""
    database = bench.sky(LARGE)
    with web_server(database) as web, closing(databases.connect(database)) as plain:
        web.warm(web.session.request("POST", ltcv.PATH, ltcv.body([1])))
        with bench.progress.step("hot, memory"):
            memory = growth(web)
        with bench.progress.step("hot"):
            return [of_time(bench, web, plain.cursor()), memory]


def growth(web: Web) -> Result:
    """Memory that ten calls leave behind."""
    before = web.resident_bytes()
    for _ in range(CALLS):
        web.latencies([[web.session.request("POST", PATH, BODY)]])
    megabytes = (web.resident_bytes() - before) / 1e6
    name = f"hot, memory after {CALLS} calls"
    parts = f"{before / 1e6:.0f} MB before"
    return Result(name, megabytes, "MB", MOST_MEGABYTES, at_most(1), parts)


def of_time(bench: Bench, web: Web, cursor: Any) -> Result:
    """The hot list beside what it is made of."""
    request = web.session.request("POST", PATH, BODY)
    answer = orjson.loads(web.answer(request))
    value, of_sql, of_json = in_turn(
        bench.scale.runs,
        lambda: web.latencies([[request]])[0],
        lambda: seconds(partial(read, cursor)),
        lambda: seconds(partial(orjson.dumps, answer)),
    )
    objects = answer["diaobject"]
    points = sum(len(each["photometry"]["mjd"]) for each in objects)
    parts = f"{len(objects):,} objects, {points:,} points; SQL {of_sql:.2f}, orjson {of_json:.2f} s"
    inside = partial(profile_requests, bench.sky(LARGE), PATH, [BODY])
    return Result("hot", value, "s", of_sql + of_json, at_most(2), parts, inside)


def read(cursor: Any) -> None:
    """The bare SQL."""
    cursor.execute(HOT_IDS, (HOT_DAYS,))
    ltcv.read(cursor, [row[0] for row in cursor.fetchall()])

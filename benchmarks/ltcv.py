"""Light curves by object id, over HTTP with a session.

``ltcv of N``: value is the median time of ``POST elasticc2/ltcv`` of N objects, one client, random objects
each time. Limit for 1 object: median time of the bare view plus three times that of the bare SQL; for 100:
of the bare view plus three times that of the bare SQL and of writing the same answer with orjson. Bare SQL
is reading positions, packed light curves and spectra of the same objects in a plain psycopg2 connection.

``p95/p50 of N``: with 4 clients at once, the 95th percentile of times over the median; limit: the same of
the bare view.
"""

import random
from contextlib import closing
from functools import partial
from io import BytesIO
from statistics import median
from typing import Any

import orjson

from benchmarks import databases
from benchmarks.bench import LARGE, Bench
from benchmarks.measuring import Result, at_most, in_turn, percentile, seconds
from benchmarks.web import Web, profile_requests, web_server

PATH = "/elasticc2/ltcv"
CLIENTS = 4
# The longer answers are asked for less often.
COUNTS = {1: 1.0, 100: 0.25}

POSITIONS = "SELECT diaobject_id, ra, decl FROM elasticc2_diaobject WHERE diaobject_id = ANY(%s)"
SPECTRA = "SELECT diaobject_id, mjd, z, classid FROM elasticc2_spectruminfo WHERE diaobject_id = ANY(%s)"
CURVES = """
COPY (SELECT diaobject_id, n, mjd, band, flux, fluxerr FROM elasticc2_packedlightcurve
      WHERE diaobject_id = ANY(%s)) TO STDOUT (FORMAT binary)"""


def run(bench: Bench) -> list[Result]:
    """Light curves of 1 and of 100 objects."""
    database = bench.sky(LARGE)
    with web_server(database) as web, closing(databases.connect(database)) as plain:
        web.warm(web.session.request("POST", PATH, body([1])))
        results = []
        for count, share in COUNTS.items():
            with bench.progress.step(f"ltcv of {count}"):
                results += of_count(bench, web, plain.cursor(), count, int(share * bench.scale.requests))
        return results


def of_count(bench: Bench, web: Web, cursor: Any, count: int, requests: int) -> list[Result]:
    """The results for light curves of so many objects."""
    asked = samples(bench.scale.large.objects, count, requests)
    ltcv = [web.session.request("POST", PATH, body(objectids)) for objectids in asked]
    bare = [web.session.request("GET", "/bare")] * requests
    answer = orjson.loads(web.answer(ltcv[0]))
    value, of_bare, of_sql, of_json = in_turn(
        bench.scale.runs,
        lambda: median(web.latencies([ltcv])),
        lambda: median(web.latencies([bare])),
        lambda: median(seconds(partial(read, cursor, objectids)) for objectids in asked),
        lambda: median(seconds(partial(orjson.dumps, answer)) for _ in asked) if count > 1 else 0.0,
    )
    tail, of_bare_tail = in_turn(
        bench.scale.runs,
        lambda: tail_of(web.latencies(shared_out(ltcv))),
        lambda: tail_of(web.latencies([bare] * CLIENTS)),
    )
    parts = f"bare view {of_bare * 1e3:.2f}, SQL {of_sql * 1e3:.2f}, orjson {of_json * 1e3:.2f} ms"
    limit = of_bare + 3 * (of_sql + of_json)
    inside = partial(profile_requests, bench.sky(LARGE), PATH, [body(objectids) for objectids in asked])
    return [
        Result(f"ltcv of {count}", value * 1e3, "ms", limit * 1e3, at_most(1), parts, inside),
        Result(f"ltcv of {count}, {CLIENTS} clients: p95/p50", tail, "", of_bare_tail, at_most(1.5)),
    ]


def samples(objects: int, count: int, requests: int) -> list[list[int]]:
    """Which objects each request asks for: other ones every time, the same in every run."""
    dice = random.Random(count)
    return [dice.sample(range(1, objects + 1), count) for _ in range(requests)]


def body(objectids: list[int]) -> bytes:
    """The request for the objects."""
    return orjson.dumps({"objectids": objectids})


def read(cursor: Any, objectids: list[int]) -> None:
    """The bare SQL; the light curves in binary form, the quickest there is."""
    for statement in (POSITIONS, SPECTRA):
        cursor.execute(statement, (objectids,))
        cursor.fetchall()
    cursor.copy_expert(cursor.mogrify(CURVES, (objectids,)), BytesIO())


def shared_out(requests: list[bytes]) -> list[list[bytes]]:
    """All requests for every client, each beginning at another one."""
    starts = [len(requests) * client // CLIENTS for client in range(CLIENTS)]
    return [requests[start:] + requests[:start] for start in starts]


def tail_of(latencies: list[float]) -> float:
    """The 95th percentile over the median."""
    return percentile(latencies, 95) / percentile(latencies, 50)

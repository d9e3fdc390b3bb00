"""Broker messages over HTTP: ``PUT elasticc2/brokermessage/``.

``put of 1000``: value is messages a second in requests of 1,000, one client. Limit is what is left when all
but the unavoidable is taken away: decoding such requests with orjson and copying such rows, encoded
beforehand, into the same table with its keys, a transaction for each 1,000. Half of the messages have one
class and half have twenty, as the pretend brokers answer.

``put of 1``: value is requests a second of 4 clients that send one message each time; limit: 500.
"""

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from statistics import median

import orjson

from benchmarks import databases
from benchmarks.bench import LARGE, Bench
from benchmarks.clients import Connection, drive
from benchmarks.copying import Rows
from benchmarks.measuring import Result, at_least, in_turn, seconds
from benchmarks.messages import AT_ONCE, CLASSIFIERS, Sources, as_body, messages, rows_of_batches
from benchmarks.web import Web, profile_requests, web_server

PATH = "/elasticc2/brokermessage/"
SOURCES_AT_ONCE = AT_ONCE // len(CLASSIFIERS)
CLIENTS, REQUESTS_A_SECOND = 4, 500.0
PROFILED = 10


def run(bench: Bench) -> list[Result]:
    """Many messages at once, and one at a time."""
    database, sources = bench.sky(LARGE), Sources(bench.scale.large.objects)
    with web_server(database) as web:
        for body in bodies(sources, 4 * CLIENTS):
            web.answer(web.session.request("PUT", PATH, body))
        with bench.progress.step("put of 1000"):
            many = of_many(bench, database, web, sources)
        with bench.progress.step("put of 1"):
            return [many, of_one(bench, database, web, sources)]


def bodies(sources: Sources, count: int) -> Iterator[bytes]:
    """Requests of a thousand messages."""
    for _ in range(count):
        yield as_body(messages(sources.next(SOURCES_AT_ONCE)))


def of_many(bench: Bench, database: str, web: Web, sources: Sources) -> Result:
    """Requests of a thousand, beside decoding and copying others like them."""
    runs = bench.scale.runs * bench.scale.batches
    sent = list(bodies(sources, runs))
    requests = (web.session.request("PUT", PATH, body) for body in sent)
    rows = iter(prepared(database, sources, runs))
    with closing(databases.connect(database)) as plain, closing(Connection(web.port)) as client:
        cursor = plain.cursor()
        of_put, of_decoding, of_copy = in_turn(
            runs,
            lambda: seconds(partial(client.answer, next(requests))),
            lambda: seconds(partial(orjson.loads, sent[0])),
            lambda: seconds(partial(next(rows).copy, cursor)),
        )
    parts = f"for each {AT_ONCE:,}: decoding {of_decoding * 1e3:.1f}, COPY {of_copy * 1e3:.1f} ms"
    inside = partial(profile_requests, database, PATH, list(bodies(sources, PROFILED)), method="PUT")
    limit = AT_ONCE / (of_decoding + of_copy)
    return Result("put of 1000", AT_ONCE / of_put, "messages/s", limit, at_least(0.2), parts, inside)


def prepared(database: str, sources: Sources, count: int) -> list[Rows]:
    """What ingest would make of more such requests."""
    with databases.using(database):
        return rows_of_batches([messages(sources.next(SOURCES_AT_ONCE)) for _ in range(count)])


def of_one(bench: Bench, database: str, web: Web, sources: Sources) -> Result:
    """Single messages from some clients at once."""
    rates = [rate(web, sources, bench.scale.requests) for _ in range(bench.scale.runs)]
    alone = [as_body(messages([sourceid])[:1]) for sourceid in sources.next(PROFILED)]
    inside = partial(profile_requests, database, PATH, alone, method="PUT")
    parts = f"{CLIENTS} clients"
    return Result("put of 1", median(rates), "requests/s", REQUESTS_A_SECOND, at_least(1), parts, inside)


def rate(web: Web, sources: Sources, requests: int) -> float:
    """Requests a second of all clients together."""
    said = messages(sources.next(CLIENTS * requests // 2))
    sent = [web.session.request("PUT", PATH, as_body([message])) for message in said]
    load = drive(web.port, [sent[client::CLIENTS] for client in range(CLIENTS)])
    return len(sent) / load.elapsed

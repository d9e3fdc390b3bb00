"""``/metrics``: what an operator watches, as Prometheus text, read from the database at each scrape.

Each app that has something to watch has a module ``metrics`` with a function ``families``, which is found by
name, as Django finds each app's admin. Nothing is counted in a process: there are several, which come and go.
"""

import importlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.crypto import constant_time_compare
from django.utils.module_loading import module_has_submodule
from django.views.decorators.http import require_safe
from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector
from psycopg2.errors import QueryCanceled

from tom_desc import env
from tom_desc.jsonpost import refused

# Prometheus itself gives up after 10 s; a scrape takes a fraction of one.
STATEMENT_TIMEOUT = "5s"
UNAUTHORIZED = (
    "401 Unauthorized: log in at /accounts/login/, or send the header Authorization: Bearer with the secret"
    " metrics_token"
)
MOST_TABLES = 20

# As VACUUM and ANALYZE last saw them; partitions count for their parent, TOAST and indexes for their table.
TABLES = """
SELECT coalesce(parent.relname, t.relname), sum(greatest(t.reltuples, 0)),
       sum(t.relpages + coalesce(toast.relpages, 0) + indexes.pages)
       * current_setting('block_size')::bigint AS bytes
FROM pg_class t
LEFT JOIN pg_inherits ON inhrelid = t.oid
LEFT JOIN pg_class parent ON parent.oid = inhparent
LEFT JOIN pg_class toast ON toast.oid = t.reltoastrelid
CROSS JOIN LATERAL (SELECT coalesce(sum(relpages), 0) AS pages
                    FROM pg_index JOIN pg_class i ON i.oid = indexrelid WHERE indrelid = t.oid) indexes
WHERE t.relkind = 'r' AND t.relnamespace = 'public'::regnamespace
GROUP BY 1 ORDER BY bytes DESC, 1 LIMIT %s"""

Rows = Iterable[Sequence[Any]]


def gauge(name: str, documentation: str, labels: Sequence[str], rows: Rows) -> Metric:
    """A family of values that go up and down; each row has its labels' values, then its own."""
    return with_rows(GaugeMetricFamily(name, documentation, labels=labels), rows)


def counter(name: str, documentation: str, labels: Sequence[str], rows: Rows) -> Metric:
    """A family of values that only grow; its name ends in ``_total``."""
    return with_rows(CounterMetricFamily(name, documentation, labels=labels), rows)


def with_rows(family: GaugeMetricFamily | CounterMetricFamily, rows: Rows) -> Metric:
    for *labels, value in rows:
        family.add_metric([str(label) for label in labels], float(value))
    return family


class Snapshot(Collector):
    """All families, each as the database has it when it is asked for it."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def collect(self) -> list[Metric]:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", (STATEMENT_TIMEOUT,))
            return [family for at in sources() for family in at(self.now)]


def sources() -> Iterator[Callable[[datetime], Iterable[Metric]]]:
    """What gives the families of a moment: this module and those of the apps."""
    yield families
    for app in apps.get_app_configs():
        if module_has_submodule(app.module, "metrics"):
            yield importlib.import_module(f"{app.name}.metrics").families


def families(now: datetime) -> Iterator[Metric]:
    """Version of the TOM and sizes of its tables."""
    build = InfoMetricFamily("tom_build", "Version of the TOM.")
    build.add_metric([], {"version": str(settings.SPECTACULAR_SETTINGS["VERSION"])})
    yield build
    with connection.cursor() as cursor:
        cursor.execute(TABLES, (MOST_TABLES,))
        tables = cursor.fetchall()
    about = f"as the database last estimated it, of the {MOST_TABLES} largest."
    rows = [(table, rows) for table, rows, _ in tables]
    sizes = [(table, size) for table, _, size in tables]
    yield gauge("tom_table_rows", f"Rows of a table, partitions included, {about}", ["table"], rows)
    yield gauge(
        "tom_table_size_bytes", f"Size of a table and its indexes in bytes, {about}", ["table"], sizes
    )


@require_safe
def metrics(request: HttpRequest) -> HttpResponseBase:
    """All families as Prometheus text, for who is logged in or knows the token."""
    if not (has_token(request) or request.user.is_authenticated):
        refusal = refused(request, 401, UNAUTHORIZED)
        refusal["WWW-Authenticate"] = 'Bearer realm="metrics"'
        return refusal
    try:
        text = generate_latest(Snapshot(datetime.now(UTC)))
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            return refused(request, 503, "the database took too long; try again in a moment")
        raise
    return HttpResponse(text, content_type=CONTENT_TYPE_PLAIN_0_0_4)


def has_token(request: HttpRequest) -> bool:
    """Whether the request brings the scraper's secret."""
    scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
    expected = metrics_token()
    if scheme.lower() != "bearer" or expected is None:
        return False
    return constant_time_compare(sent.strip(), expected)


def metrics_token() -> str | None:
    """The scraper's secret, read anew each time, so that it can change; None where there is none."""
    try:
        return env.secret("metrics_token")
    except ImproperlyConfigured:
        return None

"""What statements read, by the account of PostgreSQL itself."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext


def rows_read(call: Callable[[], object]) -> Counter[str]:
    """Rows that the statements of a call read from each table, partitions counted for themselves.

    They are run with the plans that large tables would get: a small one is otherwise read whole.
    """
    read: Counter[str] = Counter()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
        with CaptureQueriesContext(connection) as captured:
            call()
        for query in captured.captured_queries:
            if query["sql"].lstrip().startswith(("SELECT", "WITH")):
                cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + query["sql"])
                [plan] = cursor.fetchone()[0]
                read.update(dict(scans(plan["Plan"])))
        cursor.execute("SET LOCAL enable_seqscan = on; SET LOCAL enable_sort = on")
    return read


def scans(node: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """Table and rows of each scan below a node, those that a filter threw away included."""
    if "Relation Name" in node:
        rows = sum(node.get(key, 0) for key in ("Actual Rows", "Rows Removed by Filter"))
        yield node["Relation Name"], round(rows * node["Actual Loops"])
    for child in node.get("Plans", ()):
        yield from scans(child)

"""Reveal: what brokers spoke of moves from the PPDB to the TOM's own tables, and summaries follow.

Cost follows the news, never what is stored: ingest and load append what they brought to ``brokernews`` and
``loadnews``, and only the objects touched by it are looked at. For those, everything is recomputed from
their rows, so that the outcome does not depend on the order in which things arrived.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from elasticc2 import news
from elasticc2.campaign import FORCED_COLUMNS, OBJECT_COLUMNS, SOURCE_COLUMNS
from elasticc2.renewal import lock, renew_stale, renewing
from elasticc2.summaries import summarise
from tom_desc.partitions import analyze_if_grown
from tom_desc.tally import Tally

# Sources (or objects of a load) that one transaction takes on; bounds its length and its temporary tables.
AT_ONCE = 20_000
# Clearing reads all news that wait, so it is not done after every chunk of a long backlog.
CHUNKS_BETWEEN_CLEARINGS = 20


@dataclass(frozen=True)
class Revealed(Tally):
    """Rows added to the TOM's tables, and sources that the PPDB turned out not to have."""

    objects: int = 0
    sources: int = 0
    forced: int = 0
    unknown: int = 0

    def __str__(self) -> str:
        return (
            f"{self.objects} new objects, {self.sources} new sources, {self.forced} new forced sources;"
            f" {self.unknown} more sources that the PPDB does not have"
        )


# Fills reveal_source and reveal_object with the next piece of work; whether there was any.
Take = Callable[[Any], bool]


def reveal(
    *,
    do_all: bool = False,
    on_chunk: Callable[[Revealed], None] = lambda total: None,
    stopping: Callable[[], bool] = lambda: False,
) -> Revealed:
    """Work off all news there are.

    Parameters
    ----------
    do_all
        Look at every source of every broker message first, news or not.
    on_chunk
        Called after each committed chunk with what was done so far.
    stopping
        Asked after each chunk whether to leave the rest to the next run.

    Raises
    ------
    renewal.AlreadyRunning
        Where another reveal, or a rebuild, is at work.
    """
    total, chunks = Revealed(), 0
    adopt_mirror()
    renew_stale(stopping=stopping)
    refresh_statistics(total)
    for take in (every_source(), take_news) if do_all else (take_news,):
        while not stopping() and (chunk := reveal_chunk(take)) is not None:
            total, chunks = total + chunk, chunks + 1
            on_chunk(total)
            if chunks % CHUNKS_BETWEEN_CLEARINGS == 0:
                clear_mirror()
    clear_mirror()
    refresh_statistics(total)
    return total


def refresh_statistics(total: Revealed) -> None:
    """The planner is told of what has grown; of partitioned tables nobody else tells it."""
    added = {"diaobject": total.objects, "diasource": total.sources, "diaforcedsource": total.forced}
    with connection.cursor() as cursor:
        analyze_if_grown(
            cursor, {f"elasticc2_{table}": rows for table, rows in (added | {"brokermessage": 0}).items()}
        )


ADOPT_MIRROR = news.append("""
    SELECT diasource_id FROM elasticc2_brokersourceids
    EXCEPT SELECT unnest(diasource_ids) FROM elasticc2_brokernews""")


def adopt_mirror() -> None:
    """Ids that are in the public mirror only, as after restoring a dump of the original, become news."""
    with transaction.atomic(), connection.cursor() as cursor:
        lock(cursor)
        cursor.execute(ADOPT_MIRROR, {"at_once": AT_ONCE})


@contextmanager
def work_tables(cursor: Any) -> Iterator[None]:
    """The sources and objects of a chunk. A failed chunk's transaction takes them with it."""
    cursor.execute("CREATE TEMPORARY TABLE reveal_source (diasource_id bigint PRIMARY KEY)")
    cursor.execute("CREATE TEMPORARY TABLE reveal_object (diaobject_id bigint PRIMARY KEY)")
    yield
    cursor.execute("DROP TABLE reveal_source, reveal_object")


def reveal_chunk(take: Take) -> Revealed | None:
    """One chunk in one transaction; None where there was nothing to do."""
    with transaction.atomic(), connection.cursor() as cursor:
        lock(cursor, wait=True)
        with work_tables(cursor), renewing(cursor):
            return work_off(cursor) if take(cursor) else None


def work_off(cursor: Any) -> Revealed:
    """Reveal what the work tables name; what was added."""
    # Without statistics the planner would think the work tables large and scan the PPDB.
    cursor.execute("ANALYZE reveal_source")
    unknown = part_unknown_sources(cursor)
    cursor.execute(TOUCHED_OBJECTS)
    cursor.execute("ANALYZE reveal_object")
    objects, sources, forced = (added(cursor, query) for query in (OBJECTS, SOURCES, FORCED))
    summarise(cursor, "reveal_object")
    return Revealed(objects=objects, sources=sources, forced=forced, unknown=unknown)


def added(cursor: Any, query: str) -> int:
    cursor.execute(query)
    return int(cursor.rowcount)


TAKE_BROKER_NEWS = (
    news.take("elasticc2_brokernews", "diasource_ids")
    + "INSERT INTO reveal_source SELECT DISTINCT unnest(diasource_ids) FROM taken"
)
# Loaded objects that the TOM does not have yet wait until a broker speaks of them.
TAKE_LOAD_NEWS = (
    news.take("elasticc2_loadnews", "diaobject_ids")
    + """, revealed AS (
    INSERT INTO reveal_object (diaobject_id)
    SELECT DISTINCT diaobject_id
    FROM (SELECT unnest(diaobject_ids) AS diaobject_id FROM taken) loaded
    JOIN elasticc2_diaobject USING (diaobject_id)
)
SELECT count(*) FROM taken"""
)
# A load may have brought what brokers spoke of before: that is news again, for the chunks to come.
RETRY_UNKNOWN = """
WITH known AS (
    DELETE FROM elasticc2_unknownsource u USING elasticc2_ppdbdiasource p
    WHERE p.diasource_id = u.diasource_id RETURNING u.diasource_id
)""" + news.append("SELECT diasource_id FROM known")


def take_news(cursor: Any) -> bool:
    """What ingest and load appended."""
    heard = added_with(cursor, TAKE_BROKER_NEWS)
    cursor.execute(TAKE_LOAD_NEWS, {"at_once": AT_ONCE})
    loads = cursor.fetchone()[0]
    if loads:
        cursor.execute(RETRY_UNKNOWN, {"at_once": AT_ONCE})
    return bool(heard or loads)


def added_with(cursor: Any, query: str) -> int:
    cursor.execute(query, {"at_once": AT_ONCE})
    return int(cursor.rowcount)


EVERY_SOURCE = """
INSERT INTO reveal_source
SELECT DISTINCT diasource_id FROM elasticc2_brokermessage WHERE diasource_id > %(after)s
ORDER BY diasource_id LIMIT %(at_once)s"""


def every_source() -> Take:
    """All sources of all messages, in ascending order of id."""
    after = -1

    def take(cursor: Any) -> bool:
        nonlocal after
        cursor.execute(EVERY_SOURCE, {"after": after, "at_once": AT_ONCE})
        cursor.execute("SELECT max(diasource_id) FROM reveal_source")
        (greatest,) = cursor.fetchone()
        after = after if greatest is None else greatest
        return greatest is not None

    return take


UNKNOWN_SOURCES = """
INSERT INTO elasticc2_unknownsource (diasource_id)
SELECT diasource_id FROM reveal_source r
WHERE NOT EXISTS (SELECT FROM elasticc2_ppdbdiasource p WHERE p.diasource_id = r.diasource_id)
ORDER BY diasource_id
ON CONFLICT DO NOTHING"""
KNOWN_SOURCES = """
DELETE FROM elasticc2_unknownsource u USING reveal_source r, elasticc2_ppdbdiasource p
WHERE u.diasource_id = r.diasource_id AND p.diasource_id = r.diasource_id"""


def part_unknown_sources(cursor: Any) -> int:
    """Remember the sources that the PPDB does not have, forget those it has by now; how many are new."""
    unknown = added(cursor, UNKNOWN_SOURCES)
    cursor.execute(KNOWN_SOURCES)
    return unknown


TOUCHED_OBJECTS = """
INSERT INTO reveal_object (diaobject_id)
SELECT DISTINCT diaobject_id FROM reveal_source JOIN elasticc2_ppdbdiasource USING (diasource_id)
WHERE diaobject_id IS NOT NULL
ON CONFLICT DO NOTHING"""

OBJECTS = f"""
INSERT INTO elasticc2_diaobject ({", ".join(OBJECT_COLUMNS)})
SELECT {", ".join(f"p.{column}" for column in OBJECT_COLUMNS)}
FROM reveal_object r JOIN elasticc2_ppdbdiaobject p USING (diaobject_id)
WHERE NOT EXISTS (SELECT FROM elasticc2_diaobject d WHERE d.diaobject_id = r.diaobject_id)
ON CONFLICT DO NOTHING"""

# A load may commit between two statements: a source that was not there when the touched objects were found
# waits, among the unknown ones, for the news of that load.
SOURCES = f"""
INSERT INTO elasticc2_diasource ({", ".join(SOURCE_COLUMNS)})
SELECT {", ".join(f"p.{column}" for column in SOURCE_COLUMNS)}
FROM reveal_source r JOIN elasticc2_ppdbdiasource p USING (diasource_id)
WHERE NOT EXISTS (SELECT FROM elasticc2_diasource d WHERE d.diasource_id = r.diasource_id)
  AND (p.diaobject_id IS NULL
       OR EXISTS (SELECT FROM reveal_object o WHERE o.diaobject_id = p.diaobject_id))
ON CONFLICT DO NOTHING"""

# Everything up to the latest known detection that is not there yet, late arrivals included: never "after the
# last one seen". Both sides are read for the touched objects only, then compared.
FORCED = f"""
WITH latest AS MATERIALIZED (
    SELECT diaobject_id, (SELECT max(midpointtai) FROM elasticc2_diasource s
                          WHERE s.diaobject_id = r.diaobject_id) AS mjd
    FROM reveal_object r
), wanted AS MATERIALIZED (
    SELECT p.* FROM latest JOIN elasticc2_ppdbdiaforcedsource p
    ON p.diaobject_id = latest.diaobject_id AND p.midpointtai <= latest.mjd
), there AS MATERIALIZED (
    SELECT d.diaforcedsource_id FROM latest JOIN elasticc2_diaforcedsource d USING (diaobject_id)
)
INSERT INTO elasticc2_diaforcedsource ({", ".join(FORCED_COLUMNS)})
SELECT {", ".join(FORCED_COLUMNS)} FROM wanted
WHERE NOT EXISTS (SELECT FROM there WHERE there.diaforcedsource_id = wanted.diaforcedsource_id)
ORDER BY midpointtai, diaforcedsource_id
ON CONFLICT DO NOTHING"""

CLEAR_MIRROR = """
DELETE FROM elasticc2_brokersourceids b
WHERE (EXISTS (SELECT FROM elasticc2_diasource s WHERE s.diasource_id = b.diasource_id)
       OR EXISTS (SELECT FROM elasticc2_unknownsource u WHERE u.diasource_id = b.diasource_id))
  AND NOT EXISTS (SELECT FROM (SELECT unnest(diasource_ids) AS diasource_id FROM elasticc2_brokernews) news
                  WHERE news.diasource_id = b.diasource_id)"""


def clear_mirror() -> None:
    """Take what is done off the public mirror, except that of which there is news again.

    A transaction of its own, after the chunks': ingest must not wait for a long one over these rows. What a
    crash leaves on the mirror, the next run takes for news.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(CLEAR_MIRROR)

"""Renewal: one at a time brings what is kept of objects up to their rows, a chunk a transaction.

Reveal renews what it touches. Whoever else changes photometry leaves it to triggers to note the objects in
``staleobjects``; the next reveal renews those, and ``rebuild_summaries`` renews all there are.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction

from elasticc2 import news
from elasticc2.summaries import forget_groundless, summarise

# Key of the advisory lock.
LOCK = 0x65320001
# Objects that one transaction renews; bounds its length.
OBJECTS_AT_ONCE = 5_000


class AlreadyRunning(Exception):
    """Another reveal or rebuild is at work."""


def lock(cursor: Any, *, wait: bool = False) -> None:
    """Be the only one who writes summaries until the transaction ends.

    Two at once could each miss the other's rows, and the later would overwrite the better summary. Who has
    begun waits for his turn; who would only begin while somebody is at work is told so.
    """
    if wait:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        return
    cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", (LOCK,))
    if not cursor.fetchone()[0]:
        raise AlreadyRunning("update_elasticc2_sources already running, or rebuild_summaries")


@contextmanager
def renewing(cursor: Any) -> Iterator[None]:
    """Tell the triggers that this transaction renews whatever it touches; a failed one takes that with it."""
    setting = "SELECT set_config('elasticc2.renewing', %s, true)"
    cursor.execute(setting, ("yes",))
    yield
    cursor.execute(setting, ("no",))


TAKE_STALE = (
    news.take("elasticc2_staleobjects", "diaobject_ids")
    + "INSERT INTO renewed_object SELECT DISTINCT unnest(diaobject_ids) FROM taken"
)
NEXT_OBJECTS = """
INSERT INTO renewed_object
SELECT diaobject_id FROM elasticc2_diaobject WHERE diaobject_id > %(after)s
ORDER BY diaobject_id LIMIT %(at_once)s"""


def renew_stale(*, stopping: Callable[[], bool] = lambda: False) -> int:
    """Renew what is kept of the objects that triggers noted; how many they were."""
    renewed = 0
    while not stopping():
        chunk = renew_chunk(TAKE_STALE, {"at_once": OBJECTS_AT_ONCE}, wait=True)
        if not chunk:
            break
        renewed += len(chunk)
    return renewed


def rebuild() -> Iterator[int]:
    """Renew what is kept of all objects, in ascending order of id; what triggers noted before is done then.

    Yields
    ------
    int
        How many objects, after each committed chunk.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT news_id FROM elasticc2_staleobjects")
        noted = [row[0] for row in cursor.fetchall()]
    after = -1
    while chunk := renew_chunk(NEXT_OBJECTS, {"after": after, "at_once": OBJECTS_AT_ONCE}, wait=after >= 0):
        after = chunk[-1]
        yield len(chunk)
    # Only those: of objects noted since, the light curve may have changed after their turn.
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM elasticc2_staleobjects WHERE news_id = ANY(%s)", (noted,))


def renew_chunk(take: str, parameters: dict[str, int], *, wait: bool) -> list[int]:
    """Renew the objects that a statement puts into ``renewed_object``, in one transaction; their ids."""
    with transaction.atomic(), connection.cursor() as cursor:
        lock(cursor, wait=wait)
        cursor.execute("CREATE TEMPORARY TABLE renewed_object (diaobject_id bigint PRIMARY KEY)")
        cursor.execute(take, parameters)
        cursor.execute("ANALYZE renewed_object")
        forget_groundless(cursor, "renewed_object")
        summarise(cursor, "renewed_object")
        cursor.execute("SELECT diaobject_id FROM renewed_object ORDER BY diaobject_id")
        renewed = [row[0] for row in cursor.fetchall()]
        cursor.execute("DROP TABLE renewed_object")
    return renewed

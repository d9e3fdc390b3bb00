"""Encoded objects kept in the database, a row each, so that alerts need not be put together from rows.

They are a cache of the PPDB's rows, which are the truth. Triggers delete what is kept of an object whose rows
change. A load keeps the objects that it brings, ``encode_elasticc2_objects`` those that are not kept.
"""

from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from django.db import connection, transaction

from elasticc2.encoding import EncodedObject, Records, encode_batch
from elasticc2.histories import OBJECTS_AT_ONCE, Timeline, read_batch
from tom_desc import bulkcopy

TABLE = "elasticc2_ppdbencodedobject"
COLUMNS = (
    "diaobject_id",
    "isddf",
    "record",
    "source_ids",
    "source_mjds",
    "source_offsets",
    "source_records",
    "forced_mjds",
    "forced_offsets",
    "forced_records",
)
READ = f"SELECT {', '.join(COLUMNS)} FROM {TABLE} WHERE diaobject_id = ANY({{ids}})"
# Whoever changes an object's rows shares the object (FOR KEY SHARE), by the triggers if not by a foreign key.
HOLD = """
SELECT diaobject_id FROM elasticc2_ppdbdiaobject WHERE diaobject_id = ANY(%s::bigint[])
ORDER BY 1 FOR UPDATE SKIP LOCKED"""
NOT_KEPT = f"""
SELECT diaobject_id FROM elasticc2_ppdbdiaobject o
WHERE NOT EXISTS (SELECT FROM {TABLE} kept WHERE kept.diaobject_id = o.diaobject_id)"""


@contextmanager
def nothing_is_kept(cursor: Any) -> Iterator[None]:
    """Tell the triggers that nothing can be kept of what is loaded; a failed load takes that with it."""
    setting = "SELECT set_config('elasticc2.nothing_is_kept', %s, true)"
    cursor.execute(setting, ("on",))
    yield
    cursor.execute(setting, ("off",))


def read_kept(cursor: Any, objectids: Sequence[int]) -> dict[int, EncodedObject]:
    """Those of the objects that are kept, by id, with everything that the PPDB has of them."""
    query = READ.format(ids=f"'{bulkcopy.as_bigints(objectids)}'::bigint[]")
    fields = bulkcopy.read_fields(cursor, query, columns=len(COLUMNS))
    return dict(from_fields(*row) for row in zip(*fields, strict=True))


def from_fields(
    diaobject_id: bytes,
    isddf: bytes,
    record: bytes,
    source_ids: bytes,
    source_mjds: bytes,
    source_offsets: bytes,
    source_records: bytes,
    forced_mjds: bytes,
    forced_offsets: bytes,
    forced_records: bytes,
) -> tuple[int, EncodedObject]:
    """An object with its id from the columns in binary COPY form."""
    encoded = EncodedObject(
        timeline=Timeline(array("d", source_mjds), array("d", forced_mjds)),
        source_ids=array("q", source_ids),
        sources=Records(source_records, array("i", source_offsets)),
        forced=Records(forced_records, array("i", forced_offsets)),
        record=record,
        isddf=isddf == b"\1",
    )
    return int.from_bytes(diaobject_id, "big", signed=True), encoded


def keep(cursor: Any, objects: Mapping[int, EncodedObject]) -> None:
    """Keep objects of which nothing is kept, encoded from all their rows."""
    ids, isddf, *columns = zip(*(as_fields(*item) for item in objects.items()), strict=True)
    numbers = (np.array(ids, "i8"), np.array(isddf, "?"))
    bulkcopy.copy_in(cursor, TABLE, dict(zip(COLUMNS, (*numbers, *columns), strict=True)))


def as_fields(objectid: int, encoded: EncodedObject) -> tuple[Any, ...]:
    """An object's row."""
    timeline, source_ids, sources, forced, record, isddf = encoded
    of_sources: tuple[Any, ...] = (source_ids, timeline.sources, sources.at, sources.buffer)
    of_forced: tuple[Any, ...] = (timeline.forced, forced.at, forced.buffer)
    return objectid, isddf, record, *map(bytes, of_sources), *map(bytes, of_forced)


def not_kept(cursor: Any, objectids: Sequence[int] | None = None) -> list[int]:
    """Which of these objects, or of all there are, are not kept; ascending."""
    asked = (
        "" if objectids is None else f"AND diaobject_id = ANY('{bulkcopy.as_bigints(objectids)}'::bigint[])"
    )
    found = bulkcopy.read(cursor, f"{NOT_KEPT} {asked} ORDER BY 1", [("diaobject_id", "i8")])
    ids: list[int] = found["diaobject_id"].tolist()
    return ids


def encode_objects(objectids: Sequence[int]) -> Iterator[int]:
    """Keep those of the objects that are not kept, unless somebody is changing their rows.

    Yields
    ------
    int
        How many were encoded and kept, after each transaction.
    """
    for start in range(0, len(objectids), OBJECTS_AT_ONCE):
        with transaction.atomic(), connection.cursor() as cursor:
            held = hold(cursor, objectids[start : start + OBJECTS_AT_ONCE])
            # Another statement, which sees what was changed or kept until they were held.
            if wanted := not_kept(cursor, held):
                keep(cursor, encode_batch(read_batch(cursor, wanted)))
        yield len(wanted)


def hold(cursor: Any, objectids: Sequence[int]) -> list[int]:
    """Keep others from changing objects or their photometry until the transaction ends.

    What somebody is changing already is passed over, not waited for; the ids of the others.
    """
    cursor.execute(HOLD, (bulkcopy.as_bigints(objectids),))
    return [row[0] for row in cursor.fetchall()]


def forget_all() -> None:
    """Keep nothing any more."""
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {TABLE}")

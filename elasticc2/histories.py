"""What the PPDB holds of an object, in order of time, and which of it belongs to one of its alerts."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.recfunctions import structured_to_unstructured
from numpy.typing import NDArray

from elasticc2.campaign import OBJECT_FLOATS
from tom_desc import bulkcopy

DAYS_PREVIOUS = 365.0
# An object younger than this has no forced photometry in its alerts ...
FORCED_FROM_AGE_DAYS = 0.5
# ... and an older one none from longer than this before its first source.
FORCED_BEFORE_FIRST_DAYS = 30.0

# Columns in the order of the alert schema.
SOURCE_DTYPE = [
    ("diasource_id", "i8"),
    ("diaobject_id", "i8"),
    ("midpointtai", "f8"),
    ("filtername", "S1"),
    ("ra", "f8"),
    ("decl", "f8"),
    ("psflux", "f4"),
    ("psfluxerr", "f4"),
    ("snr", "f4"),
]
FORCED_DTYPE = [
    ("diaforcedsource_id", "i8"),
    ("diaobject_id", "i8"),
    ("midpointtai", "f8"),
    ("filtername", "S1"),
    ("psflux", "f4"),
    ("psfluxerr", "f4"),
]
OBJECT_DTYPE = [
    ("diaobject_id", "i8"),
    ("ra", "f8"),
    ("decl", "f8"),
    *((name, "f4") for name in OBJECT_FLOATS),
    *((f"{name} is null", "?") for name in OBJECT_FLOATS),
]

# A source without object is read with object 0; who asks for one knows that it has none.
SOURCES = """
SELECT diasource_id, coalesce(diaobject_id, 0), midpointtai, filtername::"char",
       ra, decl, psflux, psfluxerr, snr
FROM elasticc2_ppdbdiasource
WHERE {column} = ANY({ids})
ORDER BY diaobject_id, midpointtai, diasource_id"""
FORCED = """
SELECT diaforcedsource_id, diaobject_id, midpointtai, filtername::"char", psflux, psfluxerr
FROM elasticc2_ppdbdiaforcedsource
WHERE diaobject_id = ANY({ids})
ORDER BY diaobject_id, midpointtai, diaforcedsource_id"""
OBJECTS = f"""
SELECT diaobject_id, ra, decl,
       {", ".join(f"coalesce({name}, '0')" for name in OBJECT_FLOATS)},
       {", ".join(f"{name} IS NULL" for name in OBJECT_FLOATS)}
FROM elasticc2_ppdbdiaobject
WHERE diaobject_id = ANY({{ids}})
ORDER BY diaobject_id"""
SIMVERSIONS = (
    "SELECT simversion FROM elasticc2_ppdbdiaobject WHERE diaobject_id = ANY(%s) ORDER BY diaobject_id"
)


@dataclass(frozen=True)
class Timeline:
    """When an object was detected and when it was measured: MJD (TAI), ascending."""

    sources: Sequence[float]
    forced: Sequence[float]

    def before(self, i: int, *, days_previous: float, nprevious: int | None) -> tuple[slice, slice]:
        """Which earlier sources, and which forced sources, the alert of source i carries.

        Both lie in the ``days_previous`` days before the source, the source's own time not included; points
        of the same night are. Forced photometry starts half a day after the object's first source ever and
        reaches back to 30 days before it; of that the last ``nprevious``, where given.
        """
        time, first = self.sources[i], self.sources[0]
        since = time - days_previous
        sources = slice(bisect_left(self.sources, since), bisect_left(self.sources, time))
        if time - first <= FORCED_FROM_AGE_DAYS:
            return sources, slice(0, 0)
        start = bisect_left(self.forced, max(since, first - FORCED_BEFORE_FIRST_DAYS))
        stop = bisect_left(self.forced, time)
        if nprevious is not None:
            start = max(start, stop - nprevious)
        return sources, slice(start, stop)


@dataclass(frozen=True)
class ObjectHistory:
    """One object with everything that the PPDB has of it, past and future.

    Attributes
    ----------
    properties : dict or None
        The object's columns by SQL name, floats as numpy float32, None where NULL; None for a source that
        belongs to no object.
    sources, forced : structured arrays
        Fields of :data:`SOURCE_DTYPE` and :data:`FORCED_DTYPE`, ordered by time, then id.
    """

    properties: dict[str, Any] | None
    sources: NDArray[Any]
    forced: NDArray[Any]
    timeline: Timeline

    @property
    def source_ids(self) -> list[int]:
        ids: list[int] = self.sources["diasource_id"].tolist()
        return ids


@dataclass(frozen=True)
class Batch:
    """Histories of several objects, column by column, ordered by object.

    Attributes
    ----------
    objects : structured array
        Fields of :data:`OBJECT_DTYPE`.
    simversions : list of str or None
        One an object.
    sources, forced : structured arrays
        Rows of all objects, one object after the other.
    """

    objects: NDArray[Any]
    simversions: list[str | None]
    sources: NDArray[Any]
    forced: NDArray[Any]

    def __len__(self) -> int:
        return len(self.objects)

    @property
    def ids(self) -> list[int]:
        ids: list[int] = self.objects["diaobject_id"].tolist()
        return ids

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Which of the objects' floats are NULL, shape (objects, floats)."""
        return structured_to_unstructured(self.objects[[f"{name} is null" for name in OBJECT_FLOATS]])

    def spans(self) -> list[tuple[slice, slice]]:
        """Where each object's sources and forced sources lie."""
        both = [
            spans(rows["diaobject_id"], self.objects["diaobject_id"]) for rows in (self.sources, self.forced)
        ]
        return list(zip(*both, strict=True))

    def properties(self, k: int) -> dict[str, Any]:
        """Columns of object k by SQL name."""
        row = self.objects[k]
        head = {
            "diaobject_id": int(row["diaobject_id"]),
            "simversion": self.simversions[k],
            "ra": float(row["ra"]),
            "decl": float(row["decl"]),
        }
        return head | {name: None if row[f"{name} is null"] else row[name] for name in OBJECT_FLOATS}


def spans(of: NDArray[np.int64], objectids: NDArray[np.int64]) -> list[slice]:
    """Where each id's rows lie in a column of ids; both ascending."""
    starts, stops = (np.searchsorted(of, objectids, side).tolist() for side in ("left", "right"))
    return [slice(start, stop) for start, stop in zip(starts, stops, strict=True)]


def timeline(sources: NDArray[Any], forced: NDArray[Any]) -> Timeline:
    """The times of one object's rows."""
    return Timeline(*(array("d", rows["midpointtai"].tobytes()) for rows in (sources, forced)))


def read_batch(cursor: Any, objectids: Iterable[int]) -> Batch:
    """Read objects with all their sources and forced sources; ids that are no object are left out."""
    ids = sorted(set(objectids))
    literal = cursor.mogrify("%s::bigint[]", (ids,)).decode()
    cursor.execute(SIMVERSIONS, (ids,))
    return Batch(
        simversions=[simversion for (simversion,) in cursor.fetchall()],
        objects=bulkcopy.read(cursor, OBJECTS.format(ids=literal), OBJECT_DTYPE),
        sources=bulkcopy.read(cursor, SOURCES.format(column="diaobject_id", ids=literal), SOURCE_DTYPE),
        forced=bulkcopy.read(cursor, FORCED.format(ids=literal), FORCED_DTYPE),
    )


def histories(cursor: Any, objectids: Iterable[int]) -> dict[int, ObjectHistory]:
    """Histories by object; ids that are no object are left out."""
    batch = read_batch(cursor, objectids)
    return {
        objectid: object_history(batch.properties(k), batch.sources[sources], batch.forced[forced])
        for k, (objectid, (sources, forced)) in enumerate(zip(batch.ids, batch.spans(), strict=True))
    }


def object_history(
    properties: dict[str, Any] | None, sources: NDArray[Any], forced: NDArray[Any]
) -> ObjectHistory:
    return ObjectHistory(properties, sources, forced, timeline(sources, forced))


def read_lone_sources(cursor: Any, sourceids: Iterable[int]) -> NDArray[Any]:
    """Sources that belong to no object, by their own ids."""
    literal = cursor.mogrify("%s::bigint[]", (sorted(set(sourceids)),)).decode()
    return bulkcopy.read(cursor, SOURCES.format(column="diasource_id", ids=literal), SOURCE_DTYPE)


def lone_histories(cursor: Any, sourceids: Iterable[int]) -> dict[int, ObjectHistory]:
    """Histories, by source, of sources that belong to no object: the source, and nothing else."""
    rows = read_lone_sources(cursor, sourceids)
    nothing = np.empty(0, FORCED_DTYPE)
    return {
        int(row["diasource_id"]): object_history(None, rows[k : k + 1], nothing) for k, row in enumerate(rows)
    }

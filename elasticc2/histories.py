"""What the PPDB holds of an object, in order of time, and which of it belongs to one of its alerts."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

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
# Bounds the memory of a batch: deep-drilling objects have thousands of forced sources.
OBJECTS_AT_ONCE = 500

# Columns by name, as many values in each.
Columns = Mapping[str, NDArray[Any]]
# In the order of the alert schema.
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
    ("isddf", "?"),
]
# Everything: bounds of time as SQL has them.
BEGINNING, END = float("-inf"), float("inf")

# How a column travels: all rows of a batch as one value, which is a third of the cost of a row each.
SENT_AS = {"i8": "int8send({})", "f8": "float8send({})", "f4": "float4send({})", "S1": 'charsend({}::"char")'}
# Objects are looked up one by one, so that each is sought in its own partition only.
PHOTOMETRY = """
SELECT string_agg(int8send(rows), ''), {together}
FROM (SELECT of_object.*
      FROM unnest({ids}) WITH ORDINALITY AS wanted (id, place)
      CROSS JOIN LATERAL (SELECT count(*) AS rows, {columns} FROM {table}
                          WHERE diaobject_id = wanted.id AND midpointtai BETWEEN {since} AND {until}
                         ) of_object
      ORDER BY place) of_objects"""
# Who asks for a source that has no object knows it.
LONE_SOURCES = """
SELECT diasource_id, 0::bigint, midpointtai, filtername::"char", ra, decl, psflux, psfluxerr, snr
FROM elasticc2_ppdbdiasource
WHERE diasource_id = ANY({ids})
ORDER BY diasource_id"""
OBJECTS = f"""
SELECT diaobject_id, ra, decl,
       {", ".join(f"coalesce({name}, '0')" for name in OBJECT_FLOATS)},
       {", ".join(f"{name} IS NULL" for name in OBJECT_FLOATS)}, isddf
FROM elasticc2_ppdbdiaobject
WHERE diaobject_id = ANY({{ids}})
ORDER BY diaobject_id"""
SIMVERSIONS = (
    "SELECT simversion FROM elasticc2_ppdbdiaobject WHERE diaobject_id = ANY({ids}) ORDER BY diaobject_id"
)


class Timeline(NamedTuple):
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
    sources, forced : dict of arrays
        Columns of :data:`SOURCE_DTYPE` and :data:`FORCED_DTYPE`, of one object after the other.
    """

    objects: NDArray[Any]
    simversions: list[str | None]
    sources: Columns
    forced: Columns

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


def batches(
    objects: Mapping[str, NDArray[Any] | None], sources: Columns, forced: Columns, *, simversion: str
) -> Iterator[Batch]:
    """What rows that are loaded come to, as it would be read, some objects at a time.

    Parameters
    ----------
    objects, sources, forced
        Columns by SQL name, in any order of rows; None is a column of NULLs.
    simversion
        Of all objects.
    """
    ids = objects["diaobject_id"]
    assert ids is not None
    order = np.argsort(ids)
    table = np.empty(len(ids), OBJECT_DTYPE)
    for name in OBJECT_FLOATS:
        table[f"{name} is null"] = objects[name] is None
    for name in ("diaobject_id", "ra", "decl", *OBJECT_FLOATS, "isddf"):
        column = objects[name]
        table[name] = 0 if column is None else column[order]
    detected = sorted_columns({name: sources[name] for name, _ in SOURCE_DTYPE})
    measured = sorted_columns({name: forced[name] for name, _ in FORCED_DTYPE})
    for start in range(0, len(table), OBJECTS_AT_ONCE):
        some = table[start : start + OBJECTS_AT_ONCE]
        yield Batch(some, [simversion] * len(some), of_objects(detected, some), of_objects(measured, some))


def of_objects(columns: Columns, objects: NDArray[Any]) -> Columns:
    """The rows of objects that follow each other."""
    ids = columns["diaobject_id"]
    first, last = objects["diaobject_id"][[0, -1]]
    start, stop = np.searchsorted(ids, first, "left"), np.searchsorted(ids, last, "right")
    return {name: column[start:stop] for name, column in columns.items()}


def spans(of: NDArray[np.int64], objectids: NDArray[np.int64]) -> list[slice]:
    """Where each id's rows lie in a column of ids; both ascending."""
    starts, stops = (np.searchsorted(of, objectids, side).tolist() for side in ("left", "right"))
    return [slice(start, stop) for start, stop in zip(starts, stops, strict=True)]


def timeline(sources: NDArray[np.float64], forced: NDArray[np.float64]) -> Timeline:
    """The times of one object's rows as Python searches them fastest."""
    return Timeline(array("d", sources.tobytes()), array("d", forced.tobytes()))


def read_batch(
    cursor: Any, objectids: Iterable[int], *, since_mjd: float = BEGINNING, until_mjd: float = END
) -> Batch:
    """Read objects with their sources and forced sources; ids that are no object are left out.

    Parameters
    ----------
    since_mjd, until_mjd
        Leave out photometry before and after, MJD (TAI), but no earlier source: an object's first one counts.
    """
    ids = sorted(set(objectids))
    literal = f"'{bulkcopy.as_bigints(ids)}'::bigint[]"
    (simversions,) = bulkcopy.read_fields(cursor, SIMVERSIONS.format(ids=literal), columns=1)
    objects = bulkcopy.read(cursor, OBJECTS.format(ids=literal), OBJECT_DTYPE)
    known = objects["diaobject_id"]
    return Batch(
        simversions=[None if text is None else str(text, "utf-8") for text in simversions],
        objects=objects,
        sources=read_photometry(cursor, "elasticc2_ppdbdiasource", SOURCE_DTYPE, known, BEGINNING, until_mjd),
        forced=read_photometry(
            cursor, "elasticc2_ppdbdiaforcedsource", FORCED_DTYPE, known, since_mjd, until_mjd
        ),
    )


def read_photometry(
    cursor: Any,
    table: str,
    dtype: Sequence[tuple[str, str]],
    objectids: NDArray[np.int64],
    since_mjd: float,
    until_mjd: float,
) -> Columns:
    """Photometry of some objects, in order of object, time and id; both bounds (MJD, TAI) are inclusive."""
    kinds = {name: kind for name, kind in dtype if name != "diaobject_id"}
    query = PHOTOMETRY.format(
        columns=", ".join(
            f"string_agg({SENT_AS[kind].format(name)}, '') AS {name}" for name, kind in kinds.items()
        ),
        together=", ".join(f"string_agg({name}, '')" for name in kinds),
        table=table,
        ids="%s::bigint[]",
        since="%s::float8",
        until="%s::float8",
    )
    literals = cursor.mogrify(query, (bulkcopy.as_bigints(objectids.tolist()), since_mjd, until_mjd)).decode()
    counts, *values = (
        np.frombuffer(field or b"", f">{kind}")
        for (field,), kind in zip(
            bulkcopy.read_fields(cursor, literals, columns=1 + len(kinds)),
            ("i8", *kinds.values()),
            strict=True,
        )
    )
    found = dict(zip(kinds, values, strict=True)) | {"diaobject_id": np.repeat(objectids, counts.astype(int))}
    return sorted_columns({name: found[name].astype(kind) for name, kind in dtype})


def sorted_columns(columns: Columns) -> Columns:
    """The columns in order of object, time and id, which is the first of them."""
    keys = [next(iter(columns.values())), columns["midpointtai"], columns["diaobject_id"]]
    # A load brings an object's photometry in order of time; what is added later may not be.
    if is_ascending(keys):
        return columns
    order = np.lexsort(keys)
    return {name: column[order] for name, column in columns.items()}


def is_ascending(keys: Sequence[NDArray[Any]]) -> bool:
    """Whether rows come in order of their keys, of which the last is the most important."""
    later = np.zeros(max(len(keys[0]) - 1, 0), bool)
    for key in keys:
        later = (key[1:] > key[:-1]) | (later & (key[1:] == key[:-1]))
    return bool(later.all())


def histories(cursor: Any, objectids: Iterable[int]) -> dict[int, ObjectHistory]:
    """Histories by object; ids that are no object are left out."""
    batch = read_batch(cursor, objectids)
    return {
        objectid: object_history(
            batch.properties(k),
            as_rows(batch.sources, sources, SOURCE_DTYPE),
            as_rows(batch.forced, forced, FORCED_DTYPE),
        )
        for k, (objectid, (sources, forced)) in enumerate(zip(batch.ids, batch.spans(), strict=True))
    }


def object_history(
    properties: dict[str, Any] | None, sources: NDArray[Any], forced: NDArray[Any]
) -> ObjectHistory:
    times = timeline(sources["midpointtai"], forced["midpointtai"])
    return ObjectHistory(properties, sources, forced, times)


def as_rows(columns: Columns, span: slice, dtype: Sequence[tuple[str, str]]) -> NDArray[Any]:
    """Some of the rows as a structured array."""
    rows = np.empty(span.stop - span.start, np.dtype(list(dtype)))
    for name, column in columns.items():
        rows[name] = column[span]
    return rows


def read_lone_sources(cursor: Any, sourceids: Iterable[int]) -> NDArray[Any]:
    """Sources that belong to no object, by their own ids."""
    literal = f"'{bulkcopy.as_bigints(sorted(set(sourceids)))}'::bigint[]"
    return bulkcopy.read(cursor, LONE_SOURCES.format(ids=literal), SOURCE_DTYPE)


def lone_histories(cursor: Any, sourceids: Iterable[int]) -> dict[int, ObjectHistory]:
    """Histories, by source, of sources that belong to no object: the source, and nothing else."""
    rows = read_lone_sources(cursor, sourceids)
    nothing = np.empty(0, FORCED_DTYPE)
    return {
        int(row["diasource_id"]): object_history(None, rows[k : k + 1], nothing) for k, row in enumerate(rows)
    }

"""Encoding: objects and all their photometry as Avro, every record once; alerts are put together from it.

An alert is a concatenation of bytes. Avro's encoding of a record is that of its fields, end to end; an alert
is its id, its source, two slices of the object's history, and the object.
"""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from elasticc2.campaign import OBJECT_FLOATS
from elasticc2.histories import DAYS_PREVIOUS, Batch, Columns, Timeline, timeline
from tom_desc.rowbytes import Rows, join, of_numbers
from tom_desc.streams import avro

# What Python itself takes for an encoded object, beyond its bytes: measured, roughly.
OVERHEAD_BYTES = 1500
RECORDS_IN_A_RUN = 30
# From which number on an id, zigzagged and seven bits a byte, takes one byte more.
LONGER = np.array([2 ** (7 * length - 1) for length in range(1, 10)])
EMPTY_ARRAY = avro.PRESENT + avro.NO_ITEMS


class Records(NamedTuple):
    """Encoded records of one object: record i is ``buffer[at[i]:at[i + 1]]``."""

    buffer: bytes
    at: Sequence[int]

    def array(self, span: slice) -> tuple[bytes, ...]:
        """Some as the union's array, in one block, in parts. It is never null: none are an empty array."""
        start, stop = span.start, span.stop
        if stop <= start:
            return (EMPTY_ARRAY,)
        buffer, at = self
        return avro.PRESENT, avro.array_start(stop - start), buffer[at[start] : at[stop]], avro.NO_ITEMS


class EncodedObject(NamedTuple):
    """An object's history in Avro, every record once.

    Attributes
    ----------
    source_ids : sequence of int
        Of the sources, in the order of the timeline.
    record : bytes
        The alert schema's last field: null, or the object.
    """

    timeline: Timeline
    source_ids: Any
    sources: Records
    forced: Records
    record: bytes
    isddf: bool

    @property
    def size(self) -> int:
        """Bytes of memory, roughly."""
        rows = len(self.timeline.sources) + len(self.timeline.forced)
        encoded = len(self.sources.buffer) + len(self.forced.buffer) + len(self.record)
        return OVERHEAD_BYTES + encoded + 12 * rows

    def alert(
        self,
        alert_id: bytes,
        diasource_id: int,
        mjd: float,
        *,
        days_previous: float = DAYS_PREVIOUS,
        nprevious: int | None = None,
    ) -> bytes:
        """The alert of one of the object's sources, of which the time is known; its own id in Avro."""
        timeline, source_ids, sources, forced, record, _ = self
        i = source_ids.index(diasource_id, bisect_left(timeline.sources, mjd))
        earlier, measured = timeline.before(i, days_previous=days_previous, nprevious=nprevious)
        own = sources.buffer[sources.at[i] : sources.at[i + 1]]
        return b"".join((alert_id, own, *sources.array(earlier), *forced.array(measured), record))


def encode_rows(columns: Columns) -> Rows:
    """Records of forced sources."""
    return in_runs(columns, lambda run: join([avro.of_column(column) for column in run.values()]))


def encode_sources(columns: Columns, *, lone: bool) -> Rows:
    """Records of sources; ``lone`` ones belong to no object."""

    def encode(run: Columns) -> Rows:
        cells = {name: avro.of_column(column) for name, column in run.items()}
        objectids = cells["diaobject_id"]
        cells["diaobject_id"] = avro.optional(objectids, np.full(len(objectids), not lone))
        return join(list(cells.values()))

    return in_runs(columns, encode)


def in_runs(columns: Columns, encode: Callable[[Columns], Rows]) -> Rows:
    """Encode run by run of records whose ids are equally long: records of one width join much faster.

    The ids of an object's photometry mostly are; where they are not, all records are encoded together.
    """
    edges = width_edges([column for column in columns.values() if column.dtype.kind == "i"])
    if len(edges) == 2 or len(edges) > 2 + len(columns["midpointtai"]) // RECORDS_IN_A_RUN:
        return encode(columns)
    runs = [
        encode({name: column[start:stop] for name, column in columns.items()})
        for start, stop in pairwise(edges)
    ]
    lengths = np.concatenate([[0], *(np.diff(run.offsets) for run in runs)])
    return Rows(b"".join(run.buffer for run in runs), np.cumsum(lengths))


def width_edges(ids: Sequence[NDArray[np.int64]]) -> list[int]:
    """Where a row's ids differ in length from those of the row before; begins with 0, ends with the rows."""
    changed = np.zeros(max(len(ids[0]) - 1, 0), bool)
    for column in ids:
        changed |= np.diff(np.searchsorted(LONGER, column ^ (column >> 63), "right")) != 0
    return [0, *(np.flatnonzero(changed) + 1).tolist(), len(ids[0])]


def encode_objects(batch: Batch) -> Rows:
    """The last field of each object's alerts."""
    count, missing = len(batch), batch.missing
    simversions = np.array([(text or "").encode() for text in batch.simversions], "S")
    named = np.array([text is not None for text in batch.simversions], bool)
    return join(
        [
            avro.optional(avro.longs(batch.objects["diaobject_id"]), np.ones(count, bool)),
            avro.optional(avro.strings(simversions), named),
            *(of_numbers(batch.objects[name], "<f8") for name in ("ra", "decl")),
            *(
                avro.optional(of_numbers(batch.objects[name], "<f4"), ~missing[:, k])
                for k, name in enumerate(OBJECT_FLOATS)
            ),
        ]
    )


def records(rows: Rows, span: slice) -> Records:
    """Some of the rows, with bytes of their own, so that keeping them keeps nothing else alive."""
    at = rows.offsets[span.start : span.stop + 1] - rows.offsets[span.start]
    return Records(rows.slice(span.start, span.stop), array("i", at.astype("i4").tobytes()))


def encoded_ids(ids: Sequence[int]) -> list[bytes]:
    """Ids in Avro."""
    rows = join([avro.longs(ids)])
    return [rows.slice(k, k + 1) for k in range(len(ids))]


def alert_id_of(alert: bytes) -> int | None:
    """The id with which an alert begins; None where the bytes begin with none."""
    zigzag = 0
    for k, byte in enumerate(alert[: avro.LONGEST_VARINT]):
        zigzag |= (byte & 0x7F) << (7 * k)
        if byte <= 0x7F:
            return (zigzag >> 1) ^ -(zigzag & 1)
    return None


def encode_batch(batch: Batch) -> dict[int, EncodedObject]:
    """All objects of a batch, by id."""
    of_objects = encode_objects(batch)
    sources, forced = encode_sources(batch.sources, lone=False), encode_rows(batch.forced)
    sourceids = batch.sources["diasource_id"]
    detected, measured = batch.sources["midpointtai"], batch.forced["midpointtai"]
    isddf = batch.objects["isddf"].tolist()
    return {
        objectid: EncodedObject(
            timeline=timeline(detected[own], measured[points]),
            source_ids=array("q", sourceids[own].tobytes()),
            sources=records(sources, own),
            forced=records(forced, points),
            record=of_objects.slice(k, k + 1),
            isddf=isddf[k],
        )
        for k, (objectid, (own, points)) in enumerate(zip(batch.ids, batch.spans(), strict=True))
    }


def encode_lone(rows: NDArray[Any]) -> dict[int, EncodedObject]:
    """Sources that belong to no object, by source: each is all of its history."""
    encoded = encode_sources({name: rows[name] for name in rows.dtype.names or ()}, lone=True)
    times = rows["midpointtai"]
    return {
        sourceid: EncodedObject(
            timeline=timeline(times[k : k + 1], times[:0]),
            source_ids=array("q", [sourceid]),
            sources=records(encoded, slice(k, k + 1)),
            forced=records(encoded, slice(0, 0)),
            record=avro.NULL,
            isddf=False,
        )
        for k, sourceid in enumerate(rows["diasource_id"].tolist())
    }

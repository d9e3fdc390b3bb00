"""Alerts: what the survey tells brokers of a source, as Avro for a stream and as JSON for ``getalert``.

An alert is a concatenation of bytes. Avro's encoding of a record is that of its fields, end to end, so every
source, forced source and object is encoded once; an alert is then its id, its source, two slices of the
object's history, and the object.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import orjson
from django.db import connection
from numpy.typing import NDArray

from elasticc2.campaign import OBJECT_FLOATS, avro_name
from elasticc2.histories import (
    DAYS_PREVIOUS,
    Batch,
    ObjectHistory,
    Timeline,
    histories,
    lone_histories,
    read_batch,
    read_lone_sources,
    timeline,
)
from tom_desc import bulkcopy
from tom_desc.rowbytes import Rows, join, of_numbers
from tom_desc.streams import avro

ALERTS_AT_ONCE = 1000
# Bounds the memory of a batch: deep-drilling objects have thousands of forced sources.
OBJECTS_AT_ONCE = 250
CACHE_BYTES = 256 * 2**20
# What Python itself takes for an encoded object, beyond its bytes: measured, roughly.
OVERHEAD_BYTES = 2000

ALERT_SOURCES = """
SELECT a.alert_id, s.diasource_id, coalesce(s.diaobject_id, 0), s.diaobject_id IS NULL
FROM elasticc2_ppdbalert a JOIN elasticc2_ppdbdiasource s USING (diasource_id)
WHERE a.alert_id = ANY(%s)"""
ALERT_SOURCES_DTYPE = [("alert_id", "i8"), ("diasource_id", "i8"), ("diaobject_id", "i8"), ("lone", "?")]

ONE_ALERT = """
SELECT a.alert_id, s.diasource_id, s.diaobject_id
FROM elasticc2_ppdbalert a JOIN elasticc2_ppdbdiasource s USING (diasource_id)
WHERE {column} = %s AND s.midpointtai <= coalesce(%s::float8, 'Infinity')"""

UNSENT = """
SELECT a.alert_id, s.diasource_id, s.midpointtai
FROM elasticc2_ppdbalert a JOIN elasticc2_ppdbdiasource s USING (diasource_id)
WHERE a.alertsenttimestamp IS NULL
  AND s.midpointtai <= %(through)s
  AND (s.midpointtai, s.diasource_id) > (%(after_mjd)s, %(after_id)s)
ORDER BY s.midpointtai, s.diasource_id
LIMIT %(limit)s"""
UNSENT_DTYPE = [("alert_id", "i8"), ("diasource_id", "i8"), ("midpointtai", "f8")]
COUNT_UNSENT = """
SELECT count(*)
FROM elasticc2_ppdbalert a JOIN elasticc2_ppdbdiasource s USING (diasource_id)
WHERE a.alertsenttimestamp IS NULL AND s.midpointtai <= %s"""
MARK_SENT = """
UPDATE elasticc2_ppdbalert SET alertsenttimestamp = %s
WHERE alert_id = ANY(%s) AND alertsenttimestamp IS NULL"""


class AlertNotFound(LookupError):
    """There is no such alert; the message is the documented sentence."""


class UnknownAlert(AlertNotFound):
    def __init__(self) -> None:
        super().__init__("PPDBAlert matching query does not exist.")


class UnknownSource(AlertNotFound):
    def __init__(self, sourceid: int) -> None:
        super().__init__(f"Unknown sourceid {sourceid}")


class AlertSource(NamedTuple):
    """Which source an alert is about, and which object that is of."""

    alert_id: int
    diasource_id: int
    diaobject_id: int | None


@dataclass(frozen=True)
class EncodedObject:
    """An object's history in Avro, every record once.

    Attributes
    ----------
    places : dict
        Position of each source, by its id, in ``sources`` and in the timeline.
    record : bytes
        The alert schema's last field: null, or the object.
    """

    timeline: Timeline
    places: dict[int, int]
    sources: Rows
    forced: Rows
    record: bytes

    @property
    def size(self) -> int:
        """Bytes of memory, roughly."""
        rows = len(self.timeline.sources) + len(self.timeline.forced)
        return (
            OVERHEAD_BYTES + len(self.sources.buffer) + len(self.forced.buffer) + len(self.record) + 16 * rows
        )

    def alert(self, alert_id: int, diasource_id: int, days_previous: float, nprevious: int | None) -> bytes:
        """The alert of one of the object's sources."""
        i = self.places[diasource_id]
        sources, forced = self.timeline.before(i, days_previous=days_previous, nprevious=nprevious)
        return b"".join(
            (
                avro.long(alert_id),
                self.sources.slice(i, i + 1),
                *array_of(self.sources, sources),
                *array_of(self.forced, forced),
                self.record,
            )
        )


def array_of(rows: Rows, span: slice) -> tuple[bytes, ...]:
    """A history as the union's array, in one block. It is never null: an empty history is an empty array."""
    start, stop = span.start, span.stop
    if stop <= start:
        return avro.PRESENT, avro.NO_ITEMS
    return avro.PRESENT, avro.array_start(stop - start), rows.slice(start, stop), avro.NO_ITEMS


def encode_rows(rows: NDArray[Any]) -> Rows:
    """Forced sources, one record a row."""
    return join([avro.of_column(rows[name]) for name in rows.dtype.names or ()])


def encode_sources(rows: NDArray[Any], *, lone: bool) -> Rows:
    """Sources, one record a row; ``lone`` ones belong to no object."""
    columns = {name: avro.of_column(rows[name]) for name in rows.dtype.names or ()}
    columns["diaobject_id"] = avro.optional(columns["diaobject_id"], np.full(len(rows), not lone))
    return join(list(columns.values()))


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


def part(rows: Rows, span: slice) -> Rows:
    """Some of the rows, with bytes of their own, so that keeping them keeps nothing else alive."""
    offsets = rows.offsets[span.start : span.stop + 1]
    return Rows(rows.slice(span.start, span.stop), offsets - offsets[0])


def encode_batch(batch: Batch) -> dict[int, EncodedObject]:
    """All objects of a batch, by id."""
    records = encode_objects(batch)
    sources, forced = encode_sources(batch.sources, lone=False), encode_rows(batch.forced)
    sourceids = batch.sources["diasource_id"].tolist()
    return {
        objectid: EncodedObject(
            timeline=timeline(batch.sources[of_object], batch.forced[measured]),
            places={sourceid: place for place, sourceid in enumerate(sourceids[of_object])},
            sources=part(sources, of_object),
            forced=part(forced, measured),
            record=records.slice(k, k + 1),
        )
        for k, (objectid, (of_object, measured)) in enumerate(zip(batch.ids, batch.spans(), strict=True))
    }


def encode_lone(rows: NDArray[Any]) -> dict[int, EncodedObject]:
    """Sources that belong to no object, by source: each is all of its history."""
    encoded = encode_sources(rows, lone=True)
    return {
        sourceid: EncodedObject(
            timeline=timeline(rows[k : k + 1], rows[:0]),
            places={sourceid: 0},
            sources=part(encoded, slice(k, k + 1)),
            forced=part(encoded, slice(0, 0)),
            record=avro.NULL,
        )
        for k, sourceid in enumerate(rows["diasource_id"].tolist())
    }


class EncodedObjects:
    """The encoded objects used last, up to a number of bytes."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        self._objects: OrderedDict[int, EncodedObject] = OrderedDict()

    def __len__(self) -> int:
        return len(self._objects)

    def get(self, objectid: int) -> EncodedObject | None:
        if objectid in self._objects:
            self._objects.move_to_end(objectid)
        return self._objects.get(objectid)

    def keep(self, objectid: int, encoded: EncodedObject) -> None:
        """Keep an object, and forget those not used for longest until all fit."""
        replaced = self._objects.pop(objectid, None)
        self.bytes += encoded.size - (replaced.size if replaced else 0)
        self._objects[objectid] = encoded
        while self.bytes > self.max_bytes:
            _, forgotten = self._objects.popitem(last=False)
            self.bytes -= forgotten.size


class AlertAssembler:
    """Alerts as schemaless Avro (v0_9_1), from objects that are encoded once and remembered.

    What is remembered is not read again: make a new assembler after a load.

    Parameters
    ----------
    max_bytes
        Memory for encoded objects.
    """

    def __init__(self, *, max_bytes: int = CACHE_BYTES) -> None:
        self.cache = EncodedObjects(max_bytes)

    def assemble(
        self,
        cursor: Any,
        alert_ids: Sequence[int],
        *,
        days_previous: float = DAYS_PREVIOUS,
        nprevious: int | None = None,
    ) -> Iterator[tuple[int, bytes]]:
        """The alerts in the order asked, each with its id.

        Raises
        ------
        UnknownAlert
            For an id that is no alert, or that of an alert without a source.
        """
        for start in range(0, len(alert_ids), ALERTS_AT_ONCE):
            wanted = alert_sources(cursor, alert_ids[start : start + ALERTS_AT_ONCE])
            objects = self.objects(cursor, wanted)
            lone = lone_objects(cursor, wanted)
            for alert_id, sourceid, objectid in wanted:
                of = lone[sourceid] if objectid is None else objects[objectid]
                yield alert_id, of.alert(alert_id, sourceid, days_previous, nprevious)

    def objects(self, cursor: Any, wanted: Iterable[AlertSource]) -> dict[int, EncodedObject]:
        """The objects of these alerts, from memory or encoded now."""
        found: dict[int, EncodedObject] = {}
        missing: set[int] = set()
        for _, sourceid, objectid in wanted:
            if objectid is None:
                continue
            known = self.cache.get(objectid)
            if known is None or sourceid not in known.places:
                missing.add(objectid)
            else:
                found[objectid] = known
        for objectid, encoded in encode_objects_of(cursor, sorted(missing)):
            found[objectid] = encoded
            self.cache.keep(objectid, encoded)
        return found


def encode_objects_of(cursor: Any, objectids: Sequence[int]) -> Iterator[tuple[int, EncodedObject]]:
    """Read and encode objects, some at a time."""
    for start in range(0, len(objectids), OBJECTS_AT_ONCE):
        yield from encode_batch(read_batch(cursor, objectids[start : start + OBJECTS_AT_ONCE])).items()


def lone_objects(cursor: Any, wanted: Iterable[AlertSource]) -> dict[int, EncodedObject]:
    """By source, what stands for the object of a source that has none."""
    sourceids = [sourceid for _, sourceid, objectid in wanted if objectid is None]
    return encode_lone(read_lone_sources(cursor, sourceids)) if sourceids else {}


def alert_sources(cursor: Any, alert_ids: Sequence[int]) -> list[AlertSource]:
    """Source and object of each alert, in the order asked; UnknownAlert where there is none."""
    query = cursor.mogrify(ALERT_SOURCES, (list(alert_ids),)).decode()
    rows = bulkcopy.read(cursor, query, ALERT_SOURCES_DTYPE).tolist()
    found = {
        alert_id: AlertSource(alert_id, sourceid, None if lone else objectid)
        for alert_id, sourceid, objectid, lone in rows
    }
    try:
        return [found[alert_id] for alert_id in alert_ids]
    except KeyError as error:
        raise UnknownAlert from error


def unsent_alerts(
    cursor: Any, *, through_mjd: float, limit: int, after: tuple[float, int] = (float("-inf"), 0)
) -> NDArray[Any]:
    """The next alerts to send, by time and then source id.

    Parameters
    ----------
    through_mjd
        Time of the latest source, MJD (TAI), inclusive.
    after
        Time and id of the last source of the slice before.

    Returns
    -------
    structured array
        ``alert_id``, ``diasource_id``, ``midpointtai``; at most ``limit`` rows.
    """
    bounds = {"through": through_mjd, "after_mjd": after[0], "after_id": after[1], "limit": limit}
    return bulkcopy.read(cursor, cursor.mogrify(UNSENT, bounds).decode(), UNSENT_DTYPE)


def unsent_slices(cursor: Any, *, through_mjd: float, size: int) -> Iterator[list[int]]:
    """Ids of all unsent alerts in order of time, in slices; whoever takes one may mark it before the next."""
    rows = unsent_alerts(cursor, through_mjd=through_mjd, limit=size)
    while len(rows):
        yield rows["alert_id"].tolist()
        last = (float(rows[-1]["midpointtai"]), int(rows[-1]["diasource_id"]))
        rows = unsent_alerts(cursor, through_mjd=through_mjd, limit=size, after=last)


def count_unsent(cursor: Any, *, through_mjd: float) -> int:
    """How many alerts are unsent up to a time, MJD (TAI), inclusive."""
    cursor.execute(COUNT_UNSENT, (through_mjd,))
    count: int = cursor.fetchone()[0]
    return count


def mark_sent(cursor: Any, alert_ids: Sequence[int], when: datetime) -> int:
    """Mark alerts sent, which moves the campaign's clock; returns how many were not marked before."""
    cursor.execute(MARK_SENT, (when, list(alert_ids)))
    marked: int = cursor.rowcount
    return marked


def reconstruct(
    *,
    alertid: int | None = None,
    sourceid: int | None = None,
    days_previous: float = DAYS_PREVIOUS,
    nprevious: int | None = None,
    hidden_after: float | None,
) -> bytes:
    """One alert as JSON, sent already or not.

    Parameters
    ----------
    alertid, sourceid
        Which alert; ``alertid`` where both are given.
    hidden_after
        MJD (TAI) after which there is no source as far as the asker can know; None: all is open.

    Raises
    ------
    AlertNotFound
        With the documented sentence.
    ValueError
        Where neither id is given, with the documented sentence.
    """
    with connection.cursor() as cursor:
        alert_id, diasource_id, objectid = find_alert(cursor, alertid, sourceid, hidden_after)
        if objectid is None:
            history = lone_histories(cursor, [diasource_id])[diasource_id]
        else:
            history = histories(cursor, [objectid])[objectid]
    i = history.source_ids.index(diasource_id)
    alert = alert_content(history, i, alert_id=alert_id, days_previous=days_previous, nprevious=nprevious)
    return orjson.dumps(alert, option=orjson.OPT_SERIALIZE_NUMPY)


def find_alert(
    cursor: Any, alertid: int | None, sourceid: int | None, hidden_after: float | None
) -> AlertSource:
    """The alert that is asked for; see :func:`reconstruct` for what is raised."""
    if alertid is None and sourceid is None:
        raise ValueError("Must supply either alertid or sourceid")
    column, wanted = ("a.alert_id", alertid) if alertid is not None else ("a.diasource_id", sourceid)
    cursor.execute(ONE_ALERT.format(column=column), (wanted, hidden_after))
    row = cursor.fetchone()
    if row is not None:
        return AlertSource(*row)
    if alertid is None and sourceid is not None:
        raise UnknownSource(sourceid)
    raise UnknownAlert


def alert_content(
    history: ObjectHistory, i: int, *, alert_id: int, days_previous: float, nprevious: int | None
) -> dict[str, Any]:
    """The alert of source i, keys as in the alert schema, floats as numpy float32."""
    sources, forced = history.timeline.before(i, days_previous=days_previous, nprevious=nprevious)
    properties = history.properties
    (source,) = records(history.sources[i : i + 1])
    if properties is None:
        source["diaObjectId"] = None
    return {
        "alertId": alert_id,
        "diaSource": source,
        "prvDiaSources": records(history.sources[sources]),
        "prvDiaForcedSources": records(history.forced[forced]),
        "diaObject": properties and {avro_name(name): value for name, value in properties.items()},
    }


def records(rows: NDArray[Any]) -> list[dict[str, Any]]:
    """Rows as dicts, keys as in the alert schema."""
    names = rows.dtype.names or ()
    keys = [avro_name(name) for name in names]
    columns = [plain(rows[name]) for name in names]
    return [dict(zip(keys, values, strict=True)) for values in zip(*columns, strict=True)]


def plain(column: NDArray[Any]) -> list[Any]:
    """A column for JSON. Single precision stays numpy's: as a Python float it would print more digits."""
    if column.dtype.kind == "S":
        return list(np.char.decode(column, "utf-8").tolist())
    return list(column) if column.dtype == np.float32 else column.tolist()

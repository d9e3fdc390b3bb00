"""Alerts: what the survey tells brokers of a source, as Avro for a stream and as JSON for ``getalert``.

Objects are read and encoded once, with everything that any of their alerts may carry, and remembered.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
import orjson
from django.db import connection
from numpy.typing import NDArray

from elasticc2.campaign import avro_name
from elasticc2.encoding import EncodedObject, encode_batch, encode_lone, encoded_ids
from elasticc2.histories import (
    BEGINNING,
    DAYS_PREVIOUS,
    END,
    OBJECTS_AT_ONCE,
    ObjectHistory,
    histories,
    lone_histories,
    read_batch,
    read_lone_sources,
)
from elasticc2.keptobjects import read_kept
from tom_desc import bulkcopy

ALERTS_AT_ONCE = 1000
CACHE_BYTES = 256 * 2**20

ALERT_SOURCES = """
SELECT a.alert_id, s.diasource_id, coalesce(s.diaobject_id, 0), s.diaobject_id IS NULL, s.midpointtai
FROM elasticc2_ppdbalert a JOIN elasticc2_ppdbdiasource s USING (diasource_id)
WHERE a.alert_id = ANY(%s::bigint[])"""
ALERT_SOURCES_DTYPE = [
    ("alert_id", "i8"),
    ("diasource_id", "i8"),
    ("diaobject_id", "i8"),
    ("lone", "?"),
    ("midpointtai", "f8"),
]

ONE_ALERT = """
SELECT a.alert_id, s.diasource_id, s.diaobject_id, s.midpointtai
FROM elasticc2_ppdbalert a JOIN elasticc2_ppdbdiasource s USING (diasource_id)
WHERE {column} = %s AND s.midpointtai <= coalesce(%s::float8, 'Infinity')"""

# Alerts by time and then source; no hole is left where several have the same time.
SELECTED = """
FROM elasticc2_ppdbalert a JOIN elasticc2_ppdbdiasource s USING (diasource_id)
WHERE a.alertsenttimestamp IS {marked}
  AND s.midpointtai <= %(through)s
  AND (s.midpointtai, s.diasource_id) > (%(after_mjd)s, %(after_id)s)
  AND a.alert_id <> ALL(%(but)s::bigint[])"""
SLICE = f"""
SELECT a.alert_id, s.diasource_id, coalesce(s.diaobject_id, 0), s.diaobject_id IS NULL, s.midpointtai
{SELECTED}
ORDER BY s.midpointtai, s.diasource_id
LIMIT %(limit)s"""
COUNT = f"SELECT count(*) {SELECTED}"
BEFORE_ALL = (BEGINNING, 0)
MARKED = {False: "NULL", True: "NOT NULL"}

MARK = """
WITH marked AS (
    UPDATE elasticc2_ppdbalert SET alertsenttimestamp = %(when)s
    WHERE alert_id = ANY(%(alerts)s::bigint[]) AND alertsenttimestamp IS NULL
    RETURNING diasource_id
), batch AS (
    INSERT INTO elasticc2_sendbatch (sendrun_id, night, sent, alerts, messages, bytes, first_mjd, last_mjd)"""
# A batch is of one night, which lasts from noon to noon and is called by the MJD between them.
MARK_SENT = f"""{MARK}
    SELECT NULL, ceil(midpointtai - 0.5) AS night, %(when)s, count(*), 0, 0,
           min(midpointtai), max(midpointtai)
    FROM marked JOIN elasticc2_ppdbdiasource USING (diasource_id)
    GROUP BY night
)
SELECT count(*) FROM marked"""
# One statement, so that it is one round trip. What a run completes may be earlier than what it had confirmed.
MARK_SENT_IN_RUN = f"""{MARK}
    SELECT %(run)s, %(night)s, %(when)s, count(*), %(messages)s, %(bytes)s, %(first_mjd)s, %(last_mjd)s
    FROM marked
    HAVING count(*) > 0
), clock AS (
    UPDATE campaigns_campaign SET sent_mjd = %(last_mjd)s
    WHERE name = 'elasticc2' AND %(last_mjd)s > coalesce(sent_mjd, '-Infinity')
)
UPDATE elasticc2_sendrun
SET updated = now(), alerts_sent = alerts_sent + total.alerts,
    last_confirmed_mjd = greatest(last_confirmed_mjd, %(last_mjd)s),
    slice_ends = coalesce(%(slice_ends)s, slice_ends)
FROM (SELECT count(*) AS alerts FROM marked) total
WHERE sendrun_id = %(run)s
RETURNING total.alerts"""


class AlertNotFound(LookupError):
    """There is no such alert; the message is the documented sentence."""


class UnknownAlert(AlertNotFound):
    def __init__(self) -> None:
        super().__init__("PPDBAlert matching query does not exist.")


class UnknownSource(AlertNotFound):
    def __init__(self, sourceid: int) -> None:
        super().__init__(f"Unknown sourceid {sourceid}")


class AlertSource(NamedTuple):
    """Which source an alert is about, which object that is of, and when it was: MJD (TAI)."""

    alert_id: int
    diasource_id: int
    diaobject_id: int | None
    midpointtai: float


class EncodedObjects:
    """The encoded objects used last, up to a number of bytes; for any number of threads."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        self._objects: OrderedDict[int, EncodedObject] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._objects)

    def find(self, sources: Iterable[AlertSource]) -> dict[int, EncodedObject]:
        """Those of the sources' objects that are here and have the source."""
        found: dict[int, EncodedObject] = {}
        with self._lock:
            for source in sources:
                known = self._objects.get(source.diaobject_id or 0)
                if source.diaobject_id is None or known is None:
                    continue
                if source.diasource_id in known.source_ids:
                    found[source.diaobject_id] = known
                    self._objects.move_to_end(source.diaobject_id)
                else:
                    found.pop(source.diaobject_id, None)
                    self._forget(source.diaobject_id)
        return found

    def keep(self, objects: dict[int, EncodedObject]) -> None:
        """Keep objects, and forget those not used for longest until all fit."""
        with self._lock:
            for objectid, encoded in objects.items():
                self._forget(objectid)
                self._objects[objectid] = encoded
                self.bytes += encoded.size
            while self.bytes > self.max_bytes:
                self._forget(next(iter(self._objects)))

    def _forget(self, objectid: int) -> None:
        forgotten = self._objects.pop(objectid, None)
        self.bytes -= forgotten.size if forgotten else 0


class AlertAssembler:
    """Alerts as schemaless Avro (v0_9_1), from objects that are encoded once and remembered.

    What is remembered is not read again: make a new assembler after a load. Threads may share one, each with
    a cursor of its own.

    Parameters
    ----------
    max_bytes
        Memory for encoded objects.
    since_mjd, until_mjd
        Of the photometry that any of the alerts can carry, MJD (TAI), so that the rest need not be read.
    """

    def __init__(
        self, *, max_bytes: int = CACHE_BYTES, since_mjd: float = BEGINNING, until_mjd: float = END
    ) -> None:
        self.cache = EncodedObjects(max_bytes)
        self.bounds = {"since_mjd": since_mjd, "until_mjd": until_mjd}

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
            sources = alert_sources(cursor, alert_ids[start : start + ALERTS_AT_ONCE])
            ids = encoded_ids([source.alert_id for source in sources])
            for source, alert_id, encoded in zip(sources, ids, self.objects(cursor, sources), strict=True):
                yield (
                    source.alert_id,
                    encoded.alert(
                        alert_id,
                        source.diasource_id,
                        source.midpointtai,
                        days_previous=days_previous,
                        nprevious=nprevious,
                    ),
                )

    def objects(self, cursor: Any, sources: Sequence[AlertSource]) -> list[EncodedObject]:
        """What the sources' alerts are put together from, one each, from memory or read now."""
        found = self.cache.find(sources)
        wanted = {source.diaobject_id for source in sources if source.diaobject_id is not None}
        for encoded in self.read(cursor, sorted(wanted - found.keys())):
            self.cache.keep(encoded)
            found |= encoded
        lone = lone_objects(cursor, sources)
        return [
            lone[source.diasource_id] if source.diaobject_id is None else found[source.diaobject_id]
            for source in sources
        ]

    def read(self, cursor: Any, objectids: Sequence[int]) -> Iterator[dict[int, EncodedObject]]:
        """Read objects, some at a time, and encode those that are not kept encoded."""
        for start in range(0, len(objectids), OBJECTS_AT_ONCE):
            ids = objectids[start : start + OBJECTS_AT_ONCE]
            kept = read_kept(cursor, ids)
            others = [objectid for objectid in ids if objectid not in kept]
            yield kept | (encode_batch(read_batch(cursor, others, **self.bounds)) if others else {})


def lone_objects(cursor: Any, sources: Iterable[AlertSource]) -> dict[int, EncodedObject]:
    """By source, what stands for the object of a source that has none."""
    sourceids = [source.diasource_id for source in sources if source.diaobject_id is None]
    return encode_lone(read_lone_sources(cursor, sourceids)) if sourceids else {}


def alert_sources(cursor: Any, alert_ids: Sequence[int]) -> list[AlertSource]:
    """Source and object of each alert, in the order asked; UnknownAlert where there is none."""
    query = cursor.mogrify(ALERT_SOURCES, (bulkcopy.as_bigints(alert_ids),)).decode()
    found = {
        source.alert_id: source for source in as_sources(bulkcopy.read(cursor, query, ALERT_SOURCES_DTYPE))
    }
    try:
        return [found[alert_id] for alert_id in alert_ids]
    except KeyError as error:
        raise UnknownAlert from error


def as_sources(rows: NDArray[Any]) -> list[AlertSource]:
    """Rows of :data:`ALERT_SOURCES_DTYPE`, one by one."""
    return [
        AlertSource(alert_id, sourceid, None if lone else objectid, mjd)
        for alert_id, sourceid, objectid, lone, mjd in rows.tolist()
    ]


def alerts_by_time(
    cursor: Any,
    *,
    through_mjd: float,
    limit: int,
    after: tuple[float, int] = BEFORE_ALL,
    sent: bool = False,
    but: Sequence[int] = (),
) -> NDArray[Any]:
    """The next alerts that are not sent yet, or that were, by time and then source id.

    Parameters
    ----------
    through_mjd
        Time of the latest source, MJD (TAI), inclusive.
    after
        Time and id of the last source of the slice before.
    but
        Alerts to leave out.

    Returns
    -------
    structured array
        Fields of :data:`ALERT_SOURCES_DTYPE`; at most ``limit`` rows.
    """
    bounds = bounds_of(through_mjd, after, but) | {"limit": limit}
    query = cursor.mogrify(SLICE.format(marked=MARKED[sent]), bounds).decode()
    return bulkcopy.read(cursor, query, ALERT_SOURCES_DTYPE)


def bounds_of(through_mjd: float, after: tuple[float, int], but: Sequence[int]) -> dict[str, Any]:
    return {"through": through_mjd, "after_mjd": after[0], "after_id": after[1], "but": list(but)}


def count_alerts(
    cursor: Any,
    *,
    through_mjd: float,
    after: tuple[float, int] = BEFORE_ALL,
    sent: bool = False,
    but: Sequence[int] = (),
) -> int:
    """How many alerts :func:`alerts_by_time` would give, one slice after the other."""
    cursor.execute(COUNT.format(marked=MARKED[sent]), bounds_of(through_mjd, after, but))
    count: int = cursor.fetchone()[0]
    return count


def unsent_slices(cursor: Any, *, through_mjd: float, size: int) -> Iterator[list[int]]:
    """Ids of all unsent alerts in order of time, in slices; whoever takes one may mark it before the next."""
    rows = alerts_by_time(cursor, through_mjd=through_mjd, limit=size)
    while len(rows):
        yield rows["alert_id"].tolist()
        rows = alerts_by_time(cursor, through_mjd=through_mjd, limit=size, after=last_of(rows))


def last_of(rows: NDArray[Any]) -> tuple[float, int]:
    """After what the next slice begins."""
    return float(rows[-1]["midpointtai"]), int(rows[-1]["diasource_id"])


def count_unsent(cursor: Any, *, through_mjd: float) -> int:
    """How many alerts are unsent up to a time, MJD (TAI), inclusive."""
    return count_alerts(cursor, through_mjd=through_mjd)


@dataclass(frozen=True)
class RunBatch:
    """Alerts of one night that a run of ``send_elasticc2_alerts`` sent together.

    Attributes
    ----------
    slice_ends : str or None
        New value of the run's column, JSON; None: it stays.
    """

    run: int
    night: int
    messages: int
    bytes: int
    first_mjd: float
    last_mjd: float
    slice_ends: str | None = None


def mark_sent(cursor: Any, alert_ids: Sequence[int], when: datetime, *, batch: RunBatch | None = None) -> int:
    """Mark alerts sent, which moves the campaign's clock, and enter them in the record of what was sent.

    Parameters
    ----------
    batch
        Of the run that sent them, whose row comes up to date; None: somebody else sent them, of any nights.

    Returns
    -------
    int
        How many were not marked before.
    """
    values = {"when": when, "alerts": bulkcopy.as_bigints(alert_ids)}
    if batch is None:
        cursor.execute(MARK_SENT, values)
    else:
        cursor.execute(MARK_SENT_IN_RUN, values | asdict(batch))
    marked: int = cursor.fetchone()[0]
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
        alert_id, diasource_id, objectid, _ = find_alert(cursor, alertid, sourceid, hidden_after)
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

"""Alerts from files to Kafka: from tars and directories as ``dump_elasticc2_alert_tars`` makes them."""

import io
import math
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import fastavro

from elasticc2.send import SendingFailed, headers_of
from tom_desc.streams.produce import NoReports, Outbox, Reports
from tom_desc.streams.schemas import ALERT, schema
from tom_desc.tally import Tally

# Between two looks at the clock, where a rate is to be kept, and at the reports.
AT_ONCE = 100
BEGINNING = fastavro.parse_schema(
    {"type": "record", "name": "beginning_of_an_alert", "fields": schema(ALERT)["fields"][:2]}
)
UNREADABLE = (EOFError, ValueError, IndexError, OverflowError, TypeError)


class NotAnAlert(ValueError):
    """A file that is no alert; the message names it."""


class Alert(NamedTuple):
    """An alert of a file: when its source was, MJD (TAI), its object, if it has one, and its bytes."""

    mjd: float
    alert_id: int
    diaobject_id: int | None
    value: bytes


@dataclass(frozen=True)
class Streamed(Tally):
    """Alerts that Kafka has confirmed."""

    alerts: int = 0
    bytes: int = 0

    def __str__(self) -> str:
        return f"{self.alerts} alerts, {self.bytes / 1e6:.1f} MB"


def days_of(paths: Iterable[Path], *, start_day: float, through_day: float) -> dict[float, list[Path]]:
    """Tars and directories of the days asked for, in order; first, under -inf, those whose name is no MJD.

    A directory stands for what is in it: tars and directories named by MJD where there are such, else alerts.

    Raises
    ------
    FileNotFoundError
        Where a path is not there, or holds neither.
    """
    days: dict[float, list[Path]] = {}
    for path in paths:
        for place in places_in(path):
            day = int(place.stem) if place.stem.isdecimal() else -math.inf
            if day == -math.inf or math.floor(start_day) <= day <= through_day:
                days.setdefault(day, []).append(place)
    return dict(sorted(days.items()))


def places_in(path: Path) -> list[Path]:
    if not path.exists():
        raise FileNotFoundError(f"{path}: not there")
    if not path.is_dir():
        return [path]
    inside = sorted(
        place
        for place in path.iterdir()
        if place.suffix == ".tar" or (place.is_dir() and place.name.isdecimal())
    )
    if not inside and not any(path.glob("*.avro")):
        raise FileNotFoundError(f"{path}: neither tars nor directories named by MJD in it, nor *.avro")
    return inside or [path]


def alerts_of(places: Sequence[Path], *, start_day: float, through_day: float) -> list[Alert]:
    """The alerts of one day's tars and directories from the first day to the last, by time, then id."""
    alerts = [read_alert(name, value) for place in places for name, value in contents(place)]
    return sorted(alert for alert in alerts if start_day <= alert.mjd < math.floor(through_day) + 1)


def contents(place: Path) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each ``*.avro`` in a tar or a directory."""
    if place.is_dir():
        for path in place.glob("*.avro"):
            yield str(path), path.read_bytes()
        return
    try:
        with tarfile.open(place) as tar:
            for member in tar:
                file = tar.extractfile(member) if member.name.endswith(".avro") else None
                if file is not None:
                    yield f"{place}: {member.name}", file.read()
    except tarfile.TarError as error:
        raise NotAnAlert(f"{place}: {error}") from error


def read_alert(name: str, value: bytes) -> Alert:
    """The alert with what it says of itself; NotAnAlert where it does not begin as one."""
    try:
        beginning: Any = fastavro.schemaless_reader(io.BytesIO(value), BEGINNING, None)
    except UNREADABLE as error:
        raise NotAnAlert(f"{name}: does not begin as {ALERT}") from error
    source = beginning["diaSource"]
    return Alert(source["midPointTai"], beginning["alertId"], source["diaObjectId"], value)


def stream(
    outbox: Outbox,
    alerts: Sequence[Alert],
    *,
    topic: str,
    alerts_per_second: float,
    now: Callable[[], datetime],
    stopping: Callable[[], bool],
) -> Streamed:
    """Send alerts in their order and wait until Kafka has confirmed them; what it did.

    Raises
    ------
    SendingFailed
        Where Kafka does not take some of them, or goes away.
    """
    reports, began = Reports(), time.monotonic()
    headers, sent = headers_of(now()), Streamed()
    for count, alert in enumerate(alerts):
        if count % AT_ONCE == 0:
            if stopping():
                break
            time.sleep(max(0.0, began + count / alerts_per_second - time.monotonic()))
            outbox.serve()
        outbox.send(topic, alert.value, key=key_of(alert), headers=headers, reports=reports)
        sent += Streamed(1, len(alert.value))
    try:
        outbox.settle(reports)
    except NoReports as error:
        raise SendingFailed(str(error)) from error
    if reports.failed:
        value, why = reports.failed[0]
        first = read_alert("", value).alert_id
        raise SendingFailed(f"{len(reports.failed)} alerts were not delivered, e.g. {first}: {why.str()}")
    return sent


def key_of(alert: Alert) -> bytes | None:
    """As ``send_elasticc2_alerts`` has it, so that alerts of an object stay in order."""
    return None if alert.diaobject_id is None else b"%d" % alert.diaobject_id

"""brokerClassification v0.9.1 messages as columns: what is valid, and why the rest is not.

Kafka and REST bring the same record; both check it here, a column at a time.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from tom_desc.bulkcopy import Lists
from tom_desc.fields import MAX_ID

# (brokerName, brokerVersion, classifierName, classifierParams)
Classifier = tuple[str, str | None, str, str | None]

MAX_SMALLINT = 2**15 - 1
MAX_FLOAT32 = float(np.finfo(np.float32).max)
# PostgreSQL takes in fields of up to 1 GB, and an element of real[] is 8 bytes on its way there.
MOST_CLASSES = 2**27 - 4
# The unique index over a classifier's four names holds 2704 bytes.
LONGEST_NAMES = 2500
# Timestamps outside are a wrong unit rather than a time: 2000-01-01 to 2100-01-01, milliseconds.
FIRST_MS, LAST_MS = 946_684_800_000, 4_102_444_800_000

# Where REST has the time of the message, which Kafka keeps beside it.
HEADER = "brokerPublishTimestamp"
NAMES = ("brokerName", "brokerVersion", "classifierName", "classifierParams")
REQUIRED_KEYS = (
    "alertId",
    "diaSourceId",
    "elasticcPublishTimestamp",
    "brokerIngestTimestamp",
    "brokerName",
    "brokerVersion",
    "classifierName",
    "classifierParams",
    "classifications",
)


@dataclass(frozen=True)
class Classifications:
    """Valid messages, in the order in which they came.

    Attributes
    ----------
    places : int array
        Where each message stood in what was checked.
    published, ingested, header : datetime64[us] arrays, NaT where there is none
        When the alert was published, when the broker had it, when the broker published its answer.
    classids, probabilities
        Parallel lists, one a message.
    """

    places: NDArray[np.int64]
    alert_ids: NDArray[np.int64]
    source_ids: NDArray[np.int64]
    classifiers: list[Classifier]
    published: NDArray[np.datetime64]
    ingested: NDArray[np.datetime64]
    header: NDArray[np.datetime64]
    classids: Lists
    probabilities: Lists

    def __len__(self) -> int:
        return len(self.places)

    def take(self, rows: NDArray[np.int64]) -> "Classifications":
        """Some of the messages, in any order."""
        return Classifications(
            places=self.places[rows],
            alert_ids=self.alert_ids[rows],
            source_ids=self.source_ids[rows],
            classifiers=[self.classifiers[row] for row in rows.tolist()],
            published=self.published[rows],
            ingested=self.ingested[rows],
            header=self.header[rows],
            classids=self.classids.take(rows),
            probabilities=self.probabilities.take(rows),
        )


def together(parts: Sequence[Classifications]) -> Classifications:
    """The messages of several parts, in the order of their places."""
    parts = [part for part in parts if len(part)] or [columns([], [], HEADER)]
    if len(parts) == 1:
        return parts[0]
    joined = Classifications(
        places=np.concatenate([part.places for part in parts]),
        alert_ids=np.concatenate([part.alert_ids for part in parts]),
        source_ids=np.concatenate([part.source_ids for part in parts]),
        classifiers=[names for part in parts for names in part.classifiers],
        published=np.concatenate([part.published for part in parts]),
        ingested=np.concatenate([part.ingested for part in parts]),
        header=np.concatenate([part.header for part in parts]),
        classids=Lists.joined([part.classids for part in parts]),
        probabilities=Lists.joined([part.probabilities for part in parts]),
    )
    return joined.take(np.argsort(joined.places))


@dataclass(frozen=True)
class Reject:
    """A message that cannot be stored: its place, every reason, and whose it says it is, if it says so."""

    place: int
    reason: str
    brokername: str | None = None


Faults = dict[int, list[str]]


def check(
    messages: list[Any], *, brokers: set[str] | None = None, header: str = HEADER
) -> tuple[Classifications, list[Reject]]:
    """Part valid messages from others.

    Parameters
    ----------
    brokers
        The only broker names that may be used; None: any.
    header
        Key of the time at which the broker published its answer; a message may lack it.
    """
    faults: Faults = defaultdict(list)
    places = whole_records(messages, faults)
    # Each pass is over messages that passed the one before, so that columns can be taken without asking.
    check_classifications(messages, places, faults)
    check_fields(messages, places, faults, brokers, header)
    valid = [place for place in places if place not in faults]
    rejects = [
        Reject(place, "; ".join(reasons), speaker(messages[place]))
        for place, reasons in sorted(faults.items())
    ]
    return columns([messages[place] for place in valid], valid, header), rejects


def speaker(message: Any) -> str | None:
    """Whose the message says it is; None where it names nobody who could be."""
    name = message.get("brokerName") if isinstance(message, dict) else None
    return name if is_broker_name(name) else None


def whole_records(messages: list[Any], faults: Faults) -> list[int]:
    """The places of records that have every key."""
    whole = []
    for place, message in enumerate(messages):
        if not isinstance(message, dict):
            faults[place].append("a message must be a JSON object")
            continue
        missing = [key for key in REQUIRED_KEYS if key not in message]
        if missing:
            faults[place].append(f"missing {', '.join(missing)}")
        else:
            whole.append(place)
    return whole


def check_fields(
    messages: list[Any], places: list[int], faults: Faults, brokers: set[str] | None, header: str
) -> None:
    """Ids, names and timestamps."""
    checks: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
        ("alertId", is_id, "must be a positive 64-bit integer"),
        ("diaSourceId", is_id, "must be a positive 64-bit integer"),
        ("brokerName", is_broker_name, "must be a text of 1 to 100 characters"),
        ("classifierName", lambda v: is_name(v, 200), "must be a text of 1 to 200 characters"),
        ("brokerVersion", is_text_or_null, "must be a text or null"),
        ("classifierParams", is_text_or_null, "must be a text or null"),
        ("elasticcPublishTimestamp", is_time, "must be milliseconds since 1970, in 2000 to 2100"),
        (
            "brokerIngestTimestamp",
            is_time_or_null,
            "must be milliseconds since 1970, in 2000 to 2100, or null",
        ),
        (
            header,
            is_time_or_null,
            "must be milliseconds since 1970, in 2000 to 2100, or null",
        ),
    )
    for key, valid, demand in checks:
        for place in places:
            value = messages[place].get(key)
            if not valid(value):
                faults[place].append(f"{key} {demand}, not {shown(value)}")
    for place in places:
        names = [messages[place][key] for key in NAMES]
        if place not in faults and sum(len((name or "").encode()) for name in names) > LONGEST_NAMES:
            faults[place].append(f"{', '.join(NAMES)} are longer than {LONGEST_NAMES} bytes together")
    for place in places if brokers is not None else ():
        name = messages[place]["brokerName"]
        if isinstance(name, str) and name not in brokers:  # type: ignore[operator]
            faults[place].append(f"brokerName {shown(name)} is not one of this account's brokers")


def is_id(value: Any) -> bool:
    return type(value) is int and 0 < value <= MAX_ID


def is_storable(value: Any) -> TypeGuard[str]:
    """Whether PostgreSQL can hold the text: no NUL, no lone surrogates."""
    return isinstance(value, str) and (value.isascii() or not has_surrogates(value)) and "\0" not in value


def has_surrogates(value: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in value)


def is_name(value: Any, longest: int) -> bool:
    return is_storable(value) and 0 < len(value) <= longest


def is_broker_name(value: Any) -> TypeGuard[str]:
    return is_name(value, 100)


def is_text_or_null(value: Any) -> bool:
    return value is None or is_storable(value)


def is_time(value: Any) -> bool:
    return type(value) in (int, float) and FIRST_MS <= value < LAST_MS


def is_time_or_null(value: Any) -> bool:
    return value is None or is_time(value)


def shown(value: Any) -> str:
    """A value in a sentence, cut to a length that a log line bears."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def check_classifications(messages: list[Any], places: list[int], faults: Faults) -> None:
    """Class ids fit smallint, probabilities are finite as float32. An empty list is an opinion too."""
    for place in places:
        entries = messages[place]["classifications"]
        if not isinstance(entries, list):
            faults[place].append(f"classifications must be a list, not {shown(entries)}")
        elif not all(type(e) is dict and "classId" in e and "probability" in e for e in entries):
            faults[place].append("classifications must be objects with classId and probability")
        elif len(entries) > MOST_CLASSES:
            faults[place].append(f"classifications are {len(entries)}, more than {MOST_CLASSES}")
    listed = [place for place in places if place not in faults]
    ids = flat(messages, listed, "classId")
    probabilities = flat(messages, listed, "probability")
    if (
        {*map(type, ids)} <= {int}
        and {*map(type, probabilities)} <= {int, float}
        and all_fit(ids, probabilities)
    ):
        return
    for place in listed:
        check_entries(place, messages[place]["classifications"], faults)


def all_fit(ids: list[int], probabilities: list[float]) -> bool:
    """The quick question whether every entry of every message is right."""
    return (
        (not ids or (min(ids) >= -MAX_SMALLINT - 1 and max(ids) <= MAX_SMALLINT))
        and max(map(abs, probabilities), default=0) < MAX_FLOAT32
        and bool(np.isfinite(np.array(probabilities, float)).all())
    )


def check_entries(place: int, entries: list[Any], faults: Faults) -> None:
    """Name the entries of one message that cannot be stored."""
    for entry in entries:
        classid, probability = entry["classId"], entry["probability"]
        if type(classid) is not int or not -MAX_SMALLINT - 1 <= classid <= MAX_SMALLINT:
            faults[place].append(f"classId must be an integer that fits 16 bits, not {shown(classid)}")
        if type(probability) not in (int, float) or not abs(probability) < MAX_FLOAT32:
            faults[place].append(f"probability must be a finite number, not {shown(probability)}")


def flat(messages: list[Any], places: Iterable[int], key: str) -> list[Any]:
    return [entry[key] for place in places for entry in messages[place]["classifications"]]


def columns(messages: list[Any], places: list[int], header: str) -> Classifications:
    """The columns of valid messages."""
    counts = np.array([len(message["classifications"]) for message in messages], np.int64)
    everywhere = range(len(messages))
    return Classifications(
        places=np.array(places, np.int64),
        alert_ids=np.array([message["alertId"] for message in messages], np.int64),
        source_ids=np.array([message["diaSourceId"] for message in messages], np.int64),
        classifiers=[
            (m["brokerName"], m["brokerVersion"], m["classifierName"], m["classifierParams"])
            for m in messages
        ],
        published=times([message["elasticcPublishTimestamp"] for message in messages]),
        ingested=times([message["brokerIngestTimestamp"] for message in messages]),
        header=times([message.get(header) for message in messages]),
        classids=Lists(np.array(flat(messages, everywhere, "classId"), np.int16), counts),
        probabilities=Lists(np.array(flat(messages, everywhere, "probability"), np.float32), counts),
    )


def times(milliseconds: list[float | None]) -> NDArray[np.datetime64]:
    """Milliseconds since 1970 as datetime64[us]; NaT for None."""
    values = np.array(milliseconds, float)
    # Microseconds until 2100 are whole numbers that float64 holds exactly.
    moments = np.where(np.isnan(values), 0, np.rint(values * 1000)).astype("M8[us]")
    moments[np.isnan(values)] = np.datetime64("NaT")
    return moments

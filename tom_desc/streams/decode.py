"""Decode: brokerClassification messages of a stream, schemaless Avro, into columns.

Messages of ordinary shape are read together, the same field of all of them at a time. Whatever is out of
the ordinary is read by itself by fastavro, and goes through the checks of
:mod:`tom_desc.streams.classifications`: these alone say what is valid, and what is read together is what
they would find valid.

Format: Apache Avro 1.11 specification, "Binary Encoding".
"""

import io
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import fastavro
import numpy as np
from numpy.typing import NDArray

from tom_desc.bulkcopy import Lists
from tom_desc.streams.classifications import (
    FIRST_MS,
    LAST_MS,
    LONGEST_NAMES,
    MAX_FLOAT32,
    MAX_SMALLINT,
    MOST_CLASSES,
    NAMES,
    Classifications,
    Classifier,
    Reject,
    check,
    speaker,
    together,
)
from tom_desc.streams.schemas import BROKER_CLASSIFICATION, schema

Longs = NDArray[np.int64]
Words = NDArray[np.uint64]

# kafka_ms of a message without a time.
NO_TIME = -1
# How the time of a message is called in a reason.
KAFKA_TIME = "the time of the Kafka message"
# Messages that are worked on at once; some ten times as many bytes are in memory meanwhile.
BYTES_AT_ONCE = 16_000_000
# The same of messages read one by one, which become hundreds of bytes for each class.
SINGLE_BYTES_AT_ONCE = 500_000
# Names of this length, with their own lengths, are remembered; longer ones cannot be stored.
LONGEST_SPAN = LONGEST_NAMES + 8
REMEMBERED_NAMES = 10_000

ABSENT, PRESENT = 0, 2
ONE = np.uint64(1)
# Bytes of a class and its probability: 4 of them a float, the rest an int from -1,048,576 to 1,048,575.
SHORTEST_ENTRY, LONGEST_ENTRY = 5, 7
FLOAT_BYTES = 4
CONTINUES = np.uint64(0x8080808080808080)
SEVENS = ~CONTINUES
# A word may be read at the last byte.
SLACK = bytes(16)

UNDECODABLE = (EOFError, ValueError, IndexError, OverflowError)
# fastavro reads on in a number that is too long for 64 bits, and loses bits.
MAYBE_OVERLONG = re.compile(rb"[\x80-\xff]{10}")
LONGEST_LONG = 10
# From here on it is worth knowing beforehand that a message has fewer bytes than it promises classes.
MANY_BYTES = 100_000


class Unreadable(ValueError):
    """Bytes that are no brokerClassification, with the reason in words."""


def decode(
    values: Sequence[bytes | None], kafka_ms: NDArray[np.int64]
) -> tuple[Classifications, list[Reject]]:
    """Part valid messages from others. Whatever comes, it raises nothing.

    Parameters
    ----------
    values
        As Kafka brings them; None and empty ones are not valid.
    kafka_ms : int array
        Kafka's time of each, in milliseconds since 1970 (UTC); -1: none.

    Returns
    -------
    Classifications, list of Reject
        Whose places are those in ``values``, ascending; the ``header`` is Kafka's time.
    """
    parts: list[Classifications] = []
    rejects: list[Reject] = []
    for these in slices(np.arange(len(values)), values, BYTES_AT_ONCE):
        quick = read_together([values[place] or b"" for place in these.tolist()], kafka_ms[these])
        parts.append(replace(quick, places=these[quick.places]))
        others = np.delete(these, quick.places)
        for some in slices(others, values, SINGLE_BYTES_AT_ONCE):
            found, refused = read_singly([values[place] for place in some.tolist()], kafka_ms[some].tolist())
            parts.append(replace(found, places=some[found.places]))
            rejects += [replace(reject, place=int(some[reject.place])) for reject in refused]
    return together(parts), rejects


def slices(places: Longs, values: Sequence[bytes | None], most: int) -> list[Longs]:
    """The places in pieces of some ``most`` bytes of values, each of at least one place."""
    if not len(places):
        return []
    sizes = np.array([len(values[place] or b"") for place in places.tolist()])
    return np.split(places, np.flatnonzero(np.diff(np.cumsum(sizes) // most)) + 1)


# One by one


def read_singly(
    values: Sequence[bytes | None], kafka_ms: Sequence[int]
) -> tuple[Classifications, list[Reject]]:
    """Part valid messages from others, each by itself."""
    places, records, rejects = [], [], []
    for place, (value, ms) in enumerate(zip(values, kafka_ms, strict=True)):
        try:
            records.append(read_record(value) | {KAFKA_TIME: None if ms == NO_TIME else ms})
            places.append(place)
        except Unreadable as error:
            rejects.append(Reject(place, str(error), speaker(beginning(value))))
    batch, invalid = check(records, header=KAFKA_TIME)
    rejects += [replace(reject, place=places[reject.place]) for reject in invalid]
    return (
        replace(batch, places=np.array(places, np.int64)[batch.places]),
        sorted(rejects, key=lambda reject: reject.place),
    )


def read_record(value: bytes | None) -> dict[str, Any]:
    """What fastavro makes of one message, timestamps in milliseconds.

    Raises
    ------
    Unreadable
        Where it is no brokerClassification from the first byte to the last.
    """
    if not value:
        raise Unreadable("has no value" if value is None else "is empty")
    source = Careful(value) if MAYBE_OVERLONG.search(value) else io.BytesIO(value)
    try:
        if len(value) > MANY_BYTES:
            refuse_promises(value)
        record: dict[str, Any] = read(source, RECORD)
    except UNDECODABLE as error:
        raise Unreadable(f"does not decode as {BROKER_CLASSIFICATION}: {in_words(error)}") from error
    rest = len(value) - source.tell()
    if rest:
        raise Unreadable(f"{rest} bytes follow the record" if rest > 1 else "1 byte follows the record")
    return record


def in_words(error: Exception) -> str:
    """What fastavro means."""
    match error:
        case EOFError():
            return "it ends too early"
        case IndexError():
            return "a union has no such branch"
    return str(error)


class Careful(io.BytesIO):
    """Bytes for fastavro that take care of numbers being no longer than Avro's."""

    run = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """As of any file; a number is read byte by byte."""
        data = super().read(size)
        self.run = self.run + 1 if size == 1 and data >= b"\x80" else 0
        if self.run == LONGEST_LONG:
            raise ValueError(f"a number has more than {LONGEST_LONG} bytes")
        return data


def read(source: io.BytesIO, form: Any) -> Any:
    """What fastavro reads of a schema."""
    return fastavro.schemaless_reader(source, form, None)


def refuse_promises(value: bytes) -> None:
    """EOFError where there cannot be as many classes as the message says, before all others are read."""
    source = Careful(value)
    read(source, BEFORE_CLASSES)
    if read(source, "long") * SHORTEST_ENTRY > len(value):
        raise EOFError


def beginning(value: bytes | None) -> dict[str, Any] | None:
    """A message's first fields, up to the broker's name, where that much can be read."""
    try:
        record: dict[str, Any] = read(Careful(value or b""), BEFORE_VERSION)
    except UNDECODABLE:
        return None
    return record


# Of a parsed schema: what says nothing of bytes.
NOTES = ("doc", "logicalType", "__fastavro_parsed__", "__named_schemas")


def plain(node: Any) -> Any:
    """A schema without logical types, whose numbers fastavro would make something else of."""
    if isinstance(node, list):
        return [plain(branch) for branch in node]
    if isinstance(node, dict):
        kept = {key: plain(value) for key, value in node.items() if key not in NOTES}
        return kept["type"] if set(kept) == {"type"} else kept
    return node


def record_of(first: int = 0, last: int | None = None) -> Any:
    """The schema of some of a brokerClassification's fields, which lie end to end."""
    fields = [
        {"name": field["name"], "type": plain(field["type"])}
        for field in schema(BROKER_CLASSIFICATION)["fields"][first:last]
    ]
    return fastavro.parse_schema({"type": "record", "name": f"fields_{first}_{last}", "fields": fields})


RECORD = record_of()
BEFORE_VERSION = record_of(last=5)
BEFORE_CLASSES = record_of(last=8)
FOUR_NAMES = record_of(4, 8)


# Together


def read_together(values: Sequence[bytes], kafka_ms: Longs) -> Classifications:
    """Those of the messages that are of ordinary shape, and valid."""
    fields = Fields(values)
    alert_ids, source_ids, published = fields.longs(), fields.longs(), fields.longs()
    has_ingested, ingested = fields.optional_longs()
    names = fields.classifiers()
    fields.ordinary &= (alert_ids > 0) & (source_ids > 0) & is_timely(published)
    fields.ordinary &= is_timely(ingested) | ~has_ingested
    fields.ordinary &= is_timely(kafka_ms) | (kafka_ms == NO_TIME)
    classids, probabilities = fields.classifications()
    rows = np.flatnonzero(fields.ordinary)
    return Classifications(
        places=rows,
        alert_ids=alert_ids[rows],
        source_ids=source_ids[rows],
        classifiers=[found for row in rows.tolist() if (found := names[row]) is not None],
        published=moments(published)[rows],
        ingested=moments(ingested, has_ingested)[rows],
        header=moments(kafka_ms, kafka_ms != NO_TIME)[rows],
        classids=classids,
        probabilities=probabilities,
    )


def is_timely(milliseconds: Longs) -> NDArray[np.bool_]:
    return (milliseconds >= FIRST_MS) & (milliseconds < LAST_MS)


def moments(milliseconds: Longs, present: NDArray[np.bool_] | None = None) -> NDArray[np.datetime64]:
    """Milliseconds since 1970 as datetime64[us]; NaT where not present."""
    found = (milliseconds * 1000).view("M8[us]")
    return found if present is None else np.where(present, found, np.datetime64("NaT", "us"))


class Fields:
    """Several messages, of which each call reads the next field.

    Attributes
    ----------
    ordinary : bool array
        Whether all that was read of the message is of ordinary shape; what is read of others means nothing.
    """

    def __init__(self, values: Sequence[bytes]) -> None:
        self.buffer = b"".join(values) + SLACK
        self.bytes = np.frombuffer(self.buffer, np.uint8)
        # The eight bytes from each byte on.
        self.words: Words = np.ndarray(len(self.buffer) - 7, "<u8", self.buffer, strides=(1,))
        lengths = np.array([len(value) for value in values], np.int64)
        self.ends = np.cumsum(lengths)
        self.at = self.ends - lengths
        self.ordinary = np.ones(len(values), bool)

    def skip(self, lengths: Longs) -> None:
        """Go on by so many bytes, which must be there."""
        left = self.ends - self.at
        self.ordinary = self.ordinary & (lengths >= 0) & (lengths <= left)
        self.at = self.at + np.clip(lengths, 0, left)

    def longs(self) -> Longs:
        """An int or long, of up to nine bytes."""
        words = self.words[self.at]
        stops = ~words & CONTINUES
        # All bits up to the first byte that stops; all of the word where none does.
        inside = ((stops & (~stops + ONE)) << ONE) - ONE
        numbers, lengths = sevens(words & inside), np.bitwise_count(inside).astype(np.int64) // 8
        longer = np.flatnonzero(stops == 0)
        ninth = self.bytes[self.at[longer] + 8].astype(np.uint64)
        numbers[longer] |= ninth << np.uint64(56)
        lengths[longer] = np.where(ninth < 0x80, 9, -1)
        self.skip(lengths)
        return unzigzag(numbers)

    def optional_longs(self) -> tuple[NDArray[np.bool_], Longs]:
        """A union of null and long: whether it is there, and what it is."""
        branch = self.bytes[self.at]
        present = branch == PRESENT
        self.ordinary = self.ordinary & (present | (branch == ABSENT))
        self.skip(np.ones(len(branch), np.int64))
        at, ordinary = self.at, self.ordinary
        numbers = self.longs()
        self.at = np.where(present, self.at, at)
        self.ordinary = np.where(present, self.ordinary, ordinary)
        return present, numbers

    def classifiers(self) -> list[Classifier | None]:
        """The four names; None where they are not valid."""
        starts = self.at
        for _name in NAMES:
            self.skip(self.longs())
        self.ordinary &= self.at - starts <= LONGEST_SPAN
        spans = zip(self.ordinary.tolist(), starts.tolist(), self.at.tolist(), strict=True)
        found = [classifier(self.buffer[start:stop]) if fine else None for fine, start, stop in spans]
        self.ordinary &= np.array([names is not None for names in found], bool)
        return found

    def classifications(self) -> tuple[Lists, Lists]:
        """The array that ends a message, in one block or empty: class ids and probabilities.

        Of ordinary messages only: those that turn out not to be are left out of the lists.
        """
        counts = self.longs()
        widths = self.entry_widths(counts)
        rows = np.flatnonzero(self.ordinary)
        starts, counts, widths = self.at[rows], counts[rows], widths[rows]
        first = np.cumsum(counts) - counts
        entries = np.arange(counts.sum())
        width = repeated(widths, counts)
        words = self.words[np.repeat(starts - first * widths, counts) + entries * width]
        classids, probabilities, fine = read_entries(words, width)
        lists = Lists(classids, counts), Lists(probabilities, counts)
        if fine.all():
            return lists
        bad = np.unique(np.searchsorted(first + counts, np.flatnonzero(~fine), side="right"))
        self.ordinary[rows[bad]] = False
        good = np.delete(np.arange(len(rows)), bad)
        return lists[0].take(good), lists[1].take(good)

    def entry_widths(self, counts: Longs) -> Longs:
        """Bytes of each entry of a message, where all of them can have the same number."""
        left = self.ends - self.at
        some = counts > 0
        widths = (left - 1) // np.where(some, counts, 1)
        exact = (widths * counts == left - 1) & (widths >= SHORTEST_ENTRY) & (widths <= LONGEST_ENTRY)
        ended = self.bytes[self.ends - 1] == 0
        self.ordinary &= np.where(some, exact & ended & (counts <= MOST_CLASSES), (counts == 0) & (left == 0))
        return np.where(some, widths, SHORTEST_ENTRY)


def sevens(words: Words) -> Words:
    """The numbers that have seven bits in each byte, low bits first."""
    numbers = words & SEVENS
    numbers = (numbers & np.uint64(0x007F007F007F007F)) | ((numbers & np.uint64(0x7F007F007F007F00)) >> ONE)
    numbers = (numbers & np.uint64(0x00003FFF00003FFF)) | (
        (numbers & np.uint64(0x3FFF00003FFF0000)) >> np.uint64(2)
    )
    return (numbers & np.uint64(0x0FFFFFFF)) | ((numbers & np.uint64(0x0FFFFFFF00000000)) >> np.uint64(4))


def few_sevens(words: Words) -> NDArray[Any]:
    """The same of three bytes at most, in a third of the time."""
    three = words.astype(np.uint32)
    return (three & 0x7F) | ((three >> 1) & 0x3F80) | ((three >> 2) & 0x1FC000)


def unzigzag(numbers: NDArray[Any]) -> NDArray[Any]:
    """Unsigned numbers as signed ones of the same size: 0, -1, 1, -2, 2, ..."""
    found: NDArray[Any] = ((numbers >> 1) ^ -(numbers & 1)).view(f"i{numbers.itemsize}")
    return found


def repeated(values: Longs, counts: Longs) -> Longs:
    """Each value as often as its count says; one value where all are equal."""
    if len(values) and (values == values[0]).all():
        return values[:1]
    return np.repeat(values, counts)


def read_entries(
    words: Words, widths: Longs
) -> tuple[NDArray[np.int16], NDArray[np.float32], NDArray[np.bool_]]:
    """Class id and probability of each entry, and whether they are valid and have that width."""
    bits = (8 * (widths - FLOAT_BYTES)).astype(np.uint64)
    inside = (ONE << bits) - ONE
    # Every byte of the number but its last says that it continues.
    fine = words & inside & CONTINUES == (inside >> np.uint64(8)) & CONTINUES
    classids = unzigzag(few_sevens(words & inside))
    probabilities = (words >> bits).astype("<u4").view("<f4")
    fine &= (classids >= -MAX_SMALLINT - 1) & (classids <= MAX_SMALLINT)
    fine &= np.abs(probabilities) < MAX_FLOAT32
    return classids.astype(np.int16), probabilities, fine


@lru_cache(maxsize=REMEMBERED_NAMES)
def classifier(names: bytes) -> Classifier | None:
    """The classifier that four strings of a message name, as the checks see it; None where they refuse it."""
    try:
        record = read(io.BytesIO(names), FOUR_NAMES)
    except UNDECODABLE:
        return None
    found = check([VALID | record])[0].classifiers
    return found[0] if found else None


# What stands around names that are to be checked.
VALID: dict[str, Any] = {
    "alertId": 1,
    "diaSourceId": 1,
    "elasticcPublishTimestamp": FIRST_MS,
    "brokerIngestTimestamp": None,
    "classifications": [],
}

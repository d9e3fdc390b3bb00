"""Messages of a stream: what is read together is what is read one by one, and nothing that comes raises."""

import io
import struct
import tracemalloc
from collections.abc import Sequence
from typing import Any

import fastavro
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.elasticc2.sky import message
from tom_desc.bulkcopy import Lists
from tom_desc.streams import decode as decoding
from tom_desc.streams.avro import long
from tom_desc.streams.classifications import FIRST_MS, LAST_MS, Classifications, Reject
from tom_desc.streams.decode import decode, read_singly, read_together
from tom_desc.streams.fakebroker import RANDOM_SN_TYPE
from tom_desc.streams.schemas import BROKER_CLASSIFICATION, schema

MOMENT_MS = 1_700_000_003_000


def encoded(record: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, schema(BROKER_CLASSIFICATION), record)
    return stream.getvalue()


def text(value: str) -> bytes:
    return long(len(value.encode())) + value.encode()


def entry(classid: int, probability: float) -> bytes:
    return long(classid) + struct.pack("<f", probability)


# A message's bytes before its classifications, and three of those.
NAMES = b"".join(map(text, ("FakeBroker", "v1.0", "NugentClassifier", "100%")))
TIMES = long(1_700_000_000_000) + b"\x02" + long(1_700_000_001_000)
BEGINNING = long(7) + long(8) + TIMES + NAMES
ENTRIES = b"".join(entry(classid, 0.25) for classid in (2222, 2223, 2224))
ORDINARY = BEGINNING + long(3) + ENTRIES + b"\0"


def times(values: Sequence[Any]) -> Any:
    return np.full(len(values), MOMENT_MS)


def of(*values: bytes | None) -> tuple[Classifications, list[Reject]]:
    return decode(values, times(values))


def reason(value: bytes | None) -> str:
    """What is said of the one message that is not valid, between two that are."""
    batch, (reject,) = of(ORDINARY, value, ORDINARY)
    assert batch.places.tolist() == [0, 2]
    assert reject.place == 1
    return reject.reason


def shown(batch: Classifications) -> list[Any]:
    """Everything of the messages, so that two batches can be compared, types included."""
    columns = [getattr(batch, name) for name in Classifications.__dataclass_fields__]
    flat = [part for column in columns for part in parts(column)]
    return [(part.dtype.str, part.tobytes()) if isinstance(part, np.ndarray) else part for part in flat]


def parts(column: Any) -> list[Any]:
    return [column.values, column.counts] if isinstance(column, Lists) else [column]


# Reading together and one by one


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
MILLISECONDS = st.integers(FIRST_MS, LAST_MS - 1)
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False, min_value=-(2.0**120), max_value=2.0**120)
ENTRY = st.tuples(st.integers(-(2**15), 2**15 - 1), FLOATS)
USUAL = st.tuples(st.integers(64, 8191), FLOATS)
VALID = st.builds(
    lambda alert, source, names, published, ingested, classes: {
        "alertId": alert,
        "diaSourceId": source,
        "elasticcPublishTimestamp": published,
        "brokerIngestTimestamp": ingested,
        **dict(zip(("brokerName", "classifierName"), names[:2], strict=True)),
        **dict(zip(("brokerVersion", "classifierParams"), names[2:], strict=True)),
        "classifications": [{"classId": c, "probability": p} for c, p in classes],
    },
    st.integers(1, 2**63 - 1),
    st.integers(1, 2**40),
    st.tuples(TEXTS.filter(bool), TEXTS.filter(bool), TEXTS, TEXTS),
    MILLISECONDS,
    st.none() | MILLISECONDS,
    st.lists(USUAL, max_size=30) | st.lists(ENTRY, max_size=5),
)
HEADERS = st.integers(-2, 2) | MILLISECONDS | st.integers(-(2**63), 2**63 - 1)


def assert_the_same_as_one_by_one(values: list[bytes | None], kafka_ms: list[int]) -> None:
    batch, rejects = decode(values, np.array(kafka_ms, np.int64))
    alone, refused = read_singly(values, kafka_ms)
    assert shown(batch) == shown(alone)
    assert rejects == refused
    assert len(batch) + len(rejects) == len(values)


@given(st.lists(st.tuples(VALID, st.just(-1) | MILLISECONDS), max_size=8))
@settings(deadline=None)
def test_valid_messages_of_any_shape_are_read_as_they_were_written(
    messages: list[tuple[dict[str, Any], int]],
) -> None:
    values = [encoded(record) for record, _ in messages]
    headers = [header for _, header in messages]
    batch, rejects = decode(values, np.array(headers, np.int64))
    assert rejects == []
    assert_the_same_as_one_by_one([*values], headers)
    records = [record for record, _ in messages]
    assert batch.alert_ids.tolist() == [record["alertId"] for record in records]
    assert batch.source_ids.tolist() == [record["diaSourceId"] for record in records]
    entries = [entry for record in records for entry in record["classifications"]]
    assert batch.classids.values.tolist() == [entry["classId"] for entry in entries]
    assert batch.probabilities.values.tolist() == [entry["probability"] for entry in entries]
    assert batch.classids.counts.tolist() == [len(record["classifications"]) for record in records]


MUTATION = st.tuples(
    st.sampled_from(["flip", "cut", "insert", "replace"]), st.integers(0, 10**6), st.binary(max_size=12)
)


def mutated(value: bytes, mutation: tuple[str, int, bytes]) -> bytes:
    kind, number, data = mutation
    place = number % (len(value) + 1)
    match kind:
        case "cut":
            return value[:place]
        case "insert":
            return value[:place] + data + value[place:]
        case "replace":
            return value[:place] + data + value[place + len(data) :]
    changed = bytearray(value)
    if value:
        changed[place % len(value)] ^= 1 << (number // 8 % 8)
    return bytes(changed)


@given(
    st.lists(
        st.tuples(VALID.map(encoded), st.lists(MUTATION, max_size=2), HEADERS) | st.none(),
        min_size=1,
        max_size=6,
    )
)
@settings(max_examples=300, deadline=None)
def test_damaged_messages_are_judged_as_if_each_came_alone(
    messages: list[tuple[bytes, list[Any], int] | None],
) -> None:
    values: list[bytes | None] = []
    for sent in messages:
        value = sent and sent[0]
        for mutation in sent[1] if sent else ():
            value = mutated(value or b"", mutation)
        values.append(value)
    assert_the_same_as_one_by_one(values, [sent[2] if sent else -1 for sent in messages])


@given(st.lists(st.binary(max_size=60) | st.binary(max_size=40).map(BEGINNING.__add__), max_size=5))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_judged_as_if_each_came_alone(values: list[bytes]) -> None:
    assert_the_same_as_one_by_one([*values], [MOMENT_MS] * len(values))


@given(VALID.map(encoded), st.data())
@settings(deadline=None)
def test_a_message_that_ends_too_early_is_refused(value: bytes, data: st.DataObject) -> None:
    cut = value[: data.draw(st.integers(0, len(value) - 1))]
    batch, rejects = of(cut)
    assert (len(batch), len(rejects)) == (0, 1)


def test_ordinary_messages_are_read_together() -> None:
    answers = [
        RANDOM_SN_TYPE.answer(alert_id=source, diasource_id=source, published_ms=MOMENT_MS, now_ms=MOMENT_MS)
        for source in (1, 10**6, 2**60)
    ]
    values = [*map(encoded, answers), ORDINARY, encoded(message(5, classes=[], brokerIngestTimestamp=None))]
    batch = read_together(values, times(values))
    assert batch.places.tolist() == [0, 1, 2, 3, 4]
    assert batch.classids.counts.tolist() == [20, 20, 20, 3, 0]


def test_kafkas_time_is_the_time_of_the_message() -> None:
    batch, _ = decode([ORDINARY] * 2, np.array([MOMENT_MS, -1]))
    assert batch.header.tolist() == [np.datetime64("2023-11-14T22:13:23").astype("M8[us]").item(), None]
    assert batch.published[0] == np.datetime64("2023-11-14T22:13:20")
    assert batch.ingested[0] == np.datetime64("2023-11-14T22:13:21")


def test_no_messages_are_an_empty_batch() -> None:
    batch, rejects = decode([], np.array([], np.int64))
    assert (len(batch), rejects) == (0, [])


def test_the_order_is_that_of_the_messages_whoever_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "BYTES_AT_ONCE", 300)
    monkeypatch.setattr(decoding, "SINGLE_BYTES_AT_ONCE", 200)
    odd = encoded(message(5, classes=[(1, 0.5), (2222, 0.5)]))
    values = [ORDINARY, odd, b"junk", None] * 5
    batch, rejects = of(*values)
    assert batch.places.tolist() == [place for place in range(20) if place % 4 < 2]
    assert batch.classids.counts.tolist() == [3, 2] * 5
    assert [reject.place for reject in rejects] == [place for place in range(20) if place % 4 > 1]


# What is refused, and why


def test_what_is_empty_is_refused() -> None:
    assert reason(b"") == "is empty"
    assert reason(None) == "has no value"


def test_what_follows_a_record_is_counted() -> None:
    assert reason(ORDINARY + b"\0") == "1 byte follows the record"
    assert reason(ORDINARY + ORDINARY) == f"{len(ORDINARY)} bytes follow the record"


NO_RECORDS = {
    "it ends too early": [
        ORDINARY[:-1],
        BEGINNING,
        BEGINNING + long(2**60) + ENTRIES + b"\0",
        long(7) + long(8) + TIMES + long(2**40) + b"abc",
        long(7) + long(8) + TIMES + long(-5) + NAMES,
        BEGINNING + long(2**60) + ENTRIES * 10_000,
    ],
    "a union has no such branch": [ORDINARY.replace(TIMES, TIMES.replace(b"\x02", b"\x04"))],
    "a number has more than 10 bytes": [
        b"\x8e" + b"\x80" * 9 + b"\0" + ORDINARY[1:],
        b"\xff" * 10_000,
        BEGINNING + long(1) + b"\x80" * 11 + b"\0" + b"\0" * 5,
    ],
    "can't decode byte": [ORDINARY.replace(b"FakeBroker", b"Fake\xffroker")],
}


@pytest.mark.parametrize(("words", "value"), [(words, v) for words, vs in NO_RECORDS.items() for v in vs])
def test_what_does_not_decode_is_refused(words: str, value: bytes) -> None:
    said = reason(value)
    assert said.startswith(f"does not decode as {BROKER_CLASSIFICATION}: ")
    assert words in said


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"alertId": 0}, "alertId"),
        ({"diaSourceId": -1}, "diaSourceId"),
        ({"brokerName": ""}, "brokerName"),
        ({"classifierName": "a\0b"}, "classifierName"),
        ({"elasticcPublishTimestamp": 5}, "elasticcPublishTimestamp"),
        ({"brokerIngestTimestamp": 2**62}, "brokerIngestTimestamp"),
        ({"classifierParams": "x" * 3000}, "longer than 2500 bytes together"),
    ],
)
def test_what_is_refused_of_rest_is_refused_of_kafka(change: dict[str, Any], word: str) -> None:
    assert word in reason(encoded(message(2, **change)))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_probability_that_is_no_number_is_refused(value: float) -> None:
    assert "probability must be a finite number" in reason(encoded(message(2, classes=[(2222, value)])))


@pytest.mark.parametrize("classid", [2**15, -(2**15) - 1, 2**20, 2**31 - 1])
def test_a_class_id_that_does_not_fit_is_refused(classid: int) -> None:
    assert "classId must be an integer that fits 16 bits" in reason(
        encoded(message(2, classes=[(classid, 1.0)]))
    )


@pytest.mark.parametrize("ms", [0, -2, FIRST_MS - 1, LAST_MS, 2**63 - 1, -(2**63)])
def test_a_time_of_kafkas_that_cannot_be_is_refused(ms: int) -> None:
    batch, (reject,) = decode([ORDINARY], np.array([ms]))
    assert len(batch) == 0
    assert reject.reason == (
        f"the time of the Kafka message must be milliseconds since 1970, in 2000 to 2100, or null, not {ms}"
    )


def test_a_reject_says_whose_it_is_where_that_can_be_read() -> None:
    broken = [ORDINARY[:-4], ORDINARY + b"\0", encoded(message(-1)), ORDINARY[:20], b"", None]
    assert [reject.brokername for reject in of(*broken)[1]] == ["FakeBroker"] * 3 + [None] * 3
    assert of(encoded(message(1, brokerName="x" * 101)))[1][0].brokername is None


# What Avro allows and hardly anybody writes


@pytest.mark.parametrize(
    "classifications",
    [
        long(1) + ENTRIES[:6] + long(2) + ENTRIES[6:] + b"\0",
        long(-3) + long(len(ENTRIES)) + ENTRIES + b"\0",
        long(-3) + long(0) + ENTRIES + b"\0",
        b"\x86\x00" + ENTRIES + b"\0",
        long(3) + ENTRIES + b"\x80\x00",
    ],
)
def test_other_encodings_of_the_same_message_are_the_same(classifications: bytes) -> None:
    batch, rejects = of(BEGINNING + classifications, ORDINARY)
    assert rejects == []
    assert shown(batch.take(np.array([0])))[1:] == shown(batch.take(np.array([1])))[1:]


# Sizes


def test_a_message_of_a_million_classes_is_valid() -> None:
    usual = BEGINNING + long(1_500_000) + entry(2222, 0.5) * 1_500_000 + b"\0"
    mixed = BEGINNING + long(200_000) + (entry(1, 0.5) + entry(2222, 0.5)) * 100_000 + b"\0"
    batch, rejects = of(ORDINARY, usual, mixed, ORDINARY)
    assert rejects == []
    assert batch.classids.counts.tolist() == [3, 1_500_000, 200_000, 3]
    assert batch.classids.values[-5:].tolist() == [1, 2222, 2222, 2223, 2224]


@pytest.mark.parametrize(
    "garbage",
    [
        b"\xff" * 10_000_000,
        b"\0" * 10_000_000,
        BEGINNING + long(2**60) + b"\x02" * 10_000_000,
        long(7) + long(8) + TIMES + long(10_000_000) + b"\xff" * 10_000_000,
        np.random.default_rng(5).bytes(10_000_000),
    ],
)
def test_ten_megabytes_of_garbage_are_refused_in_little_memory(garbage: bytes) -> None:
    tracemalloc.start()
    batch, rejects = of(garbage, ORDINARY)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (len(batch), len(rejects)) == (1, 1)
    assert most < 100_000_000

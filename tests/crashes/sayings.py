"""Whatever comes on a broker's topic, and what of it is a message: by fastavro and the rules, in plain words.

The rules are those of the documentation, written here once more and in another way than in the code.
"""

import io
import json
import math
import random
import re
import struct
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import fastavro

from tom_desc.streams.schemas import BROKER_CLASSIFICATION, schema

SCHEMA = schema(BROKER_CLASSIFICATION)
FIRST, LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
NOON = datetime(2024, 5, 6, 12, tzinfo=UTC)
SMALLEST, LARGEST = -(2**15), 2**15 - 1
LONGEST_BROKER, LONGEST_CLASSIFIER = 100, 200
# Together in bytes, which is what an index can hold: nothing here comes near from either side.
LONGEST_NAMES = 2500
HUGE_BYTES = 10_000_000

Value = bytes | None


class Opinion(NamedTuple):
    """By what two messages are the same one."""

    diasource_id: int
    alert_id: int
    names: tuple[str, str, str, str]
    kafka_ms: int
    classids: tuple[int, ...]
    probabilities: tuple[float, ...]


class Times(NamedTuple):
    """What the same message may say otherwise when it comes again."""

    published: datetime
    ingested: datetime | None


def opinion_of(value: Value, kafka_ms: int) -> tuple[Opinion, Times] | None:
    """What a message says; None where it is not valid."""
    try:
        record = read(value or b"")
    except (EOFError, ValueError, IndexError, OverflowError):
        return None
    names = tuple(
        record[name] for name in ("brokerName", "brokerVersion", "classifierName", "classifierParams")
    )
    times = Times(record["elasticcPublishTimestamp"], record["brokerIngestTimestamp"])
    opinion = Opinion(
        record["diaSourceId"],
        record["alertId"],
        names,
        kafka_ms,
        tuple(entry["classId"] for entry in record["classifications"]),
        tuple(entry["probability"] for entry in record["classifications"]),
    )
    return (opinion, times) if is_valid(opinion, times) else None


def read(value: bytes) -> Any:
    """The record, if it is one from the first byte to the last."""
    stream = io.BytesIO(value)
    record = fastavro.schemaless_reader(stream, SCHEMA, SCHEMA)
    if stream.read(1):
        raise ValueError("there is more")
    return record


def is_valid(opinion: Opinion, times: Times) -> bool:
    broker, _, classifier, _ = opinion.names
    moments = [times.published, times.ingested or NOON, datetime.fromtimestamp(opinion.kafka_ms / 1000, UTC)]
    return (
        opinion.diasource_id > 0
        and opinion.alert_id > 0
        and 0 < len(broker) <= LONGEST_BROKER
        and 0 < len(classifier) <= LONGEST_CLASSIFIER
        and not any("\0" in name for name in opinion.names)
        and sum(len(name.encode()) for name in opinion.names) <= LONGEST_NAMES
        and all(SMALLEST <= classid <= LARGEST for classid in opinion.classids)
        and all(math.isfinite(probability) for probability in opinion.probabilities)
        and all(FIRST <= moment < LAST for moment in moments)
    )


# What brokers say


BROKERS = (("AMPEL", "v1.0"), ("Fink", ""), ("ALeRCE-Müller", "2.0.1"))
CLASSIFIERS = (("SNGuess", "100%"), ("early SN Ia", ""), ("Stamp, 星", "a=1;b='2'"))
CLASSES = (2222, 2223, 2224, 2232, 2332, 0, 111, SMALLEST, LARGEST)


def record(dice: random.Random) -> dict[str, Any]:
    """A valid message, about one of few sources."""
    source = dice.choice([dice.randrange(1, 400), dice.randrange(10**13, 10**13 + 50), 2**63 - 1])
    broker, classifier = dice.choice(BROKERS), dice.choice(CLASSIFIERS)
    classes = [(dice.choice(CLASSES), dice.random()) for _ in range(dice.choice([0, 1, 2, 20]))]
    published_ms = 1_700_000_000_000 + dice.randrange(10**9)
    return {
        "alertId": dice.choice([source, source, 7]),
        "diaSourceId": source,
        "elasticcPublishTimestamp": published_ms,
        "brokerIngestTimestamp": dice.choice([None, published_ms + 1234]),
        "brokerName": broker[0],
        "brokerVersion": broker[1],
        "classifierName": classifier[0],
        "classifierParams": classifier[1],
        "classifications": [{"classId": classid, "probability": p} for classid, p in classes],
    }


def encode(content: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, SCHEMA, content)
    return stream.getvalue()


def with_(**changes: Any) -> Callable[[random.Random], Value]:
    """A message of which this is other than it should be."""
    return lambda dice: encode(record(dice) | changes)


def one_class(classid: int, probability: float) -> Callable[[random.Random], Value]:
    return with_(classifications=[{"classId": 2222, "probability": 0.5}, entry(classid, probability)])


def entry(classid: int, probability: float) -> dict[str, Any]:
    return {"classId": classid, "probability": probability}


def truncated(dice: random.Random) -> Value:
    value = encode(record(dice))
    return value[: dice.randrange(1, len(value))]


def lengthened(dice: random.Random) -> Value:
    return encode(record(dice)) + dice.randbytes(dice.randrange(1, 20))


def corrupted(dice: random.Random) -> Value:
    """Some bytes are others, which may well leave it valid."""
    value = bytearray(encode(record(dice)))
    for _ in range(dice.randrange(1, 4)):
        value[dice.randrange(len(value))] = dice.randrange(256)
    # fastavro reads on in numbers that are too long for Avro: no referee for those.
    return corrupted(dice) if re.search(rb"[\x80-\xff]{10}", value) else bytes(value)


def of_another_schema(dice: random.Random) -> Value:
    """The record of 2022, JSON, and a value as a schema registry frames it."""
    content = record(dice)
    old = struct.pack("<q", content["alertId"]) + content["brokerName"].encode()
    registered = b"\0" + struct.pack(">i", 7) + encode(content)
    return dice.choice([old, json.dumps(content).encode(), registered])


def noise(dice: random.Random) -> Value:
    value = dice.randbytes(dice.randrange(1, 300))
    return noise(dice) if re.search(rb"[\x80-\xff]{10}", value) else value


INVALID: tuple[Callable[[random.Random], Value], ...] = (
    truncated,
    lengthened,
    corrupted,
    of_another_schema,
    noise,
    lambda dice: b"",
    lambda dice: None,
    with_(alertId=0),
    with_(diaSourceId=-5),
    with_(brokerName=""),
    with_(classifierName=""),
    with_(brokerVersion="v\0"),
    with_(classifierParams="x" * 5000),
    with_(brokerName="b" * (LONGEST_BROKER + 1)),
    with_(elasticcPublishTimestamp=1_700_000_000),
    with_(brokerIngestTimestamp=1_700_000_000_000_000),
    one_class(LARGEST + 1, 0.5),
    one_class(SMALLEST - 1, 0.5),
    one_class(2223, math.nan),
    one_class(2223, -math.inf),
)


def saying(dice: random.Random) -> Value:
    """Something on a topic: valid, three times out of four."""
    return encode(record(dice)) if dice.random() < 0.75 else dice.choice(INVALID)(dice)


def huge(dice: random.Random) -> bytes:
    """A valid message of 10 MB, with more than a million classes."""
    without = encode(record(dice) | {"classifications": []})
    one = encode_entry(2222, 0.25)
    count = HUGE_BYTES // len(one)
    return without[:-1] + zigzag(count) + one * count + b"\0"


def encode_entry(classid: int, probability: float) -> bytes:
    return zigzag(classid) + struct.pack("<f", probability)


def zigzag(number: int) -> bytes:
    """A positive long in Avro."""
    rest, encoded = number << 1, bytearray()
    while rest > 0x7F:
        encoded.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([*encoded, rest])

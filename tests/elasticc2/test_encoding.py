"""Objects encoded once: runs of records, slices of them, and the id with which an alert begins.

That alerts as a whole are what fastavro writes is shown in test_alerts.py.
"""

import io
from typing import Any

import fastavro
import numpy as np
import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from elasticc2.encoding import (
    EMPTY_ARRAY,
    Records,
    alert_id_of,
    encode_batch,
    encode_rows,
    encoded_ids,
    in_runs,
    records,
    width_edges,
)
from elasticc2.histories import FORCED_DTYPE, read_batch
from tests.elasticc2.sending import detections, measurements
from tests.elasticc2.sky import add_object
from tom_desc.rowbytes import Rows, join
from tom_desc.streams import avro

LONGS = st.integers(-(2**63), 2**63 - 1)


def written_long(value: int) -> bytes:
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema({"type": "long"}), value)
    return stream.getvalue()


@given(st.lists(LONGS, min_size=1, max_size=20))
def test_ids_are_avro_longs(ids: list[int]) -> None:
    assert encoded_ids(ids) == [written_long(value) for value in ids]


@given(LONGS, st.binary(max_size=12))
def test_the_id_is_read_back_whatever_follows(value: int, rest: bytes) -> None:
    assert alert_id_of(written_long(value) + rest) == value


@pytest.mark.parametrize("bytes_", [b"", b"\x80", b"\xff" * 10, b"\xff" * 40])
def test_bytes_that_begin_with_no_id_have_none(bytes_: bytes) -> None:
    assert alert_id_of(bytes_) is None


def test_no_records_are_an_empty_array_and_never_null() -> None:
    nothing = Records(b"", [0])
    assert nothing.array(slice(0, 0)) == (EMPTY_ARRAY,)
    assert EMPTY_ARRAY == avro.PRESENT + avro.NO_ITEMS


def test_some_records_are_one_block() -> None:
    three = Records(b"abbccc", [0, 1, 3, 6])
    block = avro.PRESENT + avro.array_start(2) + b"bbccc" + avro.NO_ITEMS
    assert b"".join(three.array(slice(1, 3))) == block
    assert three.array(slice(3, 3)) == three.array(slice(2, 1)) == (EMPTY_ARRAY,)


def test_records_that_are_kept_keep_no_others_alive() -> None:
    rows = Rows(b"abbccc" * 1000, np.arange(0, 6001, 6))
    kept = records(rows, slice(3, 5))
    assert (kept.buffer, list(kept.at)) == (b"abbccc" * 2, [0, 6, 12])


def photometry(ids: Any) -> dict[str, Any]:
    count = len(ids)
    dice = np.random.default_rng(3)
    columns = {
        "diaforcedsource_id": ids,
        "diaobject_id": np.full(count, 77),
        "midpointtai": dice.random(count),
        "filtername": np.full(count, b"g"),
        "psflux": dice.random(count),
        "psfluxerr": dice.random(count),
    }
    return {name: columns[name].astype(kind) for name, kind in FORCED_DTYPE}


@pytest.mark.parametrize(
    "ids",
    [
        np.arange(1000, 1500),
        # One byte longer in the middle, and shorter again.
        np.concatenate([np.arange(8000, 8400), np.arange(100, 200)]),
        # Another length with every record.
        np.tile([1, 10**6], 250),
        2**62 + np.arange(500),
        np.arange(0),
    ],
)
def test_records_encoded_in_runs_are_the_same_as_all_together(ids: Any) -> None:
    columns = photometry(ids)
    together = join([avro.of_column(column) for column in columns.values()])
    in_turn = encode_rows(columns)
    assert bytes(in_turn.buffer) == bytes(together.buffer)
    assert in_turn.offsets.tolist() == together.offsets.tolist()


def test_a_run_has_ids_of_one_length() -> None:
    lengths: list[set[int]] = []

    def remember(run: Any) -> Rows:
        lengths.append({len(written_long(value)) for value in run["diaforcedsource_id"].tolist()})
        return join([avro.of_column(column) for column in run.values()])

    in_runs(photometry(np.concatenate([np.arange(8000, 8400), np.arange(100, 200)])), remember)
    assert lengths == [{2}, {3}, {2}]


@given(st.lists(LONGS, max_size=30), st.lists(LONGS, max_size=30))
def test_edges_are_where_the_length_of_an_id_changes(left: list[int], right: list[int]) -> None:
    pairs = list(zip(left, right, strict=False))
    lengths = [(len(written_long(one)), len(written_long(other))) for one, other in pairs]
    changes = [k for k in range(1, len(pairs)) if lengths[k] != lengths[k - 1]]
    columns = [np.array([pair[side] for pair in pairs], np.int64) for side in (0, 1)]
    assert width_edges(columns) == [0, *changes, len(pairs)]


@pytest.mark.django_db
def test_an_object_takes_the_memory_of_its_records() -> None:
    add_object(1, detections(60_000, 60_001))
    add_object(2, detections(60_000, 60_001) + measurements(*range(60_001, 61_001)))
    with connection.cursor() as cursor:
        encoded = encode_batch(read_batch(cursor, [1, 2]))
    few, many = encoded[1], encoded[2]
    assert len(many.forced.at) - len(few.forced.at) == 1000
    assert many.size - few.size == len(many.forced.buffer) - len(few.forced.buffer) + 12 * 1000


@pytest.mark.django_db
def test_a_source_that_is_not_the_objects_has_no_alert() -> None:
    add_object(1, detections(60_000, 60_001))
    with connection.cursor() as cursor:
        (encoded,) = encode_batch(read_batch(cursor, [1])).values()
    with pytest.raises(ValueError):
        encoded.alert(b"\x02", 99, 60_000)

import io

import fastavro
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tom_desc.rowbytes import join
from tom_desc.streams import avro

LONGS = st.integers(-(2**63), 2**63 - 1)
# Where the number of bytes of a long changes.
EDGES = sorted({sign * (2**bits + step) for bits in range(63) for step in (-1, 0) for sign in (1, -1)})
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=80)


def written(schema, values):
    """What fastavro writes for each value."""
    rows = []
    for value in values:
        stream = io.BytesIO()
        fastavro.schemaless_writer(stream, schema, value)
        rows.append(stream.getvalue())
    return rows


def lines(cells):
    rows = join([cells])
    return [rows.slice(i, i + 1) for i in range(len(cells))]


@given(st.lists(LONGS, max_size=50))
def test_a_column_of_longs_is_what_fastavro_writes(values):
    assert lines(avro.longs(values)) == written("long", values)


def test_longs_of_every_width_side_by_side_are_what_fastavro_writes():
    assert lines(avro.longs(EDGES)) == written("long", EDGES)


@pytest.mark.parametrize("value", [0, -1, 63, 64, -65, 2**31, -(2**63), 2**63 - 1])
def test_one_long_is_what_fastavro_writes(value):
    assert [avro.long(value)] == written("long", [value])


@given(st.lists(TEXT, min_size=1, max_size=20))
def test_a_column_of_strings_is_what_fastavro_writes(values):
    column = np.array([value.encode() for value in values], "S")
    assert lines(avro.strings(column)) == written("string", values)


@given(st.lists(st.none() | LONGS, min_size=1, max_size=50))
def test_nulls_are_the_first_branch_of_a_union(values):
    present = np.array([value is not None for value in values])
    column = avro.longs([value or 0 for value in values])
    assert lines(avro.optional(column, present)) == written(["null", "long"], values)


@given(st.lists(st.none() | st.floats(width=32), min_size=1, max_size=50))
def test_optional_floats_keep_their_bits(values):
    present = np.array([value is not None for value in values])
    column = avro.of_column(np.array([0.0 if value is None else value for value in values], np.float32))
    assert lines(avro.optional(column, present)) == written(["null", "float"], values)


@given(st.lists(LONGS, max_size=300))
def test_an_array_is_its_start_its_items_and_an_end(values):
    items = join([avro.longs(values)]).buffer
    schema = {"type": "array", "items": "long"}
    assert [avro.array_start(len(values)) + items + avro.NO_ITEMS] == written(schema, [values])


def test_a_column_type_that_avro_lacks_is_refused():
    with pytest.raises(ValueError, match="uint8"):
        avro.of_column(np.zeros(1, np.uint8))

"""Columns become rows of bytes, each row its fields end to end."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tom_desc.rowbytes import constant, join, of_bytes, of_numbers, of_strings, side_by_side

TEXTS = st.lists(st.binary(max_size=8).map(lambda b: b.replace(b"\0", b"x")), min_size=1, max_size=20)


@given(TEXTS, st.integers(-(2**63), 2**63 - 1))
def test_rows_are_their_fields_end_to_end(texts: list[bytes], number: int) -> None:
    rows = join(
        [
            of_strings(np.array(texts)),
            of_numbers(np.full(len(texts), number), ">i8"),
            constant(b"!", len(texts)),
        ]
    )
    expected = [text + number.to_bytes(8, "big", signed=True) + b"!" for text in texts]
    assert [rows.slice(row, row + 1) for row in range(len(texts))] == expected
    assert rows.buffer == b"".join(expected)


@given(TEXTS)
def test_columns_laid_side_by_side_are_one_column(texts: list[bytes]) -> None:
    strings = of_strings(np.array(texts))
    pair = side_by_side([strings, constant(b"-", len(texts)), strings])
    assert join([pair, strings]).buffer == b"".join(text + b"-" + text + text for text in texts)


@given(TEXTS)
@settings(deadline=None)
def test_fields_that_lie_end_to_end_are_a_column_too(texts: list[bytes]) -> None:
    runs = of_bytes(texts)
    rows = join([constant(b"<", len(texts)), runs, of_strings(np.array(texts)), runs])
    assert [rows.slice(row, row + 1) for row in range(len(texts))] == [b"<" + text * 3 for text in texts]
    assert join([side_by_side([runs, runs])]).buffer == b"".join(text * 2 for text in texts)


@given(TEXTS, st.data())
@settings(deadline=None)
def test_some_of_the_fields_in_any_order(texts: list[bytes], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.integers(0, len(texts) - 1), max_size=30))
    taken = of_bytes(texts).take(np.array(rows, int))
    assert taken.data.tobytes() == b"".join(texts[row] for row in rows)
    assert taken.lengths.tolist() == [len(texts[row]) for row in rows]


def test_rows_of_fixed_width_need_no_lengths() -> None:
    rows = join([of_numbers([1, 2], ">i2"), of_numbers([1.0, 2.0], "<f4")])
    assert rows.offsets.tolist() == [0, 6, 12]
    assert rows.slice(0, 2) == rows.buffer


def test_no_rows_are_no_bytes() -> None:
    rows = join([of_numbers([], ">i8"), of_strings(np.array([], "S3"))])
    assert (rows.buffer, rows.offsets.tolist()) == (b"", [0])

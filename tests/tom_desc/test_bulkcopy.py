"""Columns go into PostgreSQL and come out again as they were."""

import tracemalloc
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import numpy as np
import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from tom_desc import bulkcopy
from tom_desc.bulkcopy import Lists, copy_in, insert_new, read

pytestmark = pytest.mark.django_db

TABLE = """
CREATE TEMPORARY TABLE everything (
    big bigint, whole integer, small smallint, wide double precision, narrow real, yes boolean,
    words text, short varchar(20), moment timestamptz, smalls smallint[], narrows real[], bigs bigint[],
    raw bytea)"""
KINDS = {"big": "i8", "whole": "i4", "small": "i2", "wide": "f8", "narrow": "f4", "yes": "?"}
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


@pytest.fixture
def cursor() -> Any:
    with connection.cursor() as cursor:
        cursor.execute(TABLE)
        yield cursor
        cursor.execute("DROP TABLE everything")


def stored(cursor: Any, column: str) -> list[Any]:
    cursor.execute(f"SELECT {column} FROM everything")
    values = [row[0] for row in cursor.fetchall()]
    cursor.execute("TRUNCATE everything")
    return values


@pytest.mark.parametrize("column", KINDS)
@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_numbers_come_out_bit_for_bit(cursor: Any, column: str, data: st.DataObject) -> None:
    values = data.draw(npst.arrays(KINDS[column], st.integers(0, 30)))
    copy_in(cursor, "everything", {column: values})
    query = f"SELECT {column} FROM everything"
    assert read(cursor, query, [(column, KINDS[column])])[column].tobytes() == values.tobytes()
    cursor.execute("TRUNCATE everything")


@given(st.lists(st.none() | TEXT, max_size=20))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_texts_and_nulls_come_out_as_they_went_in(cursor: Any, texts: list[str | None]) -> None:
    copy_in(cursor, "everything", {"words": texts, "short": texts})
    assert stored(cursor, "words") == texts


@given(st.lists(st.none() | st.binary(max_size=20), max_size=20))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_bytes_come_out_as_they_went_in(cursor: Any, values: list[bytes | None]) -> None:
    copy_in(cursor, "everything", {"raw": values})
    assert [None if value is None else bytes(value) for value in stored(cursor, "raw")] == values


@given(st.lists(st.lists(st.integers(-(2**15), 2**15 - 1), max_size=5), max_size=10))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_lists_come_out_as_they_went_in(cursor: Any, lists: list[list[int]]) -> None:
    counts = np.array([len(values) for values in lists], np.int64)
    column = Lists(np.array([*chain.from_iterable(lists)], np.int64), counts)
    copy_in(cursor, "everything", {"smalls": column, "narrows": column, "bigs": column})
    cursor.execute("SELECT smalls, narrows, bigs FROM everything")
    assert cursor.fetchall() == [(values, values, values) for values in lists]
    cursor.execute("TRUNCATE everything")


def test_a_masked_value_is_null(cursor: Any) -> None:
    copy_in(cursor, "everything", {"narrow": np.ma.masked_array([1.5, 2.5, 3.5], [False, True, False])})
    assert stored(cursor, "narrow") == [1.5, None, 3.5]


def test_a_column_of_nulls_is_none(cursor: Any) -> None:
    copy_in(cursor, "everything", {"big": np.array([1, 2]), "wide": None})
    assert stored(cursor, "wide") == [None, None]


def test_moments_are_stored_to_the_microsecond_and_nat_is_null(cursor: Any) -> None:
    moments = np.array(["2023-11-14T22:13:20.123456", "NaT"], "M8[us]")
    copy_in(cursor, "everything", {"moment": moments})
    assert stored(cursor, "moment") == [datetime(2023, 11, 14, 22, 13, 20, 123456, UTC), None]


def test_more_rows_than_are_encoded_at_once(cursor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulkcopy, "ROWS_AT_ONCE", 3)
    counts = np.array([0, 2, 1, 0, 3, 1, 2, 0])
    lists = Lists(np.arange(counts.sum()), counts)
    assert copy_in(cursor, "everything", {"big": np.arange(8), "bigs": lists}) == 8
    cursor.execute("SELECT big, bigs FROM everything ORDER BY big")
    starts = np.cumsum(counts) - counts
    assert cursor.fetchall() == [
        (row, list(range(start, start + count)))
        for row, (start, count) in enumerate(zip(starts.tolist(), counts.tolist(), strict=True))
    ]


def test_a_long_list_among_short_ones_takes_memory_for_itself_only(cursor: Any) -> None:
    counts = np.full(5000, 20)
    counts[2500] = 1_700_000
    values = np.arange(counts.sum())
    columns = {"smalls": Lists(values % 1000, counts), "narrows": Lists(values, counts)}
    tracemalloc.start()
    copy_in(cursor, "everything", columns)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Rows as long as the longest would take 119 GB; this is 14 bytes a value, a few times.
    assert most < 120_000_000
    cursor.execute("SELECT cardinality(smalls), cardinality(narrows) FROM everything")
    assert cursor.fetchall() == [(count, count) for count in counts.tolist()]


@given(st.lists(st.integers(0, 30), max_size=30))
@settings(deadline=None)
def test_what_is_encoded_at_a_time_is_bounded(counts: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bulkcopy, "ROWS_AT_ONCE", 5)
        patch.setattr(bulkcopy, "VALUES_AT_ONCE", 10)
        lists = Lists(np.zeros(sum(counts)), np.array(counts, np.int64))
        starts = bulkcopy.cuts({"some": lists, "other": None}, len(counts))
    pieces = [piece.tolist() for piece in np.split(np.array(counts), starts[1:])]
    assert [count for piece in pieces for count in piece] == counts
    assert all(len(piece) <= 5 and sum(piece[1:]) < 10 for piece in pieces)


LISTS = st.lists(st.lists(st.integers(0, 99), max_size=4), max_size=8)


def lists_of(lists: list[list[int]]) -> Lists:
    counts = np.array([len(values) for values in lists], np.int64)
    return Lists(np.array([*chain.from_iterable(lists)], np.int16), counts)


@given(LISTS, st.data())
@settings(deadline=None)
def test_lists_of_some_rows_in_any_order(lists: list[list[int]], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.integers(0, len(lists) - 1), max_size=10)) if lists else []
    taken = lists_of(lists).take(np.array(rows, int))
    expected = lists_of([lists[row] for row in rows])
    assert taken.values.tolist() == expected.values.tolist()
    assert taken.counts.tolist() == expected.counts.tolist()
    assert taken.values.dtype == np.int16


def test_lists_of_several_parts() -> None:
    joined = Lists.joined([lists_of([[1, 2], []]), lists_of([[3]])])
    assert (joined.values.tolist(), joined.counts.tolist()) == ([1, 2, 3], [2, 0, 1])


def test_a_null_is_not_read_as_a_number(cursor: Any) -> None:
    copy_in(
        cursor, "everything", {"big": np.array([1, 2]), "whole": np.ma.masked_array([1, 2], [True, False])}
    )
    with pytest.raises(ValueError, match="NULL"):
        read(cursor, "SELECT big, whole FROM everything", [("big", "i8"), ("whole", "i4")])


def test_another_width_is_not_read_as_a_number(cursor: Any) -> None:
    copy_in(cursor, "everything", {"big": np.array([1, 2])})
    with pytest.raises(ValueError, match="width"):
        read(cursor, "SELECT big, big FROM everything", [("big", "i4"), ("more", "i4"), ("much", "i8")])


def test_columns_of_different_lengths_are_no_table(cursor: Any) -> None:
    with pytest.raises(ValueError, match=r"\[1, 2\]"):
        copy_in(cursor, "everything", {"big": np.array([1, 2]), "wide": np.array([1.0])})


def test_rows_that_are_there_are_left_alone() -> None:
    with connection.cursor() as cursor:
        assert insert_new(cursor, "elasticc2_brokersourceids", {"diasource_id": np.array([1, 2])}) == 2
        assert insert_new(cursor, "elasticc2_brokersourceids", {"diasource_id": np.array([2, 3, 3])}) == 1
        assert insert_new(cursor, "elasticc2_brokersourceids", {"diasource_id": np.array([], int)}) == 0


def test_copying_a_row_that_is_there_fails_as_a_whole() -> None:
    with connection.cursor() as cursor:
        copy_in(cursor, "elasticc2_brokersourceids", {"diasource_id": np.array([1])})
        with pytest.raises(IntegrityError), transaction.atomic():
            copy_in(cursor, "elasticc2_brokersourceids", {"diasource_id": np.array([2, 1])})
        cursor.execute("SELECT count(*) FROM elasticc2_brokersourceids")
        assert cursor.fetchone() == (1,)

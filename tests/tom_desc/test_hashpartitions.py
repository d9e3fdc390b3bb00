"""Rows are where PostgreSQL puts them."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tom_desc.bulkcopy import copy_in
from tom_desc.hashpartitions import hash_partition, partition_sql

pytestmark = pytest.mark.django_db

KEYS = st.integers(-(2**63), 2**63 - 1) | st.integers(-10, 10)


@pytest.fixture(scope="module", params=[3, 16])
def partitions(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def cursor(partitions: int) -> Iterator[Any]:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE parted (key bigint) PARTITION BY HASH (key)")
        for remainder in range(partitions):
            cursor.execute(
                f"CREATE TEMPORARY TABLE parted_{remainder} PARTITION OF parted"
                f" FOR VALUES WITH (MODULUS {partitions}, REMAINDER {remainder})"
            )
        yield cursor
        cursor.execute("DROP TABLE parted")


@given(keys=st.lists(KEYS, min_size=1, max_size=50))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_key_is_in_the_partition_that_postgresql_gives_it(
    cursor: Any, partitions: int, keys: list[int]
) -> None:
    copy_in(cursor, "parted", {"key": np.array(keys)})
    cursor.execute("SELECT key, tableoid::regclass::text FROM parted")
    found = cursor.fetchall()
    cursor.execute("TRUNCATE parted")
    expected = hash_partition([key for key, _ in found], partitions).tolist()
    assert [table for _, table in found] == [f"parted_{remainder}" for remainder in expected]


@given(keys=st.lists(KEYS, max_size=50))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_sql_says_the_same(keys: list[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {partition_sql('key', 16)} FROM unnest(%s::bigint[]) key", (keys,))
        assert [number for (number,) in cursor.fetchall()] == hash_partition(keys, 16).tolist()

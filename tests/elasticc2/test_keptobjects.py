"""Objects that are kept encoded: always what their rows come to, or not kept."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction

from elasticc2.encoding import EncodedObject, encode_batch
from elasticc2.histories import read_batch
from elasticc2.keptobjects import encode_objects, forget_all, hold, keep, not_kept, read_kept
from tests.elasticc2.awkward import AwkwardSky
from tests.elasticc2.sending import beside, do, forget_everything
from tests.elasticc2.sky import add_object, add_points, rows, value
from tests.tom_desc.streams.pollers import own_database

POINTS = [(60_000.0, "g", 55.0, True), (60_001.25, "r", 20.0, False), (60_002.0, "r", 30.0, True)]
WAITING = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"""
KEPT = "SELECT diaobject_id FROM elasticc2_ppdbencodedobject ORDER BY 1"
OBJECTS = "SELECT diaobject_id FROM elasticc2_ppdbdiaobject ORDER BY 1"


@pytest.fixture(scope="module")
def database(migrated_database: str, django_db_blocker: Any) -> Iterator[str]:
    """Whoever changes rows beside us sees what is committed: in a database of these tests' own."""
    with django_db_blocker.unblock(), own_database(migrated_database) as name:
        yield name


@pytest.fixture(autouse=True)
def empty(database: str) -> Iterator[None]:
    yield
    forget_everything()


@pytest.fixture
def three_kept(empty: None) -> None:
    """Objects 1, 2 and 3, alike, all of them kept."""
    for objectid in (1, 2, 3):
        add_object(objectid, POINTS)
    encode()


def encode() -> int:
    return sum(encode_objects([objectid for (objectid,) in rows(OBJECTS)]))


def kept() -> list[int]:
    return [objectid for (objectid,) in rows(KEPT)]


def read() -> dict[int, EncodedObject]:
    """All objects as they are kept."""
    with connection.cursor() as cursor:
        return read_kept(cursor, [objectid for (objectid,) in rows(OBJECTS)])


def from_rows() -> dict[int, EncodedObject]:
    with connection.cursor() as cursor:
        return encode_batch(read_batch(cursor, [objectid for (objectid,) in rows(OBJECTS)]))


def test_what_is_kept_is_what_the_rows_come_to() -> None:
    AwkwardSky().store()
    assert encode() == len(from_rows())
    assert read() == from_rows()


def test_an_object_of_ten_thousand_points_is_kept() -> None:
    """It does not fit into a page."""
    add_object(1, [(60_000 + k / 8, "g", 5.0 + k, k % 10 == 0) for k in range(10_000)])
    encode()
    assert read() == from_rows()


def test_an_object_without_photometry_is_kept() -> None:
    add_object(1, [])
    encode()
    assert read() == from_rows()
    assert kept() == [1]


def test_objects_are_encoded_some_at_a_time_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("elasticc2.keptobjects.OBJECTS_AT_ONCE", 2)
    for objectid in (1, 2, 3):
        add_object(objectid, POINTS)
    assert list(encode_objects([1, 2, 3, 4])) == [2, 1]
    assert list(encode_objects([1, 2, 3, 4])) == [0, 0]


def test_who_asks_is_told_which_objects_are_not_kept(three_kept: None) -> None:
    add_object(4, POINTS)
    do("UPDATE elasticc2_ppdbdiaobject SET isddf = true WHERE diaobject_id = 2")
    with connection.cursor() as cursor:
        assert not_kept(cursor) == [2, 4]
        assert not_kept(cursor, [1, 2, 5]) == [2]


def test_nothing_is_kept_once_all_is_forgotten(three_kept: None) -> None:
    forget_all()
    assert kept() == []


@pytest.mark.parametrize(
    ("change", "left"),
    [
        ("UPDATE elasticc2_ppdbdiaobject SET mwebv = 1 WHERE diaobject_id = 2", [1, 3]),
        ("UPDATE elasticc2_ppdbdiasource SET psflux = 1 WHERE diaobject_id = 2", [1, 3]),
        ("UPDATE elasticc2_ppdbdiasource SET diaobject_id = 3 WHERE diaobject_id = 2", [1]),
        ("UPDATE elasticc2_ppdbdiasource SET diaobject_id = NULL WHERE diaobject_id = 2", [1, 3]),
        ("UPDATE elasticc2_ppdbdiaforcedsource SET psflux = 1 WHERE diaobject_id = 2", [1, 3]),
        ("UPDATE elasticc2_ppdbdiaforcedsource SET diaobject_id = 3 WHERE diaobject_id = 2", [1]),
        ("DELETE FROM elasticc2_ppdbdiaforcedsource WHERE diaobject_id = 2", [1, 3]),
        ("TRUNCATE elasticc2_ppdbdiaforcedsource", []),
        ("TRUNCATE elasticc2_ppdbdiasource CASCADE", []),
        ("TRUNCATE elasticc2_ppdbdiaobject CASCADE", []),
        ("UPDATE elasticc2_ppdbalert SET alertsenttimestamp = now()", [1, 2, 3]),
    ],
)
def test_what_is_changed_by_sql_is_not_kept_any_more(three_kept: None, change: str, left: list[int]) -> None:
    do(change)
    assert kept() == left
    assert read().items() <= from_rows().items()


def test_what_is_deleted_by_sql_is_not_kept_any_more(three_kept: None) -> None:
    do("DELETE FROM elasticc2_ppdbalert WHERE diaobject_id IN (2, 3)")
    do("DELETE FROM elasticc2_ppdbdiasource WHERE diaobject_id = 2")
    assert kept() == [1, 3]
    do("DELETE FROM elasticc2_ppdbdiasource WHERE diaobject_id = 3")
    do("DELETE FROM elasticc2_ppdbdiaforcedsource WHERE diaobject_id = 3")
    encode()
    do("DELETE FROM elasticc2_ppdbdiaobject WHERE diaobject_id = 3")
    assert kept() == [1, 2]


def test_what_gets_photometry_by_copy_is_not_kept_any_more(three_kept: None) -> None:
    add_points(2, [(60_005.0, "i", 5.0, False)], first=10)
    assert kept() == [1, 3]
    encode()
    add_points(3, [(60_005.0, "i", 50.0, True)], first=10)
    assert kept() == [1, 2]


def test_what_gets_photometry_in_its_partition_is_not_kept_any_more(three_kept: None) -> None:
    ((partition,),) = rows(
        "SELECT DISTINCT tableoid::regclass::text FROM elasticc2_ppdbdiaforcedsource WHERE diaobject_id = 2"
    )
    do(f"INSERT INTO {partition} VALUES (77, 60005, 'i', 5, 1, 2)")
    assert kept() == [1, 3]


def test_a_change_that_is_taken_back_takes_nothing_away(three_kept: None) -> None:
    with beside() as other:
        other.execute("BEGIN")
        other.execute("UPDATE elasticc2_ppdbdiasource SET psflux = 1")
        other.execute("ROLLBACK")
    assert kept() == [1, 2, 3]


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO elasticc2_ppdbdiaforcedsource VALUES (77, 60005, 'i', 5, 1, 2)",
        "UPDATE elasticc2_ppdbdiasource SET psflux = 1 WHERE diaobject_id = 2",
        "DELETE FROM elasticc2_ppdbdiaforcedsource WHERE diaobject_id = 2",
        "UPDATE elasticc2_ppdbdiaobject SET mwebv = 1 WHERE diaobject_id = 2",
    ],
)
def test_what_somebody_is_changing_is_not_encoded(three_kept: None, change: str) -> None:
    forget_all()
    with beside() as other:
        other.execute("BEGIN")
        other.execute(change)
        assert encode() == 2
        assert kept() == [1, 3]
        other.execute("COMMIT")
    assert encode() == 1
    assert read() == from_rows()


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO elasticc2_ppdbdiaforcedsource VALUES (77, 60005, 'i', 5, 1, 2)",
        "UPDATE elasticc2_ppdbdiasource SET psflux = 1 WHERE diaobject_id = 2",
        "DELETE FROM elasticc2_ppdbdiaforcedsource WHERE diaobject_id = 2",
    ],
)
def test_who_changes_what_is_being_encoded_waits_and_takes_it_away(three_kept: None, change: str) -> None:
    forget_all()
    with beside() as other:
        changing = threading.Thread(target=other.execute, args=(change,))
        with transaction.atomic(), connection.cursor() as cursor:
            assert hold(cursor, [1, 2, 3]) == [1, 2, 3]
            changing.start()
            while not value(WAITING):
                assert changing.is_alive()
            keep(cursor, from_rows())
        changing.join()
    assert kept() == [1, 3]
    assert read().items() <= from_rows().items()

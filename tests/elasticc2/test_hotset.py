"""Which objects are hot, from summaries and from sources."""

import pytest
from django.db import connection

from elasticc2.hotset import COLUMNS, HOT_SET
from elasticc2.reveal import reveal
from tests.elasticc2.sky import add_object, hear, message, rows

pytestmark = pytest.mark.django_db

SKY = {
    1: [(60000.0, "g", 100.0, True), (60005.0, "r", 300.0, True), (60009.0, "i", 200.0, True)],
    # Equal times, equal fluxes, a detection of negative flux, one that is no number.
    2: [(60005.0, "g", 100.0, True), (60005.0, "r", 100.0, True)],
    3: [(60001.0, "z", -50.0, True), (60004.0, "z", float("nan"), True)],
    4: [(60004.0, "u", 40.0, False), (60008.0, "u", 90.0, True)],
    5: [(59990.0, "Y", 90.0, True)],
}
WINDOWS = [
    (59000.0, 61000.0),
    (60003.0, 60006.0),
    (60005.0, 60005.0),
    (60009.5, 60020.0),
    (59990.0, 60000.0),
    (float("-inf"), float("-inf")),
]
ALL_STALE = """
INSERT INTO elasticc2_staleobjects (diaobject_ids) SELECT array_agg(diaobject_id) FROM elasticc2_diaobject"""


@pytest.fixture
def sky():
    for objectid, points in SKY.items():
        hear(*map(message, add_object(objectid, points)))
    reveal()


def run(statement, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def hot(since, until):
    query = f"WITH {HOT_SET} SELECT {COLUMNS} FROM hot ORDER BY diaobject_id"
    with connection.cursor() as cursor:
        cursor.execute(query, {"since": since, "until": until})
        return cursor.fetchall()


def ids(since, until):
    return [row[0] for row in hot(since, until)]


def test_hot_is_what_was_detected_in_the_window_bounds_included(sky):
    assert ids(60004.0, 60005.0) == [1, 2, 3]
    assert ids(60008.0, 60009.0) == [1, 4]
    assert ids(60004.5, 60004.9) == []
    assert ids(60009.1, 61000.0) == []


def test_what_is_known_is_what_was_seen_by_the_end_of_the_window(sky):
    assert hot(60003.0, 60006.0)[0] == (1, 2, 60000.0, 60005.0, "r", 300.0, 60005.0, "r", 300.0)
    assert hot(60003.0, 60010.0)[0] == (1, 3, 60000.0, 60009.0, "i", 200.0, 60005.0, "r", 300.0)


@pytest.mark.parametrize("window", WINDOWS)
def test_the_sources_say_what_the_summaries_say(sky, window):
    before = hot(*window)
    run(ALL_STALE)
    assert str(hot(*window)) == str(before)


def test_a_summary_that_is_not_to_be_trusted_is_not_asked(sky):
    run("UPDATE elasticc2_diasource SET psflux = 500 WHERE diaobject_id = 1 AND filtername = 'i'")
    run("DELETE FROM elasticc2_diasource WHERE diaobject_id = 4")
    assert rows("SELECT * FROM elasticc2_staleobjects")
    assert hot(60006.0, 60010.0) == [(1, 3, 60000.0, 60009.0, "i", 500.0, 60009.0, "i", 500.0)]


def test_an_object_without_a_summary_is_hot_once_it_is_noted(sky):
    run("DELETE FROM elasticc2_objectsummary WHERE diaobject_id = 2")
    assert 2 not in ids(60005.0, 60005.0)
    run("INSERT INTO elasticc2_staleobjects (diaobject_ids) VALUES ('{2}')")
    assert 2 in ids(60005.0, 60005.0)

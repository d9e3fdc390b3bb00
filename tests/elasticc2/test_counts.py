"""Counts: exact where that is quick, estimated where it is not."""

import pytest
from django.db import connection

from elasticc2 import counts
from elasticc2.counts import Count
from tests.elasticc2.sky import add_object

pytestmark = pytest.mark.django_db

POINTS = [(60000.0 + k, "g", 90.0, k < 10) for k in range(1000)]
FORCED = (("Forced", "elasticc2_ppdbdiaforcedsource", "true"),)


@pytest.fixture
def two_objects():
    add_object(1, POINTS)
    add_object(2, POINTS)


def test_small_tables_are_counted(two_objects):
    assert counts.counts(FORCED) == [Count("Forced", 2000, about=False)]


def test_large_tables_are_estimated_over_all_partitions(two_objects, monkeypatch):
    monkeypatch.setattr(counts, "COUNTED_EXACTLY", 1000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE elasticc2_ppdbdiaforcedsource")
    [count] = counts.counts(FORCED)
    assert count.about
    assert count.rows == pytest.approx(2000, rel=0.01)


def test_the_rows_of_a_large_table_that_meet_a_condition_are_estimated_too(two_objects, monkeypatch):
    monkeypatch.setattr(counts, "COUNTED_EXACTLY", 5)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE elasticc2_ppdbalert SET alertsenttimestamp = now() WHERE diaobject_id = 1")
        cursor.execute("ANALYZE elasticc2_ppdbalert")
    [alerts, sent] = counts.counts(counts.SURVEY[3:])
    assert (alerts.rows, sent.rows) == (20, 10)
    assert sent.about


@pytest.mark.parametrize(("label", "table", "condition"), counts.KNOWN + counts.SURVEY)
def test_every_table_that_is_counted_exists(label, table, condition):
    assert counts.exact(table, condition) == 0

"""Coverage by night and classifier."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.db import connection

from elasticc2.classifierlist import classifiers_of
from elasticc2.coveragetable import CoverageTable, coverage_table
from elasticc2.models import SendBatch
from tests.elasticc2.sky import add_object, hear, message

pytestmark = pytest.mark.django_db


@pytest.fixture
def three_nights(db: None) -> None:
    """Nights 60001 to 60003 with one, two and three alerts, all sent; of each the first is answered."""
    points = [(60000.0 + night + 0.1 * k, "r", 100.0, True) for night in (1, 2, 3) for k in range(night)]
    sources = add_object(1, points)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE elasticc2_ppdbalert SET alertsenttimestamp = now()")
    for night in (1, 2, 3):
        sent(60000 + night, night)
    hear(*(message(source) for source in (sources[0], sources[1], sources[3])))
    hear(message(sources[0], brokerName="Ant"))


def sent(night: int, alerts: int) -> None:
    SendBatch.objects.create(
        night=night,
        sent=datetime.now(UTC),
        alerts=alerts,
        messages=alerts,
        first_mjd=night,
        last_mjd=night + 0.1 * alerts,
    )


def table(**options: Any) -> CoverageTable:
    return coverage_table(list(classifiers_of(None)), **({"before": None} | options))


def test_every_classifier_is_a_row_and_every_night_a_cell(three_nights: None) -> None:
    found = table()
    assert [(night.night, night.sent) for night in found.nights] == [(60003, 3), (60002, 2), (60001, 1)]
    assert [
        (row.classifier.brokername, [(cell.answered, cell.missing) for cell in row.cells])
        for row in found.rows
    ] == [("Ant", [(0, 3), (0, 2), (1, 0)]), ("FakeBroker", [(1, 2), (1, 1), (1, 0)])]


def test_a_night_is_that_of_its_evening(three_nights: None) -> None:
    assert table().nights[0].evening == date(2023, 2, 27)


def test_nights_come_in_pages(three_nights: None) -> None:
    first = table(nights=2)
    assert [night.night for night in first.nights] == [60003, 60002]
    assert first.older == 60002
    second = table(nights=2, before=first.older)
    assert [night.night for night in second.nights] == [60001]
    assert [len(row.cells) for row in second.rows] == [1, 1]
    assert second.older is None


@pytest.mark.parametrize(("alerts", "nights"), [(6, 3), (5, 2), (4, 1), (1, 1)])
def test_a_page_has_as_many_nights_as_a_visitor_can_wait_for(
    three_nights: None, alerts: int, nights: int
) -> None:
    found = table(alerts=alerts)
    assert len(found.nights) == nights
    assert found.older == (None if nights == 3 else found.nights[-1].night)


def test_without_classifiers_there_are_nights_alone(three_nights: None) -> None:
    found = coverage_table([], before=None)
    assert (len(found.nights), found.rows) == (3, [])

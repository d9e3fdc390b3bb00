"""The record of alerts that were sent without one."""

import io
from datetime import UTC, datetime

import pytest
from django.core.management import call_command
from django.db import connection

from elasticc2.alerts import mark_sent
from elasticc2.models import PPDBAlert, SendBatch
from elasticc2.sendrecord import record_sent
from tests.elasticc2.sky import add_object

pytestmark = pytest.mark.django_db

START, END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 3, tzinfo=UTC)
MORNING, EVENING = datetime(2024, 1, 1, 6, 10, tzinfo=UTC), datetime(2024, 1, 1, 21, 59, tzinfo=UTC)


@pytest.fixture(autouse=True)
def restored() -> None:
    """Three alerts of two nights, marked by somebody who kept no record."""
    add_object(1, [(60_000.4, "r", 1.0, True), (60_000.6, "g", 2.0, True), (60_000.7, "g", 2.0, True)])
    for alert_id, moment in ((100_000, MORNING), (100_001, EVENING), (100_002, EVENING)):
        PPDBAlert.objects.filter(alert_id=alert_id).update(alertsenttimestamp=moment)


def record(*, anew: bool = False) -> int:
    with connection.cursor() as cursor:
        return record_sent(cursor, start=START, end=END, anew=anew)


def recorded() -> list[tuple[datetime, int, int]]:
    return list(SendBatch.objects.order_by("sent").values_list("sent", "night", "alerts"))


def test_it_is_by_hour_and_night() -> None:
    assert record() == 3
    assert recorded() == [(MORNING, 60_000, 1), (EVENING, 60_001, 2)]


def test_again_it_records_nothing() -> None:
    record()
    assert record() == 0
    assert len(recorded()) == 2


def test_what_sending_recorded_is_not_recorded_again() -> None:
    add_object(2, [(60_000.65, "r", 1.0, True)])
    with connection.cursor() as cursor:
        mark_sent(cursor, [200_000], EVENING)
    assert record() == 3
    assert sum(alerts for _, _, alerts in recorded()) == 4


def test_alerts_outside_the_time_are_left_alone() -> None:
    PPDBAlert.objects.filter(alert_id=100_000).update(alertsenttimestamp=END)
    assert record() == 2


def test_scorched_earth_begins_anew() -> None:
    record()
    PPDBAlert.objects.filter(alert_id=100_002).update(alertsenttimestamp=None)
    assert record(anew=True) == 2
    assert recorded() == [(MORNING, 60_000, 1), (EVENING, 60_001, 1)]


def test_the_command_takes_what_old_scripts_give() -> None:
    said = io.StringIO()
    call_command("update_elasticc2_alerts_sent", "--start", "2023-07-05", "--endrel", "-1", stdout=said)
    assert said.getvalue() == "recorded 3 alerts that were sent without a record\n"

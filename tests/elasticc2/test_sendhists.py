"""Alerts sent an hour, by day and ISO week."""

from datetime import UTC, date, datetime

import pytest

from elasticc2.models import SendBatch
from elasticc2.sendhists import SentDay, SentHour, round_number, sent_per_hour, week_page

pytestmark = pytest.mark.django_db

MOMENT = datetime(2026, 11, 20, 12, tzinfo=UTC)


def sent(moment: str, *, alerts: int = 10) -> None:
    """A batch, at a moment (UTC)."""
    SendBatch.objects.create(
        night=60000,
        sent=datetime.fromisoformat(moment).replace(tzinfo=UTC),
        alerts=alerts,
        messages=2 * alerts,
        bytes=6000 * alerts,
        first_mjd=59999.6,
        last_mjd=59999.9,
    )


def test_batches_of_an_hour_are_added() -> None:
    sent("2026-11-18T17:59:59")
    sent("2026-11-18T17:00:00")
    sent("2026-11-18T18")
    assert sent_per_hour() == [
        SentHour(datetime(2026, 11, 18, 17, tzinfo=UTC), 20, 40, 120_000),
        SentHour(datetime(2026, 11, 18, 18, tzinfo=UTC), 10, 20, 60_000),
    ]


def test_a_week_has_its_days_up_to_today() -> None:
    sent("2026-11-18T17")
    sent("2026-11-18T03", alerts=30)
    (week,) = week_page(before=None, moment=MOMENT).weeks
    assert str(week) == "2026 week 47"
    assert week.total == 40
    assert [day.day for day in week.days] == [date(2026, 11, day) for day in range(16, 21)]
    assert [day.total for day in week.days] == [0, 0, 40, 0, 0]
    assert (week.days[2].hours[3], week.days[2].hours[17], week.days[2].busiest) == (30, 10, 3)


def test_a_day_that_has_not_begun_by_our_clock_is_shown_where_alerts_were_sent() -> None:
    sent("2026-11-21T05")
    (week,) = week_page(before=None, moment=MOMENT).weeks
    assert week.days[-1].day == date(2026, 11, 21)


def test_the_week_of_new_year_belongs_to_the_year_of_its_thursday() -> None:
    sent("2027-01-01")
    (week,) = week_page(before=None, moment=datetime(2027, 2, 1, tzinfo=UTC)).weeks
    assert (str(week), week.key, week.days[0].day) == ("2026 week 53", "2026-W53", date(2026, 12, 28))
    assert len(week.days) == 7


def test_only_weeks_with_alerts_are_listed_the_latest_first() -> None:
    for day in ("2025-01-08", "2026-03-02", "2026-11-18", "2026-11-22"):
        sent(day)
    found = week_page(before=None, moment=MOMENT)
    assert [week.key for week in found.weeks] == ["2026-W47", "2026-W10", "2025-W02"]
    assert found.older == ""


def test_weeks_come_in_pages() -> None:
    for day in ("04", "11", "18"):
        sent(f"2026-11-{day}")
    first = week_page(before=None, moment=MOMENT, weeks=2)
    assert [week.week for week in first.weeks] == [47, 46]
    assert first.older == "2026-W46"
    second = week_page(
        before=datetime.fromisocalendar(2026, 46, 1).replace(tzinfo=UTC), moment=MOMENT, weeks=2
    )
    assert [week.week for week in second.weeks] == [45]
    assert second.older == ""


def test_plots_of_a_page_end_at_one_round_number() -> None:
    sent("2026-11-18T03", alerts=130)
    sent("2026-11-11T03", alerts=7)
    found = week_page(before=None, moment=MOMENT)
    assert found.top == 200
    assert {day.top for week in found.weeks for day in week.days} == {200}


@pytest.mark.parametrize(
    ("most", "rounded"),
    [(0, 1), (1, 1), (3, 5), (10, 10), (11, 20), (500, 500), (501, 1000), (62_000_000, 10**8)],
)
def test_a_round_number_is_not_less(most: int, rounded: int) -> None:
    assert round_number(most) == rounded


def test_a_bar_is_as_high_as_its_hours_share() -> None:
    day = SentDay(date(2026, 11, 18), [0, 50, *[0] * 21, 100], 100)
    assert day.bars == "M11 60v-30.0h8V60ZM231 60v-60.0h8V60Z"


def test_before_anything_was_sent_there_is_no_week() -> None:
    found = week_page(before=None, moment=MOMENT)
    assert (found.weeks, found.older) == ([], "")

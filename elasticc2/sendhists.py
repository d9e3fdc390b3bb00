"""How many alerts were sent in each hour (wall time, UTC), by day and ISO week."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Any

from django.db import connection

PAGE_WEEKS = 13
HOURS = 24
DAYS = 7
# A day's plot, in SVG's units: bars of the hours upon the axis.
BAR_WIDTH, PLOT_HEIGHT = 10, 60

# Each week that has any is one look into the index.
WEEKS = """
WITH RECURSIVE weeks(week) AS (
    SELECT date_trunc('week', max(sent), 'UTC') FROM elasticc2_sendbatch WHERE sent < %(before)s
    UNION ALL
    SELECT (SELECT date_trunc('week', max(sent), 'UTC') FROM elasticc2_sendbatch WHERE sent < week)
    FROM weeks WHERE week IS NOT NULL
)
SELECT week FROM weeks WHERE week IS NOT NULL LIMIT %(weeks)s"""
SENT_PER_HOUR = """
SELECT date_trunc('hour', sent, 'UTC') AS hour, sum(alerts)::bigint, sum(messages)::bigint, sum(bytes)::bigint
FROM elasticc2_sendbatch WHERE sent >= %(since)s AND sent < %(until)s
GROUP BY hour ORDER BY hour"""
THE_END = datetime.max.replace(tzinfo=UTC)
THE_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class SentHour:
    """What was confirmed in an hour: a DDF alert is two messages."""

    hour: datetime
    alerts: int
    messages: int
    bytes: int


@dataclass(frozen=True)
class SentDay:
    """A day's alerts by hour, and the ordinate at which its plot ends."""

    day: date
    hours: Sequence[int]
    top: int

    @property
    def total(self) -> int:
        return sum(self.hours)

    @property
    def busiest(self) -> int:
        """The hour with the most alerts."""
        return max(range(HOURS), key=lambda hour: self.hours[hour])

    @property
    def bars(self) -> str:
        """The outline of the bars as SVG writes it."""
        return "".join(self.bar(hour) for hour in range(HOURS) if self.hours[hour])

    def bar(self, hour: int) -> str:
        height = PLOT_HEIGHT * self.hours[hour] / self.top
        return f"M{hour * BAR_WIDTH + 1} {PLOT_HEIGHT}v{-height:.1f}h{BAR_WIDTH - 2}V{PLOT_HEIGHT}Z"


@dataclass(frozen=True)
class SentWeek:
    """An ISO week, and its days up to the last one that has begun."""

    year: int
    week: int
    days: Sequence[SentDay]

    def __str__(self) -> str:
        return f"{self.year} week {self.week}"

    @property
    def key(self) -> str:
        """As ISO 8601 writes it."""
        return f"{self.year}-W{self.week:02}"

    @property
    def total(self) -> int:
        return sum(day.total for day in self.days)


@dataclass(frozen=True)
class WeekPage:
    """Some weeks on which alerts were sent, the latest first.

    Attributes
    ----------
    top
        Alerts an hour at which all plots end.
    older
        The key of the page after this one; empty where there is no more.
    """

    weeks: Sequence[SentWeek]
    top: int
    older: str


def week_page(*, before: datetime | None, moment: datetime, weeks: int = PAGE_WEEKS) -> WeekPage:
    """The latest weeks before ``before`` (a Monday; None: of all) on which alerts were sent."""
    starts = week_starts(before, weeks + 1)
    shown = starts[:weeks]
    if not shown:
        return WeekPage([], 1, "")
    hours = sent_per_hour(since=shown[-1], until=shown[0] + timedelta(DAYS))
    top = round_number(max(hour.alerts for hour in hours))
    found = by_week(hours, top=top, last_day=max(moment, hours[-1].hour).date())
    return WeekPage(found, top, found[-1].key if len(starts) > weeks else "")


def week_starts(before: datetime | None, most: int) -> list[datetime]:
    """Mondays of the latest weeks with alerts, the last one first."""
    return [week for (week,) in fetch(WEEKS, {"before": before or THE_END, "weeks": most})]


def sent_per_hour(*, since: datetime = THE_BEGINNING, until: datetime = THE_END) -> list[SentHour]:
    """The hours in which alerts were sent, in ascending order."""
    return [SentHour(*row) for row in fetch(SENT_PER_HOUR, {"since": since, "until": until})]


def by_week(hours: Sequence[SentHour], *, top: int, last_day: date) -> list[SentWeek]:
    """The weeks of these hours, the latest first; days after ``last_day`` have not begun."""
    weeks = groupby(reversed(hours), key=lambda hour: hour.hour.isocalendar()[:2])
    return [week_of(year, week, list(group), top, last_day) for (year, week), group in weeks]


def week_of(year: int, week: int, hours: Sequence[SentHour], top: int, last_day: date) -> SentWeek:
    sent = {hour.hour: hour.alerts for hour in hours}
    monday = datetime.fromisocalendar(year, week, 1).replace(tzinfo=UTC)
    days = [monday + timedelta(day) for day in range(DAYS)]
    begun = [day for day in days if day.date() <= last_day or day == days[0]]
    return SentWeek(year, week, [day_of(day, sent, top) for day in begun])


def day_of(day: datetime, sent: dict[datetime, int], top: int) -> SentDay:
    return SentDay(day.date(), [sent.get(day + timedelta(hours=hour), 0) for hour in range(HOURS)], top)


def round_number(most: int) -> int:
    """1, 2 or 5 times a power of ten, not less than ``most``."""
    power = 10 ** max(len(str(most)) - 1, 0)
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= most)


def fetch(query: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return cursor.fetchall()

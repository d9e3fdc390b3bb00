"""Runs of sending: which window of survey time each is about, and how far it has come.

A night of the survey lasts from noon to noon (UTC) and is called by the MJD between them. Every run is a row
of ``elasticc2_sendrun``; one that was cut short is completed before another begins.
"""

import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError, InterfaceError, connection
from django.db.models.functions import Now

from elasticc2.alerts import BEFORE_ALL, MARKED, count_alerts
from elasticc2.models import SendRun
from tom_desc.streams.delivered import Ends

NOON = 0.5
# After all sources of one time, and before all of them.
LAST_ID, FIRST_ID = sys.maxsize, -sys.maxsize - 1

# Whatever was sent is not later than the clock, which a look at the latest sources begins with.
LATEST_SENT = """
SELECT s.midpointtai
FROM elasticc2_ppdbdiasource s JOIN elasticc2_ppdbalert a USING (diasource_id)
WHERE a.alertsenttimestamp IS NOT NULL
  AND s.midpointtai <= (SELECT coalesce(sent_mjd, 'Infinity')
                        FROM campaigns_campaign WHERE name = 'elasticc2')
ORDER BY s.midpointtai DESC LIMIT 1"""
EARLIEST = """
SELECT s.midpointtai
FROM elasticc2_ppdbdiasource s JOIN elasticc2_ppdbalert a USING (diasource_id)
ORDER BY s.midpointtai LIMIT 1"""
PER_NIGHT = """
SELECT ceil(s.midpointtai - 0.5)::integer AS night,
       count(*) FILTER (WHERE o.isddf IS NOT TRUE), count(*) FILTER (WHERE o.isddf)
FROM elasticc2_ppdbalert a
JOIN elasticc2_ppdbdiasource s USING (diasource_id)
LEFT JOIN elasticc2_ppdbdiaobject o ON o.diaobject_id = s.diaobject_id
WHERE a.alertsenttimestamp IS {marked}
  AND s.midpointtai <= %(through)s
  AND (s.midpointtai, s.diasource_id) > (%(after_mjd)s, %(after_id)s)
GROUP BY night ORDER BY night"""


@dataclass(frozen=True)
class AlertTopics:
    """Where alerts go: all but those of deep-drilling fields, and those, with all their history or little."""

    wfd: str
    ddf_full: str
    ddf_limited: str

    @property
    def names(self) -> set[str]:
        return {self.wfd, self.ddf_full, self.ddf_limited}

    def of(self, *, isddf: bool) -> tuple[str, ...]:
        """The topics that an alert goes to, once each."""
        return (self.ddf_full, self.ddf_limited) if isddf else (self.wfd,)


@dataclass(frozen=True)
class Window:
    """Which alerts a run is about.

    Attributes
    ----------
    after : (float, int)
        Time, MJD (TAI), and id of a source, which itself does not belong.
    through_mjd : float
        Inclusive.
    sent : bool
        Those that were sent before, rather than those that were not.
    but : tuple of int
        Alerts to leave out.
    """

    after: tuple[float, int]
    through_mjd: float
    sent: bool = False
    but: tuple[int, ...] = ()

    @classmethod
    def between(cls, from_mjd: float | None, through_mjd: float) -> "Window":
        """Unsent alerts from one time through another, both inclusive."""
        return cls(BEFORE_ALL if from_mjd is None else (from_mjd, FIRST_ID), through_mjd)

    @classmethod
    def of_night(cls, night: int) -> "Window":
        """A night's alerts that were sent before: noon, at which it begins, belongs to the night before."""
        return cls((night - NOON, LAST_ID), night + NOON, sent=True)

    def count(self, cursor: Any) -> int:
        """How many alerts there are in it."""
        return count_alerts(
            cursor, through_mjd=self.through_mjd, after=self.after, sent=self.sent, but=self.but
        )

    def per_night(self, cursor: Any) -> list[tuple[int, int, int]]:
        """Night, alerts of the wide survey, alerts of deep-drilling fields; only nights that have any."""
        bounds = {"through": self.through_mjd, "after_mjd": self.after[0], "after_id": self.after[1]}
        cursor.execute(PER_NIGHT.format(marked=MARKED[self.sent]), bounds)
        return list(cursor.fetchall())


def finite_mjd(text: str) -> float:
    """MJD, or a number of days, as somebody typed it; ValueError where it is no finite number."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no MJD")
    return value


def night_of(mjd: float) -> int:
    """The night to which a time, MJD (TAI), belongs; noon is the last of the night before it."""
    return math.ceil(mjd - NOON)


def asked_window(
    cursor: Any, *, start_day: float | None, through_day: float | None, added_days: float | None
) -> tuple[float | None, float] | None:
    """From when (None: from the beginning) through when to send, MJD (TAI); None where there is no alert.

    Parameters
    ----------
    start_day
        Not before.
    through_day, added_days
        One of the two: through when; or how many nights after the one in which the last alert that was sent
        lies, or, where none was sent, after the start.
    """
    if through_day is not None:
        return start_day, through_day
    assert added_days is not None
    start = first_to_send(cursor, start_day)
    return None if start is None else (start, math.floor(start + NOON) + added_days + NOON)


def first_to_send(cursor: Any, start_day: float | None) -> float | None:
    """The time of the last alert sent, or the start that is given, whichever is later; MJD (TAI).

    Nothing sent and no start given: the day before the first alert, None where there is none.
    """
    cursor.execute(LATEST_SENT)
    if (row := cursor.fetchone()) is not None:
        return max(row[0], -math.inf if start_day is None else start_day)
    if start_day is not None:
        return start_day
    cursor.execute(EARLIEST)
    row = cursor.fetchone()
    return row and row[0] - 1


def unfinished_runs() -> list[SendRun]:
    """Runs that were cut short, oldest first. Sending again is begun anew by whoever wants it."""
    return list(SendRun.objects.filter(finished=None, resend=False).order_by("pk"))


def window_of(run: SendRun) -> Window:
    """The alerts that a run is about."""
    if run.resend:
        return Window.of_night(night_of(run.through_mjd))
    return Window.between(run.from_mjd, run.through_mjd)


def topics_of(run: SendRun) -> AlertTopics:
    return AlertTopics(run.wfd_topic, run.ddf_full_topic, run.ddf_limited_topic)


def begin_run(
    *, window: Window, from_mjd: float | None, topics: AlertTopics, alerts: int, server: str
) -> SendRun:
    """A new run's row."""
    return SendRun.objects.create(
        from_mjd=from_mjd,
        through_mjd=window.through_mjd,
        resend=window.sent,
        server=server,
        wfd_topic=topics.wfd,
        ddf_full_topic=topics.ddf_full,
        ddf_limited_topic=topics.ddf_limited,
        alerts_to_send=alerts,
    )


def go_on(run: SendRun, *, server: str, cluster_id: str, slice_ends: Mapping[str, Ends]) -> None:
    """Note, before anything is produced, where a run's topics end."""
    SendRun.objects.filter(pk=run.pk).update(
        server=server,
        cluster_id=cluster_id,
        slice_ends={topic: ends.as_json() for topic, ends in slice_ends.items()},
        failure=None,
        updated=Now(),
    )


def finish(run: SendRun) -> None:
    """All alerts of the run's window are sent."""
    SendRun.objects.filter(pk=run.pk).update(finished=Now(), updated=Now(), failure=None, slice_ends=None)


def cut_short(run: SendRun, reason: str, *, all_reported: bool) -> None:
    """Note why a run ends before its time; with all reports in, nobody needs to look for what arrived."""
    changes: dict[str, Any] = {"failure": reason, "updated": Now()}
    if all_reported:
        changes["slice_ends"] = None
    SendRun.objects.filter(pk=run.pk).update(**changes)


@contextmanager
def unhurried() -> Iterator[None]:
    """Within it, nobody waits for the disk to have what is committed, nor looks up what a run knows.

    A database that crashes may forget the last marks; with them it forgets where the topics ended then, so
    that the next run finds on the topics what was marked.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit TO off; SET elasticc2.moves_clock TO on")
        try:
            yield
        finally:
            # A connection that is gone takes its settings with it.
            with suppress(DatabaseError, InterfaceError):
                cursor.execute("RESET synchronous_commit; RESET elasticc2.moves_clock")


def lock(cursor: Any) -> bool:
    """Be the only one who sends until the connection ends or :func:`unlock`; False where somebody else is."""
    cursor.execute("SELECT pg_try_advisory_lock(%s)", (LOCK,))
    return bool(cursor.fetchone()[0])


def unlock(cursor: Any) -> None:
    cursor.execute("SELECT pg_advisory_unlock(%s)", (LOCK,))


# Key of the advisory lock.
LOCK = 0x65320002

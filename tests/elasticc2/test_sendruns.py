"""Which window of survey time is sent, and what a run's row says of it."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from elasticc2 import sendruns
from elasticc2.alerts import mark_sent
from elasticc2.models import SendRun
from elasticc2.sendruns import AlertTopics, Window, asked_window, finite_mjd, night_of, window_of
from tests.elasticc2.sending import add_deep, add_lone, beside, detections
from tests.elasticc2.sky import add_object
from tom_desc.streams.delivered import Ends

pytestmark = pytest.mark.django_db

WHEN = datetime(2024, 1, 1, tzinfo=UTC)
TOPICS = AlertTopics("wfd", "full", "limited")
EVERYTHING = Window.between(None, math.inf)


@pytest.fixture
def cursor() -> Iterator[Any]:
    with connection.cursor() as cursor:
        yield cursor


def asked(
    cursor: Any, *, start: float | None = None, through: float | None = None, added: float | None = None
) -> tuple[float | None, float] | None:
    return asked_window(cursor, start_day=start, through_day=through, added_days=added)


def begin(window: Window, *, from_mjd: float | None = None) -> SendRun:
    run = sendruns.begin_run(window=window, from_mjd=from_mjd, topics=TOPICS, alerts=3, server="here:1")
    return SendRun.objects.get(pk=run.pk)


def anew(run: SendRun) -> SendRun:
    return SendRun.objects.get(pk=run.pk)


def sent_through(cursor: Any, mjd: float) -> None:
    """An object with one alert that was sent and one, much later, that was not."""
    first, _ = add_object(1, detections(mjd, mjd + 1000))
    mark_sent(cursor, [first], WHEN)


@pytest.mark.parametrize(
    ("mjd", "night"),
    [(60_000.0, 60_000), (60_000.5, 60_000), (60_000.500001, 60_001), (59_999.5, 59_999), (60_000.9, 60_001)],
)
def test_a_night_lasts_from_noon_to_noon_and_its_last_moment_is_noon(mjd: float, night: int) -> None:
    assert night_of(mjd) == night


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "tomorrow", ""])
def test_what_is_no_finite_number_is_no_mjd(text: str) -> None:
    with pytest.raises(ValueError):
        finite_mjd(text)


def test_through_a_day_begins_with_the_first_alert(cursor: Any) -> None:
    sent_through(cursor, 60_575.0)
    assert asked(cursor, through=60_578.25) == (None, 60_578.25)


def test_through_a_day_begins_on_the_start_day_where_given(cursor: Any) -> None:
    sent_through(cursor, 60_575.0)
    assert asked(cursor, start=60_570.25, through=60_578) == (60_570.25, 60_578)


@pytest.mark.parametrize(
    ("last", "added", "through"),
    [
        (60_575.0008, 100, 60_675.5),
        (60_575.4999, 1, 60_576.5),
        (60_575.5, 1, 60_577.5),
        (60_575.75, 1, 60_577.5),
        (60_575.0, 0, 60_575.5),
        (60_575.0, 2.25, 60_577.75),
    ],
)
def test_added_days_count_from_the_night_of_the_last_alert_sent(
    cursor: Any, last: float, added: float, through: float
) -> None:
    sent_through(cursor, last)
    assert asked(cursor, added=added) == (last, through)


def test_a_later_start_day_goes_before_the_last_alert_sent(cursor: Any) -> None:
    sent_through(cursor, 60_575.0008)
    assert asked(cursor, start=60_580.6, added=2) == (60_580.6, 60_583.5)


def test_an_earlier_start_day_does_not(cursor: Any) -> None:
    sent_through(cursor, 60_575.0008)
    assert asked(cursor, start=60_000, added=2) == (60_575.0008, 60_577.5)


def test_the_last_alert_sent_is_that_of_the_latest_source(cursor: Any) -> None:
    """Not the one that was marked last."""
    early, late = add_object(1, detections(60_100, 60_200))
    mark_sent(cursor, [late], WHEN)
    mark_sent(cursor, [early], WHEN + timedelta(days=1))
    assert asked(cursor, added=1) == (60_200, 60_201.5)


def test_where_nothing_is_sent_added_days_count_from_the_day_before_the_first_alert(cursor: Any) -> None:
    add_object(1, detections(60_100.75, 60_200))
    assert asked(cursor, added=3) == (60_099.75, 60_103.5)


def test_where_nothing_is_sent_added_days_count_from_the_start_day(cursor: Any) -> None:
    add_object(1, detections(60_100.75, 60_200))
    assert asked(cursor, start=60_150, added=3) == (60_150, 60_153.5)


def test_where_there_is_no_alert_there_is_no_window(cursor: Any) -> None:
    assert asked(cursor, added=3) is None


def test_a_window_has_both_its_ends(cursor: Any) -> None:
    add_object(1, detections(60_000, 60_001, 60_002, 60_003))
    assert Window.between(60_001, 60_002).count(cursor) == 2


def test_a_window_without_a_start_has_everything_before_its_end(cursor: Any) -> None:
    add_object(1, detections(60_000, 60_001, 60_002, 60_003))
    assert Window.between(None, 60_002).count(cursor) == 3


def test_a_window_has_what_is_unsent(cursor: Any) -> None:
    sent_through(cursor, 60_000)
    assert EVERYTHING.count(cursor) == 1


def test_the_window_of_a_night_has_what_was_sent_after_one_noon_through_the_next(cursor: Any) -> None:
    ids = add_object(1, detections(60_000.5, 60_000.6, 60_001.2, 60_001.5, 60_001.6))
    mark_sent(cursor, [*ids[:2], *ids[3:]], WHEN)
    assert Window.of_night(60_001).count(cursor) == 2


def test_nights_are_counted_by_where_their_alerts_go(cursor: Any) -> None:
    add_object(1, detections(60_000.4, 60_000.6))
    add_deep(2, detections(60_000.7, 60_000.8))
    add_lone(5, 60_000.3)
    assert EVERYTHING.per_night(cursor) == [(60_000, 2, 0), (60_001, 1, 2)]


def test_a_runs_row_says_which_window_it_is_about() -> None:
    for from_mjd in (None, 60_000.25):
        window = Window.between(from_mjd, 60_010.5)
        assert window_of(begin(window, from_mjd=from_mjd)) == window


def test_the_row_of_a_night_sent_again_says_which_night() -> None:
    run = begin(Window.of_night(60_001), from_mjd=60_000.5)
    assert run.resend
    assert window_of(run) == Window.of_night(60_001)


def test_runs_that_were_cut_short_come_oldest_first() -> None:
    first, finished, again, last = (
        begin(window) for window in (EVERYTHING, EVERYTHING, Window.of_night(60_001), EVERYTHING)
    )
    sendruns.finish(finished)
    assert again.finished is None
    assert [run.pk for run in sendruns.unfinished_runs()] == [first.pk, last.pk]


def test_a_run_that_goes_on_notes_where_its_topics_end() -> None:
    run = begin(EVERYTHING)
    sendruns.cut_short(run, "no more", all_reported=True)
    ends = {"wfd": Ends("id", {0: 7, 1: 0}), "full": Ends("", {})}
    sendruns.go_on(run, server="there:2", cluster_id="cluster", slice_ends=ends)
    run = anew(run)
    assert (run.server, run.cluster_id, run.failure) == ("there:2", "cluster", None)
    assert run.slice_ends
    assert {topic: Ends.of_json(kept) for topic, kept in run.slice_ends.items()} == ends


@pytest.mark.parametrize("all_reported", [False, True])
def test_a_run_cut_short_knows_where_to_look_unless_all_was_reported(all_reported: bool) -> None:
    run = begin(EVERYTHING)
    sendruns.go_on(run, server="s", cluster_id="c", slice_ends={"wfd": Ends("id", {0: 7})})
    sendruns.cut_short(run, "the wire", all_reported=all_reported)
    run = anew(run)
    assert (run.failure, run.finished) == ("the wire", None)
    assert (run.slice_ends is None) == all_reported


def test_a_finished_run_has_no_failure_and_nowhere_to_look() -> None:
    run = begin(EVERYTHING)
    sendruns.go_on(run, server="s", cluster_id="c", slice_ends={"wfd": Ends("id", {0: 7})})
    sendruns.cut_short(run, "the wire", all_reported=False)
    sendruns.finish(run)
    run = anew(run)
    assert (run.failure, run.slice_ends) == (None, None)
    assert run.finished is not None


def test_one_at_a_time_holds_the_lock(cursor: Any) -> None:
    with beside() as other:
        assert sendruns.lock(cursor)
        assert not sendruns.lock(other)
        sendruns.unlock(cursor)
        assert sendruns.lock(other)


def test_a_connection_that_ends_leaves_the_lock(cursor: Any) -> None:
    with beside() as other:
        assert sendruns.lock(other)
        assert not sendruns.lock(cursor)
        # The server notices a moment later that it is gone.
        pid = other.connection.info.backend_pid
    cursor.execute("SELECT pg_terminate_backend(%s, 10000)", (pid,))
    assert sendruns.lock(cursor)
    sendruns.unlock(cursor)


def test_the_disk_is_not_waited_for_while_alerts_are_marked_and_is_afterwards(cursor: Any) -> None:
    def setting() -> str:
        cursor.execute("SHOW synchronous_commit")
        return str(cursor.fetchone()[0])

    before = setting()
    with pytest.raises(KeyError), sendruns.unhurried():
        assert setting() == "off"
        raise KeyError
    assert setting() == before != "off"

"""How sending goes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from elasticc2.models import SendRun
from elasticc2.sendstatus import SILENT, SendStatus, latest_runs, latest_status

pytestmark = pytest.mark.django_db

MOMENT = datetime(2026, 11, 20, 12, tzinfo=UTC)


def status(**columns: Any) -> SendStatus:
    run(**columns)
    found = latest_status(moment=MOMENT)
    assert found
    return found


def run(**columns: Any) -> None:
    names = {
        "through_mjd": 60578.5,
        "started": MOMENT - timedelta(hours=1),
        "updated": MOMENT - timedelta(seconds=20),
        "server": "s",
        "wfd_topic": "w",
        "ddf_full_topic": "f",
        "ddf_limited_topic": "l",
    }
    SendRun.objects.create(**(names | columns))


def test_a_run_without_an_end_is_in_progress() -> None:
    found = status()
    assert (found.title, found.state, found.is_silent) == ("Streaming in progress", "in progress", False)


def test_a_run_that_ended_is_the_last_batch() -> None:
    found = status(finished=MOMENT - timedelta(days=3), updated=MOMENT - timedelta(days=3))
    assert (found.title, found.state, found.is_silent) == ("Last streaming batch", "finished", False)


@pytest.mark.parametrize("finished", [None, MOMENT])
def test_a_run_that_was_cut_short_says_so(finished: datetime | None) -> None:
    found = status(failure="Kafka was away", finished=finished, updated=MOMENT - timedelta(days=3))
    assert (found.title, found.state, found.is_silent) == ("Last streaming batch", "cut short", False)


def test_a_run_that_is_not_heard_of_may_have_been_killed() -> None:
    found = status(updated=MOMENT - SILENT - timedelta(seconds=1))
    assert (found.title, found.state, found.is_silent) == ("Streaming in progress", "not heard of", True)


def test_the_status_is_that_of_a_run_that_is_completed_although_another_was_begun_since() -> None:
    run(through_mjd=60000)
    run(through_mjd=60100, updated=MOMENT - timedelta(days=3))
    found = latest_status(moment=MOMENT)
    assert found
    assert found.run.through_mjd == 60000


def test_before_the_first_run_there_is_no_status() -> None:
    assert latest_status(moment=MOMENT) is None


def test_the_last_run_comes_first_and_old_ones_are_left_out() -> None:
    for mjd in range(5):
        run(through_mjd=mjd)
    assert [one.run.through_mjd for one in latest_runs(moment=MOMENT, most=3)] == [4, 3, 2]

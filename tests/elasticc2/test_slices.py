"""A window's alerts as they go out: slice by slice, in order of time, read by threads."""

import gc
import math
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from django.db import DatabaseError, connection

from elasticc2 import slices as module
from elasticc2.alerts import AlertAssembler, mark_sent
from elasticc2.sendruns import AlertTopics, Window, night_of
from elasticc2.slices import Outgoing, Slice, slice_starts, slices
from tests.elasticc2.awkward import AwkwardSky
from tests.elasticc2.sending import (
    add_deep,
    add_lone,
    assembled,
    beside,
    detections,
    do,
    forget_everything,
    measurements,
)
from tests.elasticc2.sky import add_object, rows, value
from tests.tom_desc.streams.pollers import own_database

WHEN = datetime(2024, 1, 1, tzinfo=UTC)
TOPICS = AlertTopics("wfd", "full", "limited")
EVERYTHING = Window.between(None, math.inf)
BY_TIME = """
SELECT alert_id, midpointtai FROM elasticc2_ppdbalert JOIN elasticc2_ppdbdiasource USING (diasource_id)
ORDER BY midpointtai, diasource_id"""
OF_DEEP = """
SELECT alert_id FROM elasticc2_ppdbalert JOIN elasticc2_ppdbdiasource s USING (diasource_id)
JOIN elasticc2_ppdbdiaobject o ON o.diaobject_id = s.diaobject_id WHERE isddf"""
CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"


@pytest.fixture(scope="module")
def database(migrated_database: str, django_db_blocker: Any) -> Iterator[str]:
    """Threads with connections of their own see what is committed: in a database of these tests' own."""
    with django_db_blocker.unblock(), own_database(migrated_database) as name:
        yield name


@pytest.fixture(autouse=True)
def empty(database: str) -> Iterator[None]:
    yield
    forget_everything()


@pytest.fixture
def sky(empty: None) -> list[tuple[int, float]]:
    """Hundreds of alerts, with ties, lone sources and deep-drilling objects: id and time, in order."""
    AwkwardSky().store()
    return rows(BY_TIME)


@pytest.fixture
def little_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE_ALERTS", 50)
    monkeypatch.setattr(module, "TASK_ALERTS", 20)
    monkeypatch.setattr(module, "SLICE_ALERTS", 7)


def all_slices(window: Window = EVERYTHING, *, threads: int = 2) -> list[Slice]:
    return list(slices(window, TOPICS, threads=threads))


def ids(found: list[Slice]) -> list[int]:
    return [alert_id for slice in found for alert_id in slice.alert_ids]


def outgoing(window: Window = EVERYTHING) -> list[Outgoing]:
    return [message for slice in all_slices(window) for message in slice.messages]


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_each_alert_comes_once_and_in_order_of_time(
    sky: list[tuple[int, float]], little_at_once: None, threads: int
) -> None:
    assert len(sky) > 300
    assert ids(all_slices(threads=threads)) == [alert_id for alert_id, _ in sky]


def test_an_alert_that_is_marked_meanwhile_leaves_no_hole(
    sky: list[tuple[int, float]], little_at_once: None
) -> None:
    seen: list[int] = []
    for slice in slices(EVERYTHING, TOPICS, threads=2):
        seen += slice.alert_ids
        with connection.cursor() as cursor:
            mark_sent(cursor, slice.alert_ids, WHEN)
    assert seen == [alert_id for alert_id, _ in sky]


def test_a_slice_is_of_one_night_and_says_when_it_begins_and_ends(
    sky: list[tuple[int, float]], little_at_once: None
) -> None:
    times = dict(sky)
    for slice in all_slices():
        mjds = [times[alert_id] for alert_id in slice.alert_ids]
        assert {night_of(mjd) for mjd in mjds} == {slice.night}
        assert slice.mjds == mjds


def test_a_slice_is_no_longer_than_is_said(sky: list[tuple[int, float]], little_at_once: None) -> None:
    longest = max(len(slice.alert_ids) for slice in all_slices())
    assert 1 < longest <= 7


def test_long_alerts_make_short_slices(sky: list[tuple[int, float]], monkeypatch: pytest.MonkeyPatch) -> None:
    before = all_slices()
    monkeypatch.setattr(module, "SLICE_BYTES", 5000)
    after = all_slices()
    assert ids(after) == ids(before)
    assert len(after) > len(before)
    # The last alert may go beyond.
    assert all(sum(sizes_of(slice)[:-2]) <= 5000 for slice in after)


def sizes_of(slice: Slice) -> list[int]:
    sizes = [len(message.value) for message in slice.messages]
    assert sum(sizes) == slice.size
    return sizes


@pytest.mark.parametrize("alerts", [1, 999, 1000, 1001, 2500])
def test_the_slices_of_a_night_are_equally_long(alerts: int) -> None:
    starts = [*slice_starts([5] * alerts), alerts]
    lengths = [stop - start for start, stop in pairwise(starts)]
    assert sum(lengths) == alerts and starts[0] == 0
    assert len(lengths) == math.ceil(alerts / 1000)
    assert max(lengths) - min(lengths) < len(lengths)


def test_every_night_begins_a_slice() -> None:
    assert list(slice_starts([5] * 3 + [6] + [8] * 2)) == [0, 3, 4]


def test_a_window_is_kept_to(sky: list[tuple[int, float]], little_at_once: None) -> None:
    through = 60_000.5
    but = sky[3][0]
    window = Window.between(60_000, through)
    meant = [alert_id for alert_id, mjd in sky if 60_000 <= mjd <= through]
    assert len(meant) > 20
    assert ids(all_slices(window)) == meant
    excepted = Window(window.after, window.through_mjd, but=(but,))
    assert ids(all_slices(excepted)) == [alert_id for alert_id in meant if alert_id != but]


def test_a_night_that_is_sent_again_is_what_was_sent_of_it() -> None:
    sent = add_object(1, detections(60_000.6, 60_001.2, 60_001.7))
    unsent = add_object(2, detections(60_000.8))
    with connection.cursor() as cursor:
        mark_sent(cursor, sent, WHEN)
    again = ids(all_slices(Window.of_night(60_001)))
    assert again == sent[:2]
    assert unsent[0] not in again


def test_an_alert_of_the_wide_survey_goes_out_once_with_all_its_history() -> None:
    ids = add_object(7, detections(60_000.1, 60_300.1) + measurements(60_299.9))
    assert outgoing(Window.between(60_300, math.inf)) == [Outgoing("wfd", b"7", assembled(ids[1]))]


def test_an_alert_of_a_deep_drilling_field_goes_out_twice_the_second_time_with_thirty_days() -> None:
    ids = add_deep(7, detections(60_000.1, 60_300.1) + measurements(60_299.9, 60_200.1))
    full, limited = assembled(ids[1]), assembled(ids[1], days_previous=30)
    assert len(full) > len(limited)
    assert outgoing(Window.between(60_300, math.inf)) == [
        Outgoing("full", b"7", full),
        Outgoing("limited", b"7", limited),
    ]


def test_a_source_without_an_object_goes_out_without_a_key() -> None:
    add_lone(5, 60_000.1)
    assert outgoing() == [Outgoing("wfd", None, assembled(5))]


def test_what_goes_out_is_what_each_alert_is_for_itself(
    sky: list[tuple[int, float]], little_at_once: None
) -> None:
    deep = [alert_id for (alert_id,) in rows(OF_DEEP)]
    assert len(deep) > 20
    with connection.cursor() as cursor:
        expected = Counter(alert for _, alert in AlertAssembler().assemble(cursor, [a for a, _ in sky]))
        expected += Counter(alert for _, alert in AlertAssembler().assemble(cursor, deep, days_previous=30))
    assert Counter(message.value for message in outgoing()) == expected


def test_photometry_that_no_alert_of_the_window_carries_changes_none() -> None:
    """It is not read at all."""
    last = add_object(3, detections(60_000.1, 60_001.1, 60_500.1) + measurements(60_000.2, 60_499))[2]
    (message,) = outgoing(Window.between(60_500, math.inf))
    assert message.value == assembled(last)


def test_without_alerts_there_are_no_slices() -> None:
    assert all_slices() == []


def test_what_a_thread_cannot_do_is_raised_where_slices_are_taken() -> None:
    add_object(1, detections(60_000.1))
    do("ALTER TABLE elasticc2_ppdbdiaforcedsource RENAME TO gone")
    try:
        with pytest.raises(DatabaseError):
            all_slices()
    finally:
        do("ALTER TABLE gone RENAME TO elasticc2_ppdbdiaforcedsource")


def test_whoever_stops_taking_slices_leaves_nothing_behind(
    sky: list[tuple[int, float]], little_at_once: None
) -> None:
    before = value(CONNECTIONS), sys.getswitchinterval(), gc.get_threshold()
    taken = slices(EVERYTHING, TOPICS, threads=3)
    next(taken)
    assert value(CONNECTIONS) > before[0]
    taken.close()
    with beside() as cursor:
        wait_for_connections(cursor, before[0] + 1)
    assert (sys.getswitchinterval(), gc.get_threshold()) == before[1:]


def wait_for_connections(cursor: Any, count: int) -> None:
    """The server notices a moment later that one has gone."""
    for _ in range(1000):
        cursor.execute(CONNECTIONS)
        if cursor.fetchone()[0] <= count:
            return
        cursor.execute("SELECT pg_sleep(0.01)")
    raise AssertionError("connections stay open")

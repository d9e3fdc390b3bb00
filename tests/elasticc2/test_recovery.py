"""A killed run's alerts that are on its topics and not marked: the next run finds them.

What the killed run had produced is produced by hand.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection

from elasticc2 import recovery, sendruns
from elasticc2.alerts import mark_sent
from elasticc2.models import SendBatch, SendRun
from elasticc2.send import Sent, send
from elasticc2.sendruns import Window
from tests.elasticc2.sending import (
    AlertStreams,
    add_deep,
    alert_streams,
    assembled,
    detections,
    forget_everything,
    how,
    marked,
    measurements,
)
from tests.elasticc2.sky import add_object, rows
from tests.tom_desc.streams.pollers import own_database
from tom_desc.streams.delivered import topic_ends
from tom_desc.streams.produce import client_settings
from tom_desc.streams.topics import Topics

THROUGH_MJD = 60_100.5
# When Kafka had what was produced by hand: ms since 1970, UTC.
SENT_MS = 1_700_000_000_000
SENT = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
TIMES = "SELECT alert_id, alertsenttimestamp FROM elasticc2_ppdbalert WHERE alertsenttimestamp IS NOT NULL"


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
def streams(kafka: str) -> Iterator[AlertStreams]:
    with alert_streams(kafka) as streams:
        yield streams


def begun(streams: AlertStreams, *, cluster_id: str | None = None, from_mjd: float | None = None) -> SendRun:
    """A run that had noted where its topics end, as they do now, and got no further."""
    topics = Topics(client_settings(streams.log.server))
    run = sendruns.begin_run(
        window=Window.between(from_mjd, THROUGH_MJD),
        from_mjd=from_mjd,
        topics=streams.topics,
        alerts=0,
        server=streams.log.server,
    )
    sendruns.go_on(
        run,
        server=streams.log.server,
        cluster_id=cluster_id or topics.cluster_id(),
        slice_ends=topic_ends(topics, streams.topics.names),
    )
    return run


def put(streams: AlertStreams, topic: str, *ids: int, days_previous: float = 365) -> None:
    values = [assembled(alert_id, days_previous=days_previous) for alert_id in ids]
    streams.log.put(topic, values, timestamp=SENT_MS)


def complete(streams: AlertStreams) -> Sent:
    return send(streams.order(through_day=THROUGH_MJD), how())


def three_alerts() -> list[int]:
    return add_object(1, detections(60_000.6, 60_000.7, 60_001.6))


def test_what_had_arrived_is_marked_and_not_sent_again(streams: AlertStreams) -> None:
    ids = three_alerts()
    begun(streams)
    put(streams, streams.wfd, *ids[:2])
    sent = complete(streams)
    assert (sent.found, sent.alerts) == (2, 1)
    assert streams.ids(streams.wfd) == marked() == ids
    assert sendruns.unfinished_runs() == []


def test_it_was_sent_when_kafka_had_the_first_of_its_night(streams: AlertStreams) -> None:
    ids = three_alerts()
    begun(streams)
    put(streams, streams.wfd, *ids)
    complete(streams)
    assert dict(rows(TIMES)) == dict.fromkeys(ids, SENT)


def test_it_is_on_record_night_by_night_in_the_run_that_sent_it(streams: AlertStreams) -> None:
    ids = three_alerts()
    run = begun(streams)
    put(streams, streams.wfd, *ids)
    complete(streams)
    batches = SendBatch.objects.order_by("night").values_list(
        "sendrun", "night", "alerts", "messages", "first_mjd", "last_mjd"
    )
    assert list(batches) == [
        (run.pk, 60_001, 2, 2, 60_000.6, 60_000.7),
        (run.pk, 60_002, 1, 1, 60_001.6, 60_001.6),
    ]
    assert sum(SendBatch.objects.values_list("bytes", flat=True)) == sum(len(assembled(a)) for a in ids)
    run.refresh_from_db()
    assert (run.alerts_sent, run.last_confirmed_mjd) == (3, 60_001.6)


def test_an_alert_that_is_on_one_of_two_topics_is_sent_again(streams: AlertStreams) -> None:
    both, one = add_deep(2, detections(60_000.6, 60_000.7) + measurements(60_000.65))
    begun(streams)
    put(streams, streams.full, both, one)
    put(streams, streams.limited, both, days_previous=30)
    sent = complete(streams)
    assert (sent.found, sent.alerts) == (1, 1)
    assert streams.ids(streams.full) == [both, one, one]
    assert streams.ids(streams.limited) == [both, one]
    assert marked() == [both, one]


def test_on_a_topic_that_is_two_at_once_there_must_be_two_copies(streams: AlertStreams) -> None:
    both, one = add_deep(2, detections(60_000.6, 60_000.7))
    same = AlertStreams(streams.log, streams.wfd, streams.full, streams.full)
    begun(same)
    put(same, same.full, both, both, one)
    sent = complete(same)
    assert (sent.found, sent.alerts) == (1, 1)
    assert Counter(same.ids(same.full)) == {both: 2, one: 3}


def test_what_was_there_before_is_not_looked_at(streams: AlertStreams) -> None:
    """It may be of another survey that was sent to the same topics."""
    ids = three_alerts()
    put(streams, streams.wfd, ids[0])
    begun(streams)
    put(streams, streams.wfd, ids[1])
    sent = complete(streams)
    assert (sent.found, sent.alerts) == (1, 2)


def test_a_topic_that_was_not_there_is_read_from_its_beginning(streams: AlertStreams) -> None:
    ids = three_alerts()
    streams.log.delete(streams.wfd)
    begun(streams)
    streams.log.make(streams.wfd)
    put(streams, streams.wfd, *ids[:2])
    sent = complete(streams)
    assert (sent.found, sent.alerts) == (2, 1)


def test_what_is_no_alert_of_the_run_marks_nothing(streams: AlertStreams) -> None:
    ids = three_alerts()
    (later,) = add_object(2, detections(THROUGH_MJD + 1))
    begun(streams, from_mjd=60_000.65)
    streams.log.put(streams.wfd, [None, b"", b"\xff" * 20, b"\x02"])
    put(streams, streams.wfd, ids[0], later, ids[1])
    sent = send(streams.order(start_day=60_000.65, through_day=THROUGH_MJD), how())
    assert (sent.found, sent.alerts) == (1, 1)
    assert marked() == ids[1:]


def test_an_alert_that_is_marked_already_stays_as_it_is(streams: AlertStreams) -> None:
    ids = three_alerts()
    begun(streams)
    put(streams, streams.wfd, *ids)
    with connection.cursor() as cursor:
        mark_sent(cursor, ids[:1], datetime(2022, 1, 1, tzinfo=UTC))
    assert complete(streams).found == 2
    assert dict(rows(TIMES))[ids[0]] == datetime(2022, 1, 1, tzinfo=UTC)


def test_an_alert_that_arrived_twice_is_found_once(streams: AlertStreams) -> None:
    ids = three_alerts()
    begun(streams)
    put(streams, streams.wfd, *ids, *ids)
    assert complete(streams) == Sent(found=3)
    assert sum(SendBatch.objects.values_list("messages", flat=True)) == 6


def test_what_arrived_on_a_topic_since_made_anew_is_sent_again(streams: AlertStreams) -> None:
    ids = three_alerts()
    begun(streams)
    streams.log.delete(streams.wfd)
    streams.log.make(streams.wfd)
    put(streams, streams.wfd, ids[0])
    sent = complete(streams)
    assert (sent.found, sent.alerts) == (0, 3)
    assert streams.ids(streams.wfd) == [ids[0], *ids]


def test_what_arrived_at_another_cluster_is_sent_again(streams: AlertStreams) -> None:
    ids = three_alerts()
    begun(streams, cluster_id="another")
    put(streams, streams.wfd, *ids)
    sent = complete(streams)
    assert (sent.found, sent.alerts) == (0, 3)
    assert marked() == ids


def test_a_run_that_had_all_its_reports_looks_nowhere(streams: AlertStreams) -> None:
    ids = three_alerts()
    run = begun(streams)
    sendruns.cut_short(run, "stopped", all_reported=True)
    put(streams, streams.wfd, ids[0])
    assert complete(streams).found == 0


def test_partitions_that_came_since_are_read(streams: AlertStreams) -> None:
    ids = three_alerts()
    begun(streams)
    streams.log.add_partitions(streams.wfd, to=2)
    values = [assembled(alert_id) for alert_id in ids]
    streams.log.put(streams.wfd, values, partition=1, timestamp=SENT_MS)
    assert complete(streams) == Sent(found=3)


def test_many_alerts_are_marked_some_at_a_time(
    streams: AlertStreams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "ALERTS_AT_ONCE", 2)
    ids = add_object(1, detections(*(60_000.6 + k / 10 for k in range(9))))
    run = begun(streams)
    put(streams, streams.wfd, *ids)
    assert complete(streams) == Sent(found=9)
    assert marked() == ids
    run.refresh_from_db()
    assert run.alerts_sent == 9 == sum(SendBatch.objects.values_list("alerts", flat=True))

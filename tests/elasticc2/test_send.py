"""Alerts to a real Kafka: what goes where, in which order, and what is marked when."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection

from elasticc2 import sendruns
from elasticc2 import slices as slices_module
from elasticc2.alerts import mark_sent
from elasticc2.models import SendBatch, SendRun
from elasticc2.send import AlreadySending, How, Order, SendingFailed, Sent, Stopped, planned, send
from tests.elasticc2.sending import (
    AlertStreams,
    Told,
    add_deep,
    add_lone,
    alert_streams,
    assembled,
    detections,
    forget_everything,
    how,
    id_of,
    marked,
    measurements,
    somebody_sends,
)
from tests.elasticc2.sky import add_object, rows, value
from tests.localtom import free_port
from tests.tom_desc.streams.pollers import own_database
from tom_desc.streams import topics as topics_module
from tom_desc.streams.schemas import ALERT

ALL: dict[str, Any] = {"through_day": 61_000.0}
TIMES = "SELECT alert_id, alertsenttimestamp FROM elasticc2_ppdbalert WHERE alertsenttimestamp IS NOT NULL"
MJDS = (
    "SELECT alert_id, midpointtai FROM elasticc2_ppdbalert JOIN elasticc2_ppdbdiasource USING (diasource_id)"
)
# Larger than what the topic of short histories takes: thousands of bytes more than an alert without history.
LONG = measurements(*(60_000 + k / 100 for k in range(100)))


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


def plan(order: Order) -> list[str]:
    with connection.cursor() as cursor:
        return planned(cursor, order)


def on_all_topics(streams: AlertStreams) -> list[list[int]]:
    return [sorted(streams.ids(topic)) for topic in (streams.wfd, streams.full, streams.limited)]


def last_run() -> SendRun:
    return SendRun.objects.latest("pk")


def clock() -> float | None:
    found: float | None = value("SELECT sent_mjd FROM campaigns_campaign WHERE name = 'elasticc2'")
    return found


# What goes where


def test_an_alert_of_the_wide_survey_is_one_message_with_all_its_history(streams: AlertStreams) -> None:
    ids = add_object(7, detections(60_000.1, 60_300.1) + measurements(60_299.9))
    assert send(streams.order(**ALL), how()).messages == 2
    messages = streams.log.read(streams.wfd)
    assert [message.value() for message in messages] == [assembled(alert_id) for alert_id in ids]
    assert on_all_topics(streams) == [ids, [], []]


def test_an_alert_of_a_deep_drilling_field_is_two_of_which_one_has_thirty_days(streams: AlertStreams) -> None:
    ids = add_deep(7, detections(60_000.1, 60_300.1) + measurements(60_299.9, 60_200))
    sent = send(streams.order(**ALL), how())
    assert (sent.alerts, sent.messages) == (2, 4)
    full, limited = ([m.value() for m in streams.log.read(t)] for t in (streams.full, streams.limited))
    assert full == [assembled(alert_id) for alert_id in ids]
    assert limited == [assembled(alert_id, days_previous=30) for alert_id in ids]
    assert full != limited
    assert on_all_topics(streams) == [[], ids, ids]


def test_the_key_is_the_objects_id_and_headers_say_schema_and_time(streams: AlertStreams) -> None:
    add_object(12345, detections(60_000.1))
    before = datetime.now(UTC)
    send(streams.order(**ALL), how())
    (message,) = streams.log.read(streams.wfd)
    assert message.key() == b"12345"
    headers: dict[str, Any] = dict(message.headers() or [])
    assert headers["schema"] == ALERT.encode() == b"elasticc.v0_9_1.alert"
    sent = datetime.fromisoformat(headers["sent"].decode())
    assert sent.utcoffset() is not None
    assert before <= sent <= datetime.now(UTC)
    assert dict(rows(TIMES)) == {id_of(message): sent}


def test_a_source_without_an_object_has_no_key(streams: AlertStreams) -> None:
    add_lone(5, 60_000.1)
    send(streams.order(**ALL), how())
    (message,) = streams.log.read(streams.wfd)
    assert (message.key(), message.value()) == (None, assembled(5))


def test_a_topic_that_is_not_there_is_made(streams: AlertStreams) -> None:
    streams.log.delete(streams.wfd)
    ids = add_object(1, detections(60_000.1, 60_001.1))
    send(streams.order(**ALL), how())
    assert streams.ids(streams.wfd) == ids == marked()


def test_what_was_sent_is_not_sent_again(streams: AlertStreams) -> None:
    ids = add_object(1, detections(60_000.1, 60_001.1))
    assert send(streams.order(**ALL), how()).alerts == 2
    assert send(streams.order(**ALL), how()) == Sent()
    assert streams.ids(streams.wfd) == ids
    assert SendRun.objects.count() == 1


def test_alerts_after_the_window_stay(streams: AlertStreams) -> None:
    ids = add_object(1, detections(60_000.1, 60_001, 60_001.1))
    send(streams.order(through_day=60_001), how())
    assert streams.ids(streams.wfd) == marked() == ids[:2]


def test_the_next_days_begin_where_the_last_ended(streams: AlertStreams) -> None:
    ids = add_object(1, detections(60_000.1, 60_001.1, 60_003.4, 60_003.6))
    send(streams.order(through_day=60_001.2), how())
    assert send(streams.order(added_days=2), how()).alerts == 1
    run = last_run()
    assert (run.from_mjd, run.through_mjd) == (60_001.1, 60_003.5)
    assert marked() == ids[:3]


# Order


def test_an_objects_alerts_are_on_one_partition_in_order_of_time(
    kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slices_module, "SLICE_ALERTS", 7)
    for objectid in range(1, 21):
        nights = (60_000 + night + objectid / 1000 for night in range(5))
        (add_deep if objectid % 2 else add_object)(objectid, detections(*nights))
    mjds = dict(rows(MJDS))
    with alert_streams(kafka, partitions=3) as streams:
        assert send(streams.order(**ALL), how(threads=3)).alerts == 100
        for topic in (streams.wfd, streams.full, streams.limited):
            messages = streams.log.read(topic)
            assert len(messages) == 50
            assert len({(message.key(), message.partition()) for message in messages}) == 10
            of_key: dict[bytes | None, list[float]] = {}
            for message in messages:
                of_key.setdefault(message.key(), []).append(mjds[id_of(message)])
            assert all(earlier < later for times in of_key.values() for earlier, later in pairwise(times))


def test_a_night_is_marked_before_the_next_begins(
    streams: AlertStreams, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within a night, more is on its way."""
    monkeypatch.setattr(slices_module, "SLICE_ALERTS", 1)
    for night, alerts in enumerate((5, 4, 3)):
        add_object(night + 1, detections(*(60_000.6 + night + k / 100 for k in range(alerts))))
    marked_before: list[int] = []

    def stopping() -> bool:
        marked_before.append(len(marked()))
        return False

    send(streams.order(**ALL), how(stopping=stopping))
    assert [marked_before[k] for k in (0, 5, 9)] == [0, 5, 9]
    assert marked_before[4] < 4
    assert len(marked_before) == len(marked()) == 12


def test_of_a_night_that_does_not_begin_nothing_is_on_the_topic(streams: AlertStreams) -> None:
    first, _ = add_object(1, detections(60_000.6, 60_001.6))
    answers = iter([False, True])
    with pytest.raises(Stopped):
        send(streams.order(**ALL), how(stopping=lambda: next(answers)))
    assert streams.ids(streams.wfd) == marked() == [first]
    assert last_run().failure == "stopped by SIGTERM; the next run goes on"
    assert last_run().slice_ends is None


# Failures


def test_only_what_arrived_on_both_topics_is_marked(streams: AlertStreams) -> None:
    few, many = add_deep(1, detections(60_001.1)), add_deep(2, detections(60_000, 60_001.2) + LONG)
    wide = add_object(3, detections(60_001.3))
    streams.log.set(streams.limited, max_message_bytes="1500")
    with pytest.raises(SendingFailed) as failure:
        send(streams.order(**ALL), how())
    assert len(assembled(many[1], days_previous=30)) > 1500
    assert marked() == sorted([*few, many[0], *wide])
    assert str(failure.value).startswith(f"1 alerts were not delivered: {many[1]} (")
    assert on_all_topics(streams) == [wide, sorted([*few, *many]), sorted([*few, many[0]])]
    assert last_run().finished is None
    assert str(many[1]) in (last_run().failure or "")


def test_what_was_refused_is_tried_again_by_the_next_run(streams: AlertStreams) -> None:
    few, many = add_deep(1, detections(60_001.1)), add_deep(2, detections(60_000, 60_001.2) + LONG)
    streams.log.set(streams.limited, max_message_bytes="1500")
    for _ in range(2):
        with pytest.raises(SendingFailed, match=str(many[1])):
            send(streams.order(**ALL), how())
    assert SendRun.objects.count() == 1
    assert clock() == 60_001.1
    streams.log.set(streams.limited, max_message_bytes="1000000")
    assert send(streams.order(**ALL), how()).alerts == 1
    assert marked() == sorted(few + many)
    assert Counter(streams.ids(streams.full)) == Counter([*few, *many, many[1], many[1]])
    assert sorted(streams.ids(streams.limited)) == sorted([*few, *many])
    assert not sendruns.unfinished_runs()


def test_what_the_run_before_could_not_send_keeps_nothing_else_back(streams: AlertStreams) -> None:
    many = add_deep(2, detections(60_000, 60_001.2) + LONG)
    later = add_object(3, detections(60_002.1))
    streams.log.set(streams.limited, max_message_bytes="1500")
    for through in (60_001.5, 60_003.0):
        with pytest.raises(SendingFailed, match=f"^1 alerts were not delivered: {many[1]}"):
            send(streams.order(through_day=through), how())
    assert marked() == [many[0], *later]
    # Once by each command.
    assert Counter(streams.ids(streams.full))[many[1]] == 2


def test_nothing_is_sent_where_there_is_no_kafka(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics_module, "REQUEST_SECONDS", 0.5)
    add_object(1, detections(60_000.1))
    nobody = f"127.0.0.1:{free_port()}"
    topics = sendruns.AlertTopics("wfd", "full", "limited")
    with pytest.raises(SendingFailed, match=f"^Kafka at {nobody}: .*; nothing was sent$"):
        send(Order(server=nobody, topics=topics, **ALL), how())
    assert (marked(), SendRun.objects.count()) == ([], 0)


def test_a_second_sender_refuses(streams: AlertStreams) -> None:
    add_object(1, detections(60_000.1))
    with (
        somebody_sends(),
        pytest.raises(AlreadySending, match=r"^send_elasticc2_alerts is running already$"),
    ):
        send(streams.order(**ALL), how())
    assert (marked(), streams.ids(streams.wfd)) == ([], [])


@pytest.mark.parametrize("stops", [False, True])
def test_whoever_has_ended_leaves_the_lock(streams: AlertStreams, stops: bool) -> None:
    ids = add_object(1, detections(60_000.1))
    try:
        send(streams.order(**ALL), how(stopping=lambda: stops))
    except Stopped:
        assert stops
    with somebody_sends():
        assert marked() == ([] if stops else ids)


# Runs


def test_a_run_that_was_stopped_is_completed_first(streams: AlertStreams) -> None:
    ids = add_object(1, detections(60_000.6, 60_001.6, 60_002.6, 60_005.6))
    answers = iter([False, True])
    with pytest.raises(Stopped):
        send(streams.order(through_day=60_003), how(stopping=lambda: next(answers)))
    stopped = last_run()
    assert send(streams.order(start_day=60_005, through_day=60_006), how()).alerts == 3
    assert streams.ids(streams.wfd) == marked() == ids
    completed = SendRun.objects.get(pk=stopped.pk)
    assert (completed.alerts_sent, completed.last_confirmed_mjd) == (3, 60_002.6)
    assert completed.finished and last_run().finished and last_run().alerts_sent == 1


def test_a_run_goes_on_to_the_topics_with_which_it_began(kafka: str, streams: AlertStreams) -> None:
    ids = add_object(1, detections(60_000.6, 60_001.6, 60_005.6))
    answers = iter([False, True])
    with pytest.raises(Stopped):
        send(streams.order(through_day=60_003), how(stopping=lambda: next(answers)))
    with alert_streams(kafka) as others:
        send(others.order(**ALL), how())
        assert others.ids(others.wfd) == ids[2:]
    assert streams.ids(streams.wfd) == ids[:2]


def test_a_runs_row_says_what_was_sent(streams: AlertStreams) -> None:
    add_object(1, detections(60_000.6, 60_001.6))
    send(streams.order(start_day=60_000.0, through_day=60_003.0), how())
    run = last_run()
    assert (run.from_mjd, run.through_mjd, run.last_confirmed_mjd) == (60_000.0, 60_003.0, 60_001.6)
    assert (run.alerts_to_send, run.alerts_sent, run.resend) == (2, 2, False)
    assert (run.server, run.wfd_topic) == (streams.log.server, streams.wfd)
    assert run.finished and run.cluster_id and run.failure is None and run.slice_ends is None


def test_batches_add_up_to_what_is_marked(streams: AlertStreams, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices_module, "SLICE_ALERTS", 2)
    add_object(1, detections(60_000.6, 60_000.7, 60_000.8, 60_001.6))
    add_deep(2, detections(60_000.65, 60_001.65))
    told = Told()
    sent = send(streams.order(**ALL), how(report=told))
    assert sum(told.parts, Sent()) == sent
    batches = list(SendBatch.objects.order_by("pk"))
    assert [(batch.night, batch.alerts, batch.messages) for batch in batches] == [
        (60_001, 2, 3),
        (60_001, 2, 2),
        (60_002, 2, 3),
    ]
    assert [(batch.first_mjd, batch.last_mjd) for batch in batches] == [
        (60_000.6, 60_000.65),
        (60_000.7, 60_000.8),
        (60_001.6, 60_001.65),
    ]
    assert {batch.sendrun_id for batch in batches} == {last_run().pk}
    assert sum(batch.bytes for batch in batches) == sent.bytes == bytes_on(streams)
    assert {batch.sent for batch in batches} == {moment for _, moment in rows(TIMES)}


def bytes_on(streams: AlertStreams) -> int:
    topics = (streams.wfd, streams.full, streams.limited)
    return sum(len(message.value() or b"") for topic in topics for message in streams.log.read(topic))


def test_sending_moves_the_campaigns_clock(streams: AlertStreams) -> None:
    add_object(1, detections(60_000.6, 60_001.6))
    before = clock()
    send(streams.order(through_day=60_001), how())
    assert before != clock() == 60_000.6


# A night once more


@pytest.fixture
def sent_night(streams: AlertStreams) -> list[int]:
    """Three alerts of night 60001, sent, and one of the next; ids in order of time."""
    wide = add_object(1, detections(60_000.6, 60_001.5, 60_001.6))
    deep = add_deep(2, detections(60_000.7))
    send(streams.order(**ALL), how())
    return [wide[0], deep[0], *wide[1:]]


def test_a_night_is_sent_again(streams: AlertStreams, sent_night: list[int]) -> None:
    a, deep, b, c = sent_night
    sent = send(streams.order(resend=60_001), how())
    assert (sent.alerts, sent.messages) == (3, 4)
    assert streams.ids(streams.wfd) == [a, b, c, a, b]
    assert streams.ids(streams.full) == streams.ids(streams.limited) == [deep, deep]


def test_what_is_sent_again_is_not_marked_anew(streams: AlertStreams, sent_night: list[int]) -> None:
    before = rows(TIMES), clock()
    send(streams.order(resend=60_001), how())
    assert (rows(TIMES), clock()) == before


def test_what_is_sent_again_is_on_record_as_such(streams: AlertStreams, sent_night: list[int]) -> None:
    send(streams.order(resend=60_001), how())
    run = last_run()
    assert run.resend and run.finished
    assert (run.alerts_to_send, run.alerts_sent) == (3, 3)
    batches = SendBatch.objects.filter(sendrun=run)
    assert [(batch.night, batch.alerts, batch.messages) for batch in batches] == [(60_001, 3, 4)]


def test_what_was_never_sent_is_not_sent_again(streams: AlertStreams, sent_night: list[int]) -> None:
    add_object(5, detections(60_000.9))
    assert send(streams.order(resend=60_001), how()).alerts == 3
    assert send(streams.order(resend=60_777), how()) == Sent()


def test_sending_again_leaves_runs_that_were_cut_short_alone(streams: AlertStreams) -> None:
    first, _ = add_object(1, detections(60_000.6, 60_001.6))
    answers = iter([False, True])
    with pytest.raises(Stopped):
        send(streams.order(**ALL), how(stopping=lambda: next(answers)))
    send(streams.order(resend=60_001), how())
    assert streams.ids(streams.wfd) == [first, first]
    assert len(sendruns.unfinished_runs()) == 1
    assert send(streams.order(**ALL), how()).alerts == 1


# Plans


def test_a_plan_says_which_night_goes_where_and_changes_nothing(streams: AlertStreams) -> None:
    add_object(1, detections(60_000.6, 60_000.7, 60_001.6))
    add_deep(2, detections(60_000.8))
    assert plan(streams.order(through_day=60_001)) == [
        f"night 60001: 2 alerts to {streams.wfd}, 1 alerts to {streams.full} and {streams.limited}",
        "3 alerts of 1 nights",
    ]
    assert (marked(), SendRun.objects.count(), streams.ids(streams.wfd)) == ([], 0, [])


def test_a_plan_begins_with_the_rest_of_runs_that_were_cut_short(streams: AlertStreams) -> None:
    add_object(1, detections(60_000.6, 60_001.6))
    answers = iter([False, True])
    with pytest.raises(Stopped):
        send(streams.order(through_day=60_003), how(stopping=lambda: next(answers)))
    first, *_ = plan(streams.order(**ALL))
    assert first == f"first the rest of run {last_run().pk}, through 60003: 1 alerts"


def test_where_there_is_nothing_to_send_the_plan_is_empty(streams: AlertStreams) -> None:
    assert plan(streams.order(**ALL)) == plan(streams.order(added_days=1)) == []


def test_alerts_that_others_marked_meanwhile_are_not_counted(streams: AlertStreams) -> None:
    """The fake broker that answers by REST marks, too."""
    first, second = add_object(1, detections(60_000.6, 60_000.7))
    given = how()

    def now() -> datetime:
        with connection.cursor() as cursor:
            mark_sent(cursor, [first], datetime(2024, 1, 1, tzinfo=UTC))
        return given.now()

    send(streams.order(**ALL), How(1, now, given.stopping, given.report))
    assert last_run().alerts_sent == 1
    batches = SendBatch.objects.order_by("alerts", "sent").values_list("sendrun", "alerts")
    assert sorted(batches, key=str) == sorted([(None, 1), (last_run().pk, 1)], key=str)
    assert marked() == [first, second]

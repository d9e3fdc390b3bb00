"""The command that sends alerts: what it takes, says, and leaves as its status."""

import io
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from elasticc2.load import LoadOptions, load_survey_file, load_truth, remember_units
from elasticc2.models import SendBatch, SendRun
from tests.elasticc2.sending import (
    AlertStreams,
    add_deep,
    alert_streams,
    detections,
    do,
    forget_everything,
    id_of,
    marked,
    measurements,
    somebody_sends,
)
from tests.elasticc2.sky import add_object, rows, value
from tests.localtom import LocalTom, free_port
from tests.tom_desc.streams.pollers import own_database
from tom_desc.streams import topics as topics_module

DEADLINE_SECONDS = 120.0
OBJECTS, NIGHTS, DEEP_OBJECTS = 40, 200, 10
KILLS = 4
MJDS = (
    "SELECT alert_id, midpointtai FROM elasticc2_ppdbalert JOIN elasticc2_ppdbdiasource USING (diasource_id)"
)
MARKED = "SELECT count(*) FROM elasticc2_ppdbalert WHERE alertsenttimestamp IS NOT NULL"


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
def streams(database: str, kafka: str) -> Iterator[AlertStreams]:
    with alert_streams(kafka) as streams:
        yield streams


def command(*arguments: object) -> str:
    said = io.StringIO()
    call_command("send_elasticc2_alerts", *map(str, arguments), stdout=said, stderr=io.StringIO())
    return said.getvalue()


def refusal(*arguments: object) -> CommandError:
    with pytest.raises(CommandError) as refused:
        command(*arguments)
    assert refused.value.returncode == 1
    return refused.value


# Arguments


@pytest.mark.parametrize("window", [(), ("-d", 60_000, "-a", 1), ("--start-day", 60_000)])
def test_there_must_be_one_of_a_day_and_a_number_of_days(window: tuple[object, ...]) -> None:
    assert str(refusal(*window, "--do")) == "Must give exactly one of -d or -a..."


@pytest.mark.parametrize("window", [("-d", 60_000), ("-a", 1), ("--start-day", 60_000)])
def test_a_night_that_is_sent_again_is_all_the_window(window: tuple[object, ...]) -> None:
    assert str(refusal("--resend", 60_001, *window)) == "--resend goes with none of --start-day, -d and -a"


@pytest.mark.parametrize("option", ["-d", "-a", "--start-day"])
def test_a_day_is_a_finite_number(option: str) -> None:
    with pytest.raises(CommandError, match="nan"):
        command(f"{option}={'nan'}")


@pytest.mark.parametrize("option", ["-l", "-n"])
def test_there_is_no_sending_with_no_threads_and_no_line_every_no_alerts(option: str) -> None:
    assert str(refusal("-d", 60_000, option, 0, "--do")) == "-l and -n must be at least 1"


def test_the_server_is_that_of_the_environment(streams: AlertStreams) -> None:
    add_object(1, detections(60_000.6))
    command("-d", 61_000, *streams.options[2:], "--do")
    assert SendRun.objects.get().server == os.environ["KAFKA_SERVER"] == streams.log.server


def test_what_old_scripts_give_is_taken(streams: AlertStreams) -> None:
    add_object(1, detections(60_000.6))
    old = ("-s", "alert.avsc", "-f", 1000, "-r", "isrunning.log")
    assert command("-d", 61_000, *old, *streams.options, "--do").startswith("sent 1 alerts in 1 messages")


# What it says


def test_without_do_the_plan_is_said_and_nothing_happens(streams: AlertStreams) -> None:
    add_object(1, detections(60_000.6, 60_000.7))
    assert command("-d", 61_000, *streams.options).splitlines() == [
        f"night 60001: 2 alerts to {streams.wfd}",
        "2 alerts of 1 nights",
        "nothing was sent (--do sends)",
    ]
    assert (marked(), SendRun.objects.count(), streams.ids(streams.wfd)) == ([], 0, [])


@pytest.mark.parametrize("do", [(), ("--do",)])
@pytest.mark.parametrize("window", [("-d", 61_000), ("-a", 100), ("--resend", 60_001)])
def test_no_alerts_are_no_failure(
    streams: AlertStreams, window: tuple[object, ...], do: tuple[str, ...]
) -> None:
    assert command(*window, *streams.options, *do) == "no alerts to send\n"


def test_it_says_what_it_sent(streams: AlertStreams) -> None:
    add_object(1, detections(60_000.6, 60_001.6))
    add_deep(2, detections(60_000.7))
    *lines, last = command("-d", 61_000, "-l", 1, *streams.options, "--do").splitlines()
    assert last == "sent 3 alerts in 4 messages, 0.0 MB"
    assert len(lines) == 2
    assert lines[-1].endswith(last)


# Failures


def test_alerts_that_were_not_delivered_are_named(streams: AlertStreams) -> None:
    good = add_deep(1, detections(60_001.1))
    early, bad = add_deep(
        2, detections(60_000, 60_001.2) + measurements(*(60_000.01 + k / 200 for k in range(99)))
    )
    streams.log.set(streams.limited, max_message_bytes="1500")
    words = str(refusal("-d", 61_000, *streams.options, "--do"))
    assert words.startswith(f"sent 2 alerts in 5 messages, 0.0 MB; 1 alerts were not delivered: {bad} (")
    assert marked() == sorted([*good, early])


def test_a_second_sender_refuses(streams: AlertStreams) -> None:
    add_object(1, detections(60_000.6))
    with somebody_sends():
        words = str(refusal("-d", 61_000, *streams.options, "--do"))
    assert words.endswith("; send_elasticc2_alerts is running already")
    assert marked() == []


def test_where_there_is_no_kafka_that_is_said(streams: AlertStreams, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics_module, "REQUEST_SECONDS", 0.5)
    add_object(1, detections(60_000.6))
    nobody = f"127.0.0.1:{free_port()}"
    words = str(refusal("-d", 61_000, "-k", nobody, "--do"))
    assert f"Kafka at {nobody}: " in words and words.endswith("nothing was sent")
    assert marked() == []


def test_a_database_that_fails_is_said_in_a_sentence(streams: AlertStreams) -> None:
    """What was produced by then is found by the next run."""
    ids = add_object(1, detections(60_000.6))
    do("ALTER TABLE elasticc2_sendbatch RENAME TO gone")
    words = str(refusal("-d", 61_000, *streams.options, "--do"))
    assert words.endswith("; what is not marked is looked for on the topics by the next run")
    assert (streams.ids(streams.wfd), marked()) == (ids, [])
    do("ALTER TABLE gone RENAME TO elasticc2_sendbatch")
    said = command("-d", 61_000, *streams.options, "--do")
    assert said.splitlines()[-1].endswith("1 alerts of a run that was cut short had arrived")
    assert (streams.ids(streams.wfd), marked()) == (ids, ids)


# The real data


def test_the_real_survey_is_sent_with_the_numbers_of_the_original(
    streams: AlertStreams, real_survey_directories: list[Path]
) -> None:
    load(real_survey_directories)
    command("-d", 60_578, *streams.options, "--do")
    assert len(set(streams.ids(streams.wfd))) == len(streams.ids(streams.wfd)) == 545
    command("-a", 100, *streams.options, "--do")
    run = SendRun.objects.latest("pk")
    assert (round(run.from_mjd or 0, 4), run.through_mjd) == (60_575.0008, 60_675.5)
    ids = streams.ids(streams.wfd)
    assert len(ids) == 650 and set(ids) == set(marked())
    assert round(value("SELECT sent_mjd FROM campaigns_campaign WHERE name = 'elasticc2'"), 4) == 60_675.3019
    assert sum(SendBatch.objects.values_list("alerts", flat=True)) == 650


def load(directories: list[Path]) -> None:
    remember_units(LoadOptions())
    for directory in directories:
        for head in sorted(directory.glob("*HEAD.FITS.gz")):
            assert not load_survey_file(head, options=LoadOptions()).error
        assert not load_truth(directory, options=LoadOptions()).error


# Signals: the command as a process


@pytest.fixture
def tom(streams: AlertStreams, database: str, tmp_path: Path) -> Iterator[LocalTom]:
    """Some thousand alerts of many nights, a quarter of them in deep-drilling fields."""
    for objectid in range(1, OBJECTS + 1):
        points = detections(*(60_000.6 + night + objectid / 1000 for night in range(NIGHTS)))
        (add_deep if objectid <= DEEP_OBJECTS else add_object)(objectid, points)
    with LocalTom(database, tmp_path) as tom:
        yield tom


def started(tom: LocalTom, streams: AlertStreams) -> "subprocess.Popen[bytes]":
    return tom.start("send_elasticc2_alerts", "-d", 61_000, *streams.options, "--do")


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.005)


def kill(process: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def complete(tom: LocalTom, streams: AlertStreams) -> None:
    tom.manage("send_elasticc2_alerts", "-d", 61_000, *streams.options, "--do")
    assert tom.one(MARKED) == OBJECTS * NIGHTS
    assert tom.one("SELECT count(*) FROM elasticc2_sendrun WHERE finished IS NULL") == 0
    assert tom.one("SELECT sum(alerts) FROM elasticc2_sendbatch") == OBJECTS * NIGHTS


@pytest.mark.full
def test_sigterm_lets_it_finish_what_is_in_hand(tom: LocalTom, streams: AlertStreams) -> None:
    process = started(tom, streams)
    wait_until(lambda: tom.one(MARKED) > 0)
    process.terminate()
    assert process.wait(DEADLINE_SECONDS) == 143
    assert (
        "stopped by SIGTERM; the next run goes on"
        in (tom.directory / "send_elasticc2_alerts.log").read_text()
    )
    assert 0 < tom.one(MARKED) < OBJECTS * NIGHTS
    wide, deep = streams.ids(streams.wfd), streams.ids(streams.full)
    assert sorted(wide + deep) == marked()
    complete(tom, streams)
    for topic in (streams.wfd, streams.full, streams.limited):
        assert set(Counter(streams.ids(topic)).values()) == {1}


@pytest.mark.full
def test_whoever_is_killed_has_sent_each_alert_in_order_and_few_of_them_twice(
    tom: LocalTom, streams: AlertStreams
) -> None:
    dice = random.Random(seed := random.SystemRandom().randrange(10**6))
    for _ in range(KILLS):
        process, before = started(tom, streams), tom.one(MARKED)
        wait_until(lambda before=before: tom.one(MARKED) > before)  # type: ignore[misc]
        time.sleep(dice.random() / 5)
        kill(process)
        assert process.returncode == -signal.SIGKILL, seed
    complete(tom, streams)
    topics = (streams.wfd, streams.full, streams.limited)
    wide, full, limited = (set(streams.ids(topic)) for topic in topics)
    assert (wide | full, full) == (set(marked()), limited), seed
    copies = sum(len(streams.ids(topic)) for topic in topics) - len(wide) - 2 * len(full)
    # A night is one slice, and is marked before the next begins.
    assert copies <= KILLS * (OBJECTS + DEEP_OBJECTS), seed
    for topic in topics:
        assert first_copies_are_in_order(streams, topic), seed


def first_copies_are_in_order(streams: AlertStreams, topic: str) -> bool:
    """Object by object."""
    mjds = dict(rows(MJDS))
    latest: dict[bytes | None, float] = {}
    seen: set[int] = set()
    for message in streams.log.read(topic):
        alert_id = id_of(message)
        if alert_id in seen:
            continue
        seen.add(alert_id)
        if latest.get(message.key(), 0.0) >= mjds[alert_id]:
            return False
        latest[message.key()] = mjds[alert_id]
    return True

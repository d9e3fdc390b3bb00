"""The command, as a process: what it refuses, and that it stops in order whatever it is told."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests.elasticc2.test_poll import encoded
from tests.kafkalog import KafkaLog, topic_name
from tests.localtom import CHECKOUT, LocalTom, manage

SECONDS = 180.0
MESSAGES = "SELECT count(*) FROM elasticc2_brokermessage"


def refused(*arguments: str) -> str:
    """What it says instead of polling."""
    with pytest.raises(CommandError) as refusal:
        call_command("brokerpoll2", *arguments)
    assert refusal.value.returncode == 1
    return str(refusal.value)


def test_without_a_broker_there_is_nothing_to_do() -> None:
    assert refused() == "No brokers given to listen to."


def test_pitt_is_refused_in_a_sentence() -> None:
    said = refused("--do-pitt", "--pitt-topic", "x", "--pitt-project", "y", "--do-test")
    assert said.startswith("pitt is on Google Pub/Sub")


def test_brahms_has_no_topic_of_its_own() -> None:
    assert refused("--do-brahms") == "--do-brahms needs --brahms-topic"


def test_a_missing_secret_is_named_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path))
    assert refused("--do-antares").startswith("the secret antares_username is read from")


@pytest.fixture
def log(kafka: str) -> KafkaLog:
    return KafkaLog(kafka)


@pytest.fixture
def topics(log: KafkaLog) -> Iterator[tuple[str, str]]:
    """Of the test broker and of brahms."""
    made = log.make(topic_name("classifications")), log.make(topic_name("brahms"))
    yield made
    for topic in made:
        log.delete(topic)


def until(done: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not done():
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.1)


@pytest.mark.full
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_it_polls_until_a_signal_asks_it_to_stop(
    tom: LocalTom, log: KafkaLog, topics: tuple[str, str], number: signal.Signals
) -> None:
    test, brahms = topics
    log.put(test, [encoded(1), encoded(2), b"\xff"])
    log.put(brahms, [encoded(2), encoded(3, classifierName="Other")])
    poller = subprocess.Popen(
        manage(
            *("brokerpoll2", "-g", topic_name("tag"), "--do-test", "--test-topic", test),
            *("--test-server", log.server, "--do-brahms", "--brahms-topic", brahms),
        ),
        env={**os.environ, **tom.settings, "KAFKA_SERVER": log.server},
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        text=True,
    )
    until(lambda: tom.one("SELECT coalesce(sum(seen), 0) FROM streams_ledger") == 5)
    poller.send_signal(number)
    said, _ = poller.communicate(timeout=SECONDS)
    assert (poller.returncode, said) == (0, "stopped: 5 seen, 4 stored, 0 duplicate, 1 dead\n")
    assert tom.one(MESSAGES) == 4
    assert tom.sql(
        "SELECT source, consumer_group LIKE 'testing-test-tag-%' FROM streams_position ORDER BY 1"
    ) == [
        ("brahms", False),
        ("test", True),
    ]


@pytest.mark.full
def test_a_reset_reads_all_again_and_stores_nothing_twice(
    tom: LocalTom, log: KafkaLog, topics: tuple[str, str]
) -> None:
    test, _ = topics
    log.put(test, [encoded(source) for source in range(1, 11)])
    arguments = ("brokerpoll2", "-g", topic_name("tag"), "--do-test", "--test-topic", test, "--test-server")
    for seen, reset in ((10, ()), (20, ("--reset",))):
        poller = tom.start(*arguments, log.server, *reset)
        until(lambda seen=seen: tom.one("SELECT coalesce(sum(seen), 0) FROM streams_ledger") == seen)  # type: ignore[misc]
        poller.terminate()
        assert poller.wait(SECONDS) == 0
    assert tom.one(MESSAGES) == 10
    assert tom.sql("SELECT sum(stored), sum(duplicate) FROM streams_ledger") == [(10, 10)]


@pytest.mark.full
def test_a_topic_of_a_pattern_that_comes_later_is_read(tom: LocalTom, log: KafkaLog) -> None:
    prefix = topic_name("late")
    arguments = ("-g", topic_name("tag"), "--do-test", "--test-topic", rf"^{prefix}-\d+$")
    poller = tom.start("brokerpoll2", *arguments, "--test-server", log.server)
    time.sleep(3)
    log.put(log.make(f"{prefix}-20260101"), [encoded(1)])
    until(lambda: tom.one(MESSAGES) == 1)
    poller.terminate()
    assert poller.wait(SECONDS) == 0
    log.delete(f"{prefix}-20260101")

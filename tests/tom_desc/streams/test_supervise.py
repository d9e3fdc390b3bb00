"""Supervision, with real processes: whoever dies or falls silent is followed by another who goes on."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from tests.kafkalog import KafkaLog, topic_name
from tests.localtom import CHECKOUT
from tests.tom_desc.streams.pollers import SECONDS, heard, rows, said, texts
from tom_desc.streams import supervise as supervise_module
from tom_desc.streams.brokers import Broker
from tom_desc.streams.consume import Counts
from tom_desc.streams.supervise import SPAWN, Beat, Child, Heart, asked_to_stop, stop, supervise

LEDGER = "SELECT sum(seen), sum(stored), sum(duplicate), sum(dead) FROM streams_ledger"


@contextmanager
def supervised(brokers: Sequence[Broker]) -> Iterator[list[Counts]]:
    """The brokers' pollers are supervised meanwhile; afterwards what they said they did."""
    stop, came = threading.Event(), list[Counts]()
    run = partial(supervise, brokers, texts, rewind=False, stopping=stop.is_set)
    thread = threading.Thread(target=lambda: came.append(run()))
    thread.start()
    try:
        yield came
    finally:
        stop.set()
        thread.join()


@pytest.fixture
def in_child(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that are started use the test's database."""
    monkeypatch.setenv("DB_NAME", database)


@pytest.fixture
def broker(kafka: str, group: str, topic: str) -> Broker:
    return Broker("test", kafka, group, [topic])


def until(done: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not done():
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.05)


def pid_of(source: str = "test") -> int:
    """The process that claimed last."""
    owner = rows("SELECT owner FROM streams_position WHERE source = %s ORDER BY epoch DESC LIMIT 1", source)
    return int(owner[0][0].split(":")[1])


def is_there(pid: int) -> bool:
    """Whether the process runs; what is only not buried yet does not."""
    try:
        # After the name, which may be anything in brackets.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.usefixtures("in_child")
def test_each_broker_has_a_process_until_they_are_asked_to_stop(
    log: KafkaLog, broker: Broker, kafka: str, group: str
) -> None:
    other = Broker("brahms", kafka, f"{group}-other", [log.make(topic_name("said"))])
    with supervised([broker, other]) as came:
        log.put(broker.topics[0], said(20))
        log.put(other.topics[0], said(30))
        until(lambda: rows(LEDGER) == [(50, 30, 20, 0)])
        pids = pid_of("test"), pid_of("brahms")
        assert all(map(is_there, pids)) and len(set(pids)) == 2
    assert came == [Counts(50, 30, 20, 0)]
    assert not any(map(is_there, pids))
    log.delete(other.topics[0])


@pytest.mark.full
@pytest.mark.usefixtures("in_child")
def test_whoever_is_killed_is_followed_by_another_who_goes_on(
    log: KafkaLog, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    (topic,) = broker.topics
    with supervised([broker]):
        log.put(topic, said(500))
        until(lambda: heard() == 500)
        killed = pid_of()
        os.kill(killed, signal.SIGKILL)
        log.put(topic, said(500, what="after"))
        until(lambda: heard() == 1000)
        assert pid_of() != killed
    assert rows(LEDGER) == [(1000, 1000, 0, 0)]
    assert f"test: process {killed} died (-9)" in caplog.text


@contextmanager
def tended(broker: Broker, *, rewind: bool = False) -> Iterator[Child]:
    """A child for which whoever waits for something has to care."""
    child = Child(broker, texts, rewind=rewind, silent_seconds=SECONDS)
    try:
        yield child
    finally:
        stop([child])


def tend_until(child: Child, done: Callable[[], object]) -> None:
    until(lambda: child.tend() or done())  # type: ignore[func-returns-value]


@pytest.mark.full
@pytest.mark.usefixtures("in_child")
def test_whoever_is_silent_is_killed_and_followed_by_another(
    log: KafkaLog, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    (topic,) = broker.topics
    log.put(topic, said(5))
    with tended(broker) as child:
        tend_until(child, lambda: heard() == 5)
        assert child.process is not None
        frozen = child.process
        os.kill(pid_of(), signal.SIGSTOP)
        child.silent_seconds = 3.0
        tend_until(child, lambda: child.process is not frozen)
        child.silent_seconds = SECONDS
        log.put(topic, said(5, what="after"))
        tend_until(child, lambda: heard() == 10)
    assert f"test: process {frozen.pid} is silent and is killed" in caplog.text
    assert rows(LEDGER) == [(10, 10, 0, 0)]


@pytest.mark.full
@pytest.mark.usefixtures("in_child")
def test_a_poller_that_waits_for_its_topic_is_not_silent(kafka: str, group: str) -> None:
    with tended(Broker("test", kafka, group, [topic_name("nowhere")])) as child:
        for _ in range(4):
            before = child.heard
            tend_until(child, lambda before=before: child.heard > before)  # type: ignore[misc]
        assert child.counts == Counts()


@pytest.mark.full
@pytest.mark.usefixtures("in_child")
def test_rewinding_is_done_once_whoever_follows(log: KafkaLog, broker: Broker) -> None:
    (topic,) = broker.topics
    log.put(topic, said(20))
    with tended(broker, rewind=True) as child:
        tend_until(child, lambda: rows(LEDGER) == [(20, 20, 0, 0)] and not child.rewind)
        os.kill(pid_of(), signal.SIGKILL)
        log.put(topic, said(5, what="after"))
        tend_until(child, lambda: heard() == 25)
    assert rows(LEDGER) == [(25, 25, 0, 0)]


SUPERVISOR = """
from tests.tom_desc.streams.pollers import texts
from tom_desc.streams.brokers import Broker
from tom_desc.streams.supervise import supervise
supervise([Broker("test", {server!r}, {group!r}, [{topic!r}])], texts, rewind=False, stopping=lambda: False)
"""


@pytest.mark.full
@pytest.mark.usefixtures("in_child")
def test_a_poller_whose_supervisor_is_killed_ends(log: KafkaLog, broker: Broker) -> None:
    (topic,) = broker.topics
    program = SUPERVISOR.format(server=broker.server, group=broker.group, topic=topic)
    supervisor = subprocess.Popen([sys.executable, "-c", program], cwd=CHECKOUT, start_new_session=True)
    log.put(topic, said(5))
    until(lambda: heard() == 5)
    orphan = pid_of()
    supervisor.kill()
    supervisor.wait()
    until(lambda: not is_there(orphan))


def test_those_who_die_young_are_started_ever_later(broker_of_nothing: Broker) -> None:
    child = Child(broker_of_nothing, texts, rewind=False, silent_seconds=1)
    delays = []
    for _ in range(9):
        child.started = time.monotonic()
        child.pipe, _ = SPAWN.Pipe(duplex=False)
        child.bury()
        delays.append(round(child.due - child.started))
    assert delays == [0, 1, 2, 2, 2, 2, 2, 2, 2]


def test_whoever_lived_well_is_followed_at_once(broker_of_nothing: Broker) -> None:
    child = Child(broker_of_nothing, texts, rewind=False, silent_seconds=1, delay=60.0)
    child.started = time.monotonic() - 61
    child.pipe, _ = SPAWN.Pipe(duplex=False)
    child.bury()
    assert child.due <= time.monotonic()


@pytest.fixture
def broker_of_nothing() -> Broker:
    return Broker("test", "nowhere:1", "group", ["said"])


def test_a_heart_beats_now_and_then_with_all_that_was_done() -> None:
    ours, theirs = SPAWN.Pipe(duplex=False)
    heart = Heart(theirs)
    for _ in range(3):
        heart.beat(Counts(2, 1, 1, 0), rewind=False)
    heart.beaten = 0.0
    heart.beat(Counts(), rewind=True)
    assert [ours.recv(), ours.recv()] == [Beat(Counts(2, 1, 1, 0), False), Beat(Counts(4, 2, 2, 0), True)]
    assert not ours.poll()


def test_a_heart_knows_when_nobody_listens() -> None:
    ours, theirs = SPAWN.Pipe(duplex=False)
    heart = Heart(theirs)
    ours.close()
    heart.beat(Counts(), rewind=False)
    assert heart.is_alone
    # It also takes the alarm away.
    assert signal.alarm(0)


def leave_slowly(pipe: "Connection[Beat, Beat]") -> None:
    supervise_module.STOP_SECONDS = 1
    heart = Heart(pipe)
    while not heart.is_alone:
        heart.beaten = 0.0
        heart.beat(Counts(), rewind=False)
    time.sleep(10 * SECONDS)


def test_a_child_that_hangs_while_it_leaves_a_dead_parent_ends() -> None:
    ours, theirs = SPAWN.Pipe(duplex=False)
    process = SPAWN.Process(target=leave_slowly, args=(theirs,))
    process.start()
    theirs.close()
    assert ours.recv() == Beat(Counts(), False)
    ours.close()
    process.join(SECONDS)
    assert process.exitcode == -signal.SIGALRM


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_signals_ask_and_are_as_before_afterwards(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with asked_to_stop() as stopping:
        assert not stopping()
        os.kill(os.getpid(), number)
        assert stopping()
    assert signal.getsignal(number) is before

"""kill -9 of loader, web server, its workers and reveal, at any moment: nothing lost, nothing twice."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.crashes.calm import (
    HEARD,
    HEARD_AND_FORGOTTEN,
    LOADED,
    OBJECTS,
    STORED,
    Uninterrupted,
    check_all_is_revealed,
    contents,
    copied,
)
from tests.crashes.clients import (
    REVEAL_IN_SMALL_CHUNKS,
    Putter,
    Reader,
    going_on,
    logged_in,
    revealing,
    start_shell,
    wait_for,
)
from tests.localtom import LocalTom

pytestmark = pytest.mark.full

# How many kills each round has to survive, and the rounds.
KILLS = 10
ROUNDS = [0, *(pytest.param(number, marks=pytest.mark.soak) for number in range(1, 21))]


@dataclass
class Moment:
    """When to kill: once this part of the work that is left can be seen to be done, and a little later."""

    part: float
    later: float

    @classmethod
    def drawn(cls, dice: random.Random) -> "Moment":
        return cls(part=dice.random() / 4, later=dice.random() / 50)

    def wait(self, progress: Callable[[], float], ended: Callable[[], bool]) -> None:
        before = progress()
        wait_for(lambda: ended() or progress() - before > self.part * (1 - before))
        time.sleep(self.later)

    def kill(self, process: "subprocess.Popen[bytes]", progress: Callable[[], float]) -> bool:
        """kill -9 of a process and all it started; whether it had not come to its end before."""
        self.wait(progress, lambda: process.poll() is not None)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        return process.wait() == -signal.SIGKILL


@dataclass
class Kills:
    """Counts those that came in the midst of the work, until there were enough."""

    dice: random.Random
    left: int = KILLS

    def until_the_work_is_done(self, interrupted: Callable[[Moment], bool]) -> None:
        """Kill until a run comes to its end: with what it has done the next one begins."""
        while self.left and interrupted(Moment.drawn(self.dice)):
            self.left -= 1


WHOLE_FILES = """
    SELECT (SELECT count(*) FROM elasticc2_ppdbdiasource) = (SELECT count(*) FROM elasticc2_ppdbalert)
       AND (SELECT count(*) FROM elasticc2_ppdbdiaobject)
           = (SELECT coalesce(sum(cardinality(diaobject_ids)), 0) FROM elasticc2_loadnews)"""


@pytest.mark.parametrize("round_", ROUNDS)
def test_a_killed_loader_leaves_whole_files_and_goes_on(
    migrated_database: str, calm: Uninterrupted, dice: random.Random, tmp_path: Path, round_: int
) -> None:
    kills = Kills(dice)
    while kills.left:
        with copied(migrated_database, tmp_path) as tom:

            def interrupted(moment: Moment, tom: LocalTom = tom) -> bool:
                loader = tom.start(*calm.load)
                killed = moment.kill(loader, lambda: tom.counts("ppdbdiaobject")[0] / OBJECTS)
                assert tom.one(WHOLE_FILES)
                return killed

            kills.until_the_work_is_done(interrupted)
            tom.manage(*calm.load)
            assert contents(tom, LOADED) == calm.of(LOADED)
            tom.manage("doctor")


def workers(process: "subprocess.Popen[bytes]") -> list[int]:
    """The processes that it started."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(child) for child in children.read_text().split()]


def test_a_loader_whose_worker_is_killed_fails_and_goes_on_when_started_again(
    tom: LocalTom, calm: Uninterrupted, dice: random.Random
) -> None:
    loader = tom.start(*calm.load)
    wait_for(lambda: bool(tom.counts("ppdbdiaobject")[0]))
    os.kill(dice.choice(workers(loader)), signal.SIGKILL)
    assert loader.wait() == 1
    tom.manage(*calm.load)
    assert contents(tom, LOADED) == calm.of(LOADED)


def running(pids: list[int]) -> list[int]:
    return [pid for pid in pids if Path(f"/proc/{pid}").exists() and not is_zombie(pid)]


def is_zombie(pid: int) -> bool:
    return ") Z " in Path(f"/proc/{pid}/stat").read_text()


def test_workers_do_not_outlive_a_loader_that_is_killed_alone(tom: LocalTom, calm: Uninterrupted) -> None:
    loader = tom.start(*calm.load)
    wait_for(lambda: bool(tom.counts("ppdbdiaobject")[0]))
    left = workers(loader)
    loader.kill()
    loader.wait()
    wait_for(lambda: not running(left))
    tom.manage(*calm.load)
    assert contents(tom, LOADED) == calm.of(LOADED)


def test_a_loader_that_is_asked_to_stop_leaves_whole_files_and_says_so(
    tom: LocalTom, calm: Uninterrupted
) -> None:
    loader = tom.start(*calm.load)
    wait_for(lambda: bool(tom.counts("ppdbdiaobject")[0]))
    loader.terminate()
    assert loader.wait() == 128 + signal.SIGTERM
    assert tom.one(WHOLE_FILES)
    assert 0 < tom.counts("ppdbdiaobject")[0] < OBJECTS
    tom.manage(*calm.load)
    assert contents(tom, LOADED) == calm.of(LOADED)


@pytest.mark.parametrize("round_", ROUNDS)
def test_a_client_that_puts_again_what_was_not_answered_loses_nothing(
    calm: Uninterrupted, dice: random.Random, tmp_path: Path, round_: int
) -> None:
    kills = Kills(dice)
    while kills.left:
        with copied(calm.loaded, tmp_path) as tom:
            # One starts sooner than two.
            tom.settings["WEB_WORKERS"] = "1"
            putter = Putter(tom, calm.batches)

            def interrupted(moment: Moment, tom: LocalTom = tom, putter: Putter = putter) -> bool:
                with ThreadPoolExecutor(1) as pool:
                    putting = pool.submit(putter.put)
                    moment.wait(lambda: len(putter.answered) / len(putter.batches), putting.done)
                    tom.kill()
                putting.result()
                tom.serve()
                return len(putter.answered) < len(putter.batches)

            kills.until_the_work_is_done(interrupted)
            putter.until_all_is_answered()
            assert contents(tom, HEARD) == calm.of(HEARD)
            tom.manage("doctor")


@pytest.mark.parametrize("round_", ROUNDS)
def test_clients_and_readers_outlive_killed_web_workers(
    loaded_tom: LocalTom, calm: Uninterrupted, dice: random.Random, round_: int
) -> None:
    tom = loaded_tom
    putter = Putter(tom, calm.batches)
    readers = [Reader(client, calm) for client in logged_in(tom, "root", 2)]
    web = tom.web
    assert web
    with going_on(putter.again_and_again, *(reader.again_and_again for reader in readers), revealing(tom)):
        for _ in range(KILLS):
            time.sleep(dice.random() / 2)
            wait_for(lambda: bool(workers(web)))
            os.kill(dice.choice(workers(web)), signal.SIGKILL)
    assert web.poll() is None
    assert contents(tom, STORED) == calm.of(STORED)
    tom.manage("update_elasticc2_sources")
    check_all_is_revealed(tom, calm)


@pytest.mark.parametrize("round_", ROUNDS)
def test_a_killed_reveal_forgets_nothing_and_goes_on(
    calm: Uninterrupted, dice: random.Random, tmp_path: Path, round_: int
) -> None:
    sources = len(calm.messages) // 2
    kills = Kills(dice)
    while kills.left:
        with copied(calm.heard, tmp_path) as tom:

            def interrupted(moment: Moment, tom: LocalTom = tom) -> bool:
                revealing = start_shell(tom, REVEAL_IN_SMALL_CHUNKS)
                killed = moment.kill(revealing, lambda: tom.counts("diasource")[0] / sources)
                assert tom.one(HEARD_AND_FORGOTTEN) == 0
                return killed

            kills.until_the_work_is_done(interrupted)
            tom.manage("update_elasticc2_sources")
            check_all_is_revealed(tom, calm)


DIE_BEFORE_THE_MIRROR = """
import os
from django.core.management import call_command
from elasticc2 import reveal
reveal.clear_mirror = lambda: os.kill(os.getpid(), 9)
call_command("update_elasticc2_sources")"""


def test_a_reveal_killed_after_its_commit_leaves_the_mirror_to_the_next(
    heard_tom: LocalTom, calm: Uninterrupted
) -> None:
    tom = heard_tom
    assert start_shell(tom, DIE_BEFORE_THE_MIRROR).wait() == -signal.SIGKILL
    assert tom.counts("brokersourceids", "brokernews") == (len(calm.messages) // 2, 0)
    tom.manage("update_elasticc2_sources")
    check_all_is_revealed(tom, calm)

"""Knowing our processes again."""

import os
import re
import signal
import subprocess
import sys

import pytest

from localservers.processes import Children, birth, command_line, find, is_alive, stop, tied, wait_for_end

SLEEP = [sys.executable, "-c", "import time; print(flush=True); time.sleep(600)"]

# Starts another, tied to it, and says its number.
PARENT = f"""
import subprocess, time
from localservers.processes import tied
print(subprocess.Popen(tied({SLEEP!r}), stdout=subprocess.PIPE).pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def sleeper():
    with subprocess.Popen(SLEEP, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n"
        yield process
        process.kill()


@pytest.fixture
def children(tmp_path):
    return Children(tmp_path)


def test_a_stopped_process_is_gone(sleeper):
    assert is_alive(sleeper.pid)
    assert stop(sleeper.pid)
    assert not is_alive(sleeper.pid)


def test_a_process_that_nobody_reaped_is_not_alive():
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(process.pid)
    process.wait()


def test_a_process_is_known_by_its_command_line(sleeper):
    assert command_line(sleeper.pid) == " ".join(SLEEP)


def test_a_process_is_found_by_its_whole_command_line(sleeper):
    whole = re.escape(command_line(sleeper.pid))
    assert find(re.compile(whole, re.DOTALL)) == sleeper.pid
    assert find(re.compile(whole[1:], re.DOTALL)) is None


def test_a_zombie_is_not_found():
    zombie = subprocess.Popen(["sleep", "600.0625"])
    pattern = re.compile("sleep 600[.]0625")
    assert find(pattern) == zombie.pid
    zombie.kill()
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    assert find(pattern) is None
    zombie.wait()


def test_a_tied_process_ends_with_its_parent_that_is_killed():
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert is_alive(child)
        parent.send_signal(signal.SIGKILL)
        assert wait_for_end(child, seconds=60)


def test_a_tied_process_whose_parent_is_dead_already_does_not_start():
    command = tied(["echo", "started"])
    orphan = subprocess.Popen(["sleep", "600"])
    command[command.index(str(os.getpid()))] = str(orphan.pid)
    assert subprocess.run(command, stdout=subprocess.PIPE, check=False).stdout == b""
    orphan.kill()
    orphan.wait()


def test_a_tied_process_is_what_was_asked_for():
    with subprocess.Popen(tied(SLEEP), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n"
        assert command_line(process.pid) == " ".join(SLEEP)
        process.kill()


def test_children_of_a_killed_run_are_stopped_by_the_next(children, sleeper):
    children.record(sleeper.pid)
    children.stop_all()
    assert not is_alive(sleeper.pid)
    assert list(children.records.iterdir()) == []


def test_a_stranger_who_got_the_number_of_a_child_is_spared(children, sleeper):
    (children.records / str(sleeper.pid)).write_text("another birth")
    children.stop_all()
    assert is_alive(sleeper.pid)
    assert list(children.records.iterdir()) == []


def test_two_processes_differ_in_their_birth_or_their_number(sleeper):
    assert birth(sleeper.pid) != ""
    assert birth(2**31 - 1) == ""

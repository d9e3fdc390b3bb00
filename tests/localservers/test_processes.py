"""Knowing our processes again."""

import os
import subprocess
import sys

import pytest

from localservers.processes import Children, birth, command_line, is_alive, stop

SLEEP = [sys.executable, "-c", "import time; print(flush=True); time.sleep(600)"]


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

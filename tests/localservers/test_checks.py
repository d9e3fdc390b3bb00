"""The test run's own servers."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from localservers import LocalServerError, debian
from localservers.checks import Checks, Report, _left_out, _start_kafka, _tier, scratch_home
from localservers.home import CHECKOUT, Home
from localservers.kafka import Kafka
from localservers.postgres import Postgres
from localservers.processes import is_alive
from tests.localservers.conftest import outer_environment

KILLED_RUN = """
import os, signal
from localservers.checks import scratch_home
from localservers.home import Home
from localservers.postgres import Postgres
with scratch_home(Home.from_environment()) as scratch:
    Postgres("wheel", scratch, scratch=True).up()
    print(scratch.path, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_no_argument_means_the_full_tier():
    assert _tier([]) == ("full", [])


@pytest.mark.parametrize("tier", ["quick", "full", "soak"])
def test_a_tier_is_named_first_and_the_rest_is_for_pytest(tier):
    assert _tier([tier, "-x"]) == (tier, ["-x"])


def test_other_arguments_are_for_pytest_alone():
    assert _tier(["tests/test_spine.py", "-x"]) == (None, ["tests/test_spine.py", "-x"])


def test_one_failed_step_fails_the_run_and_is_named():
    report = Report()
    report.add("format", 0.1, 0)
    assert not report.failed
    report.add("types", 2.0, 1)
    assert report.failed
    assert "failed      2.0 s  types" in report.text()


def test_what_is_left_out_is_said_with_how_to_have_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    postgres, browser = _left_out("full", "wheel")
    assert postgres.startswith("Debian's PostgreSQL (")
    assert browser.startswith("browser tests (")
    assert _left_out("quick", "system") == []


def test_nothing_is_left_out_where_all_is_there(monkeypatch, tmp_path):
    (tmp_path / "chromium").touch(mode=0o755)
    monkeypatch.setattr(debian, "find_library", lambda name: f"lib{name}.so.1")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert _left_out("full", "system") == []


@pytest.fixture
def checks(home):
    """A run's beginning."""
    with scratch_home(home) as scratch:
        yield Checks(home, scratch)


@pytest.fixture
def system(monkeypatch, tmp_path):
    """Puts programs first on the path of a system that has Kafka's jars nowhere."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.delenv("TOM_KAFKA_JARS", raising=False)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(directory), prepend=os.pathsep)

    def put(name, script):
        (directory / name).write_text(f"#!/bin/sh\n{script}\n")
        (directory / name).chmod(0o755)

    return put


@pytest.mark.parametrize("needed", [True, False])
def test_kafkas_tests_are_left_out_where_there_is_no_java(checks, system, monkeypatch, needed):
    system("java", "exit 127")
    system("mvn", "")
    _start_kafka(checks, needed=needed)
    assert checks.report.notes == ["Kafka tests (root on Debian installs default-jre-headless)"]


def test_a_kafka_that_cannot_be_had_ends_those_tiers_only_that_need_it(checks, system):
    system("java", """echo 'openjdk version "17.0.1"' >&2""")
    system("mvn", "echo offline; exit 1")
    _start_kafka(checks, needed=False)
    (note,) = checks.report.notes
    assert "offline" in note
    with pytest.raises(LocalServerError, match="offline"):
        _start_kafka(checks, needed=True)


@pytest.mark.full
def test_a_run_has_a_kafka_of_its_own_and_leaves_none(home, kafka_jars, monkeypatch):
    monkeypatch.setenv("TOM_KAFKA_JARS", str(kafka_jars))
    monkeypatch.setenv("KAFKA_SERVER", "campaign:9092")
    with scratch_home(home) as scratch:
        checks = Checks(home, scratch)
        assert "KAFKA_SERVER" not in checks.environment("wheel")
        _start_kafka(checks, needed=True)
        assert checks.environment("wheel")["KAFKA_SERVER"] == checks.kafka.server
        pid = checks.kafka.pid
        assert pid is not None
    assert not is_alive(pid)
    assert list((home.path / "test").iterdir()) == []


@pytest.mark.full
def test_the_next_run_stops_the_kafka_of_a_killed_one(home, kafka_jars):
    left = Kafka(Home(home.directory("test", "run-killed")), jars=kafka_jars)
    left.up()
    with scratch_home(home):
        assert left.pid is None
        assert not left.home.path.exists()


def test_a_run_leaves_no_servers_and_no_files(home):
    with scratch_home(home) as scratch:
        server = Postgres("wheel", scratch, scratch=True)
        server.up()
        assert server.query("SHOW fsync") == "off"
        pid = server.pid
    assert pid is not None
    assert not Path("/proc", str(pid), "exe").exists()
    assert list((home.path / "test").iterdir()) == []


def test_a_run_spares_the_servers_of_another_that_runs(home):
    with scratch_home(home) as first, scratch_home(home) as second:
        assert first.path.exists()
        assert first.path != second.path


def test_the_next_run_stops_what_a_killed_run_left(home):
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_RUN],
        cwd=CHECKOUT,
        env=outer_environment(home),
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    left = Postgres("wheel", Home(Path(killed.stdout.strip())))
    assert left.is_ready()
    with scratch_home(home):
        assert not left.home.path.exists()
        assert left.pid is None

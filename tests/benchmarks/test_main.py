"""Whole runs, on a PostgreSQL of their own."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import NAMES
from localservers.home import CHECKOUT, Home
from tests.localservers.conftest import outer_environment

BENCH = [sys.executable, "-m", "localservers", "bench"]
GOALS = {
    "load": ">= 0.6",
    "assemble": ">= 4",
    "ingest": ">= 0.5 or 30,000",
    "ingest beside COPY": None,
    "ingest beside librdkafka": None,
    "ingest beside fastavro": None,
    "ingest by two pollers": ">= 1",
    "ingest, WAL": None,
    "send, a year": ">= 0.45 or 20,000",
    "send, one night": ">= 1",
    "reveal": "<= 1.2",
    "reveal, time": "<= 1",
    "put of 1000": ">= 0.2",
    "put of 1": ">= 1",
    "ltcv of 1": "<= 1",
    "ltcv of 1, 4 clients: p95/p50": "<= 1.5",
    "ltcv of 100": "<= 1",
    "ltcv of 100, 4 clients: p95/p50": "<= 1.5",
    "hot": "<= 2",
    "hot, memory after 10 calls": "<= 1",
}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.mark.full
def test_a_run_measures_everything_and_leaves_nothing_behind(
    home: Home, tmp_path: Path, kafka_jars: Path
) -> None:
    file = tmp_path / "results.json"
    command = [*BENCH, "--scale", "smoke", "--json", str(file)]
    env = outer_environment(home) | {"TOM_KAFKA_JARS": str(kafka_jars)}
    done = subprocess.run(command, cwd=CHECKOUT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    results = {result["name"]: result for result in json.loads(file.read_text())}
    assert {name: result["goal"] for name, result in results.items()} == GOALS
    assert all(result["limit"] > 0 for result in results.values())
    assert all(name in done.stdout for name in GOALS)
    assert list((home.path / "test").iterdir()) == []


@pytest.mark.full
def test_an_interrupted_run_takes_its_servers_with_it(home: Home) -> None:
    env = outer_environment(home) | {"PYTHONUNBUFFERED": "1"}
    run = subprocess.Popen(
        [*BENCH, "ltcv", "--scale", "smoke"], cwd=CHECKOUT, env=env, stdout=subprocess.PIPE
    )
    assert run.stdout is not None
    while b"a sky" not in run.stdout.readline():
        assert run.poll() is None
    run.send_signal(signal.SIGTERM)
    run.communicate()
    assert run.returncode == 130
    assert list((home.path / "test").iterdir()) == []


def test_an_unknown_name_is_refused_before_anything_starts(home: Home) -> None:
    command = [*BENCH, "everything"]
    done = subprocess.run(command, cwd=CHECKOUT, env=outer_environment(home), capture_output=True, text=True)
    assert done.returncode == 2
    assert all(name in done.stderr for name in NAMES)
    assert not home.path.exists()

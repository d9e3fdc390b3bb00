"""The demo, from nothing to light curves and nights that pass, and its end."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from localservers.home import CHECKOUT, Home
from localservers.kafka import Kafka
from localservers.postgres import Postgres
from tests.localservers.conftest import outer_environment
from tom_client import TomClient

SENT = "SELECT count(*) FROM elasticc2_ppdbalert WHERE alertsenttimestamp IS NOT NULL"
ANSWERS = "SELECT count(*) FROM elasticc2_brokermessage"


def log_of(home: Home) -> Path:
    return home.directory("logs") / "demo.log"


@contextmanager
def running_demo(
    home: Home, *arguments: str
) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[str], str]]]:
    """A demo, and how to wait until what it says matches."""
    log = log_of(home)
    with log.open("wb") as file:
        demo = subprocess.Popen(
            [sys.executable, "-m", "localservers", "demo", *arguments],
            cwd=CHECKOUT,
            env=outer_environment(home),
            stdout=file,
            stderr=file,
        )

    def wait_for(pattern: str) -> str:
        while not (found := re.search(pattern, log.read_text())):
            assert demo.poll() is None, log.read_text()
            time.sleep(0.1)
        return found[1]

    try:
        yield demo, wait_for
    finally:
        demo.send_signal(signal.SIGINT)
        demo.wait()


def nights_in(home: Home) -> list[int]:
    return [int(night) for night in re.findall(r"night of MJD (\d+): ", log_of(home).read_text())]


@pytest.mark.full
def test_a_newcomer_sees_a_light_curve_and_a_second_run_goes_on_from_there(home, door):
    with running_demo(home) as (demo, wait_for):
        wait_for("first light curve: (.*) [(]root, testing[)]")
        objectid = int(wait_for(r"one good object .*object/(\d+)"))
        address = wait_for("The TOM +(.*)/\n")
        tom = TomClient(url=address, username="root", password="testing")
        curve = tom.post("elasticc2/ltcv", json={"objectids": [objectid]}).json()["diaobject"][0]
        assert len(curve["photometry"]["mjd"]) > 50
        assert tom.get(f"elasticc2/object/{objectid}").status_code == 200
        assert int(wait_for(r"still to come: (\d+)")) > 60
        refused = door("demo")
        assert refused.returncode == 1
        assert f"a demo already runs below {home.path}: {address}/" in refused.stderr
    assert demo.returncode == 0
    assert not Postgres("wheel", home).is_ready()
    seen = nights_in(home)

    door("servers", "up")
    with running_demo(home) as (demo, wait_for):
        assert int(wait_for(r"one good object .*object/(\d+)")) == objectid
        assert int(wait_for(r"night of MJD (\d+): \d+ alerts, ")) > max(seen, default=0)
        assert "the survey loaded" not in log_of(home).read_text()
    assert demo.returncode == 0
    assert Postgres("wheel", home).is_ready()

    refused = door("demo", "--objects", "700")
    assert refused.returncode == 1
    assert "has a sky of 500 objects, not 700" in refused.stderr
    assert Postgres("wheel", home).is_ready()


@pytest.mark.full
def test_a_demo_through_kafka_goes_on_where_it_was_stopped_and_leaves_no_kafka(home, kafka_jars, monkeypatch):
    monkeypatch.setenv("TOM_KAFKA_JARS", str(kafka_jars))
    kafka, postgres = Kafka(home), Postgres("wheel", home)
    with running_demo(home, "--kafka", "--objects", "40") as (demo, wait_for):
        wait_for("first light curve: (.*) [(]root, testing[)]")
        assert kafka.is_ready()
    assert demo.returncode == 0
    assert kafka.pid is None

    with running_demo(home, "--kafka") as (demo, wait_for):
        wait_for("(night of MJD .*: .* alerts, .* new objects; .* hot)")
        assert f"Kafka              {kafka.server}: alerts-wfd, " in log_of(home).read_text()
        sent, answers = (int(postgres.query(sql, database="tom_demo")) for sql in (SENT, ANSWERS))
        assert sent > 0
        assert answers >= 2 * sent
    assert demo.returncode == 0
    assert kafka.pid is None
    assert not postgres.is_ready()


@pytest.mark.parametrize("objects", ["9", "-500", "many", "1e3"])
def test_a_number_of_objects_that_is_none_or_too_small_is_refused(door, objects):
    refused = door("demo", f"--objects={objects}")
    assert refused.returncode == 2
    assert f"{objects} is not a number of at least 10" in refused.stderr

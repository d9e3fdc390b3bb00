"""The demo, from nothing to light curves, and its end."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from localservers.demo import Demo, State, last_line, mjd_now
from localservers.home import CHECKOUT, Home
from localservers.postgres import Postgres
from localservers.processes import Children
from tests.localservers.conftest import outer_environment
from tom_client import TomClient


@contextmanager
def running_demo(home: Home) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[str], str]]]:
    """A demo, and how to wait until what it says matches."""
    log = home.directory("logs") / "demo.log"
    with log.open("wb") as file:
        demo = subprocess.Popen(
            [sys.executable, "-m", "localservers", "demo"],
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


@pytest.mark.full
def test_a_newcomer_sees_a_light_curve_and_a_second_run_reuses_it(home, door):
    with running_demo(home) as (demo, wait_for):
        wait_for("first light curve: (.*) [(]root, testing[)]")
        objectid = int(wait_for(r"one good object .*object/(\d+)"))
        address = wait_for("The TOM +(.*)/\n")
        tom = TomClient(url=address, username="root", password="testing")
        curve = tom.post("elasticc2/ltcv", json={"objectids": [objectid]}).json()["diaobject"][0]
        assert len(curve["photometry"]["mjd"]) > 50
        assert tom.get(f"elasticc2/object/{objectid}").status_code == 200
        refused = door("demo")
        assert refused.returncode == 1
        assert f"a demo already runs below {home.path}: {address}/" in refused.stderr
    assert demo.returncode == 0
    assert not Postgres("wheel", home).is_ready()

    door("servers", "up")
    with running_demo(home) as (demo, wait_for):
        assert int(wait_for(r"one good object .*object/(\d+)")) == objectid
        assert "the survey loaded" not in (home.path / "logs" / "demo.log").read_text()
    assert demo.returncode == 0
    assert Postgres("wheel", home).is_ready()


def test_how_far_a_demo_came_is_kept_with_its_database(home):
    server = Postgres("wheel", home, scratch=True)
    demo = Demo(server, Children(home.directory("children")))
    server.up(database="tom_demo")
    try:
        assert not State.of(demo).loaded
        State(last_mjd=61000.25, loaded=True).save(demo)
        assert State.of(demo) == State(last_mjd=61000.25, loaded=True)
        server.query("DROP DATABASE tom_demo")
        server.up(database="tom_demo")
        assert not State.of(demo).loaded
    finally:
        server.down()


def test_progress_shows_what_a_command_said_last(tmp_path: Path):
    log = tmp_path / "log"
    log.write_text("one\ntwo 10%\rtwo 20%\n\n")
    assert last_line(log) == "two 20%"
    log.write_text("")
    assert last_line(log) == ""


def test_the_survey_ends_now():
    assert abs(mjd_now() - (time.time() / 86400 + 40587)) < 0.01

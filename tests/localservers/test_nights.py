"""The nights that pass after the demo's farewell, on a small survey of their own."""

import io
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from localservers import nights
from localservers.answering import RestBrokers
from localservers.demo import start_web
from localservers.home import Home
from localservers.postgres import Postgres
from localservers.processes import Children
from localservers.progress import Progress
from localservers.run import DATABASE, Command, Demo
from localservers.serve import url
from localservers.survey import State, load, simulation

pytestmark = pytest.mark.full

OBJECTS = "SELECT count(*) FROM elasticc2_diaobject"
NOWHERE = "http://127.0.0.1:1"


class Listener(io.StringIO):
    """Ends the "web server" when something was said so many times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times
        self.web = subprocess.Popen(["sleep", "infinity"])

    def write(self, text: str) -> int:
        self.times -= 1
        if not self.times:
            self.web.terminate()
            self.web.wait()
        return super().write(text)


@dataclass
class Playing:
    """A demo in the midst of its nights."""

    demo: Demo
    url: str

    @property
    def brokers(self) -> RestBrokers:
        return RestBrokers(self.demo, self.url)

    def go_on(self, *, times: int = 1, url: str = "") -> str:
        """What is said until the web server ends, which is after so many sayings."""
        said = Listener(times)
        demo = Demo(self.demo.server, self.demo.children, Progress(said))
        brokers = RestBrokers(demo, url or self.url)
        nights.go_on(demo, brokers=brokers, web=Command(said.web, demo.home.path / "no.log"))
        assert said.web.poll() is not None
        return said.getvalue()

    def unsent(self, through: object = "Infinity") -> int:
        return int(
            self.demo.query(
                "SELECT count(*) FROM elasticc2_ppdbalert JOIN elasticc2_ppdbdiasource USING (diasource_id)"
                f" WHERE alertsenttimestamp IS NULL AND midpointtai <= {through}::float8"
            )
        )


@pytest.fixture(scope="module")
def playing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Playing]:
    home = Home(Path(tmp_path_factory.mktemp("nights")) / "home")
    demo = Demo(Postgres("wheel", home, scratch=True), Children(home.directory("children")))
    demo.server.up(database=DATABASE)
    try:
        state = State.of(demo, objects=12)
        survey = simulation(demo, state)
        demo.run("tables", "migrate", "--no-input")
        demo.run("accounts", "bootstrap", "--test-accounts")
        load(demo, state, survey)
        demo.run("clock", "campaign", "elasticc2", "--clock", "sent")
        port, _ = start_web(demo)
        yield Playing(demo, url(port))
    finally:
        demo.children.stop_all(signals=((signal.SIGINT, 5.0),))
        demo.server.down()


def test_a_night_goes_from_noon_to_noon_and_says_what_it_brought(playing):
    night = nights.next_night(playing.demo)
    left = int(playing.demo.query(nights.LEFT))
    alerts = playing.unsent(f"{night} + 0.5")
    assert alerts > 0
    assert nights.passed(playing.demo, night, brokers=playing.brokers).startswith(
        f"{alerts} alerts, 1 new objects; "
    )
    assert playing.unsent(f"{night} + 0.5") == 0
    assert int(nights.next_night(playing.demo)) > int(night)
    assert int(playing.demo.query(nights.LEFT)) == left - 1
    assert f"still to come: {left - 1}." in nights.outlook(playing.demo)


def test_new_objects_are_those_first_seen_in_that_night(playing):
    for _ in range(3):
        before = int(playing.demo.query(OBJECTS))
        said = nights.passed(playing.demo, nights.next_night(playing.demo), brokers=playing.brokers)
        assert f" alerts, {int(playing.demo.query(OBJECTS)) - before} new objects; " in said


def test_a_night_that_fails_is_said_and_tried_again(playing, monkeypatch):
    monkeypatch.setattr(nights, "SECONDS_A_NIGHT", 0.0)
    night = nights.next_night(playing.demo)
    said = playing.go_on(times=2, url=NOWHERE).splitlines()
    assert len(said) == 2
    assert all(
        line.startswith(f"  night of MJD {night} failed, the next minute tries again: ") for line in said
    )
    assert nights.next_night(playing.demo) == night


def test_one_night_passes_a_minute_until_the_web_server_ends(playing):
    night = nights.next_night(playing.demo)
    said = playing.go_on()
    assert re.fullmatch(rf"  night of MJD {night}: \d+ alerts, \d+ new objects; \d+ hot\n", said)
    assert int(nights.next_night(playing.demo)) > int(night)


def test_a_night_that_was_answered_only_is_revealed_by_the_next_run(playing):
    night = nights.next_night(playing.demo)
    playing.brokers.answer_silently(through=night + ".5")
    assert playing.demo.query(nights.UNREVEALED) != "0"
    nights.finish_what_was_begun(playing.demo)
    assert playing.demo.query(nights.UNREVEALED) == "0"


def test_after_the_last_night_the_web_server_goes_on(playing):
    playing.demo.query("UPDATE elasticc2_ppdbalert SET alertsenttimestamp = now()")
    said = playing.go_on()
    assert "The survey's last night has passed" in said
    assert "dropdb tom_demo && ./tom demo" in said
    assert nights.outlook(playing.demo) == ""

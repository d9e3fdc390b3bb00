"""What the demo's commands say."""

from pathlib import Path

import pytest

from localservers import LocalServerError
from localservers.postgres import Postgres
from localservers.processes import Children
from localservers.run import Demo, last_line


def test_progress_shows_what_a_command_said_last(tmp_path: Path):
    log = tmp_path / "log"
    log.write_text("one\ntwo 10%\rtwo 20%\n\n")
    assert last_line(log) == "two 20%"
    log.write_text("")
    assert last_line(log) == ""


@pytest.fixture
def demo(home):
    server = Postgres("wheel", home, scratch=True)
    server.up(database="tom_demo")
    yield Demo(server, Children(home.directory("children")))
    server.down()


def test_a_silent_command_that_fails_says_its_last_word_and_where_the_rest_is(demo, capfd):
    with pytest.raises(LocalServerError, match=r"no_such: Type 'manage.py help' for usage.*demo-no_such.log"):
        demo.run_silently("no_such")
    demo.run_silently("version")
    assert capfd.readouterr() == ("", "")

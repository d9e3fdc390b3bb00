"""The demo's survey: its dates, its size, and what the database remembers of it."""

import time
from collections.abc import Iterator

import pytest

from localservers import LocalServerError
from localservers.postgres import Postgres
from localservers.processes import Children
from localservers.run import Demo
from localservers.survey import DAYS_TO_COME, SEASON_DAYS, State, arguments, tonight


@pytest.fixture
def demo(home) -> Iterator[Demo]:
    server = Postgres("wheel", home, scratch=True)
    server.up(database="tom_demo")
    yield Demo(server, Children(home.directory("children")))
    server.down()


def test_how_far_a_demo_came_is_kept_with_its_database(demo):
    assert not State.of(demo).loaded
    came = State(last_mjd=61000.4, objects=700, loaded=True, good_object="7")
    came.save(demo)
    assert State.of(demo) == State.of(demo, objects=700) == came
    demo.server.query("DROP DATABASE tom_demo")
    demo.server.up(database="tom_demo")
    assert State.of(demo) == State(last_mjd=tonight() + DAYS_TO_COME)


def test_a_sky_of_another_size_is_refused_and_the_ways_out_are_told(demo):
    State(last_mjd=61000.4, objects=700).save(demo)
    with pytest.raises(LocalServerError) as refused:
        State.of(demo, objects=2000)
    said = str(refused.value)
    assert f"the demo below {demo.home.path} has a sky of 700 objects, not 2000" in said
    assert "TOM_HOME=ANOTHER_DIRECTORY ./tom demo --objects 2000" in said
    assert "dropdb tom_demo && ./tom demo --objects 2000" in said


def test_a_sky_of_any_size_may_be_asked_for_before_there_is_one(demo):
    assert State.of(demo, objects=2000).objects == 2000


def test_tonight_is_the_last_night_that_is_over():
    now = time.time() / 86400 + 40587
    assert 0 <= now - tonight() < 1.01
    assert abs(tonight() % 1 - 0.4) < 1e-6


def test_the_survey_goes_on_after_tonight():
    state = State(last_mjd=tonight() + DAYS_TO_COME)
    assert abs(state.noon - tonight() - 0.1) < 1e-6
    first, last = (
        float(arguments(state)[arguments(state).index(name) + 1]) for name in ("--first-mjd", "--last-mjd")
    )
    assert last - state.noon > 60
    assert abs(state.noon - first - SEASON_DAYS) < 1

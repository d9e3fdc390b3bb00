"""What the tests of crashes share: the undisturbed run, copies of its databases, and dice.

Moments are drawn from a seed that is new each time; a failure shows it, and TOM_CRASH_SEED draws the same
moments again.
"""

import os
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import drop_database, template_database
from tests.crashes.calm import (
    HEARD,
    LOADED,
    OBJECTS,
    REVEALED,
    Uninterrupted,
    answers,
    contents,
    copied,
    database,
)
from tests.crashes.clients import Putter
from tests.crashes.servers import Database, Streams, own_database, own_streams
from tests.localtom import LocalTom, database_name
from tom_desc.snana.simulate import simulate_survey

SEED = int(os.environ.get("TOM_CRASH_SEED", random.SystemRandom().randrange(10**6)))

POINTS = """
    SELECT f.diaobject_id, array_agg(f.midpointtai ORDER BY f.midpointtai, f.diaforcedsource_id)
    FROM elasticc2_diaforcedsource f GROUP BY f.diaobject_id"""
DETECTIONS = "SELECT diaobject_id, array_agg(midpointtai) FROM elasticc2_diasource GROUP BY diaobject_id"


@pytest.fixture(scope="session")
def calm(migrated_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Uninterrupted]:
    directory = tmp_path_factory.mktemp("calm")
    survey = simulate_survey(
        directory / "survey", objects=OBJECTS, seed=3, last_mjd=61000.7, ddf_fraction=0, files_per_model=2
    )
    run = Uninterrupted(survey, loaded=database_name("loaded"), heard=database_name("heard"))
    with database(run.loaded, template=migrated_database, directory=directory) as tom:
        tom.manage(*run.load)
        run.messages = answers(tom)
        run.contents |= contents(tom, LOADED)
    with database(run.heard, template=run.loaded, directory=directory) as tom:
        Putter(tom, run.batches).until_all_is_answered()
        run.contents |= contents(tom, HEARD)
    with database(database_name("revealed"), template=run.heard, directory=directory) as tom:
        tom.manage("update_elasticc2_sources")
        run.contents |= contents(tom, REVEALED)
        run.points = dict(tom.sql(POINTS))
        run.detections = {objectid: set(mjds) for objectid, mjds in tom.sql(DETECTIONS)}
        drop_later = tom.settings["DB_NAME"]
    yield run
    for name in (run.loaded, run.heard, drop_later):
        drop_database(name)


@pytest.fixture
def loaded_tom(calm: Uninterrupted, tmp_path: Path) -> Iterator[LocalTom]:
    with copied(calm.loaded, tmp_path) as tom:
        yield tom


@pytest.fixture
def heard_tom(calm: Uninterrupted, tmp_path: Path) -> Iterator[LocalTom]:
    with copied(calm.heard, tmp_path) as tom:
        yield tom


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A PostgreSQL of the module's own; whatever starts meanwhile works on it."""
    with own_database(tmp_path_factory.mktemp("postgres")) as postgres:
        yield postgres


@pytest.fixture(scope="module")
def streams(kafka_jars: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Streams]:
    """A Kafka of the module's own."""
    with own_streams(tmp_path_factory.mktemp("streams"), kafka_jars) as streams:
        yield streams


@pytest.fixture(scope="module")
def migrated_here(postgres: Database) -> Iterator[str]:
    with template_database() as name:
        yield name


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Say something at once, in spite of pytest."""

    def say(text: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{text}")
            sys.stdout.flush()

    return say


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> random.Random:
    sys.stdout.write(f"TOM_CRASH_SEED={SEED}\n")
    return random.Random(f"{SEED} {request.node.name}")

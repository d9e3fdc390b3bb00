"""kill -9 at any moment, and everybody at once: nothing lost, nothing twice.

Everything here runs on a small simulated survey, so that the real data need not be there. Moments are drawn
from a seed that is new each time; a failure shows it, and TOM_CRASH_SEED draws the same moments again.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import requests

from tests.conftest import create_database, drop_database
from tests.localtom import LocalTom, database_name
from tom_client import TomClient
from tom_desc.snana.simulate import simulate_survey
from tom_desc.streams.fakebroker import NUGENT, RANDOM_SN_TYPE

pytestmark = pytest.mark.full

PAGE = "elasticc2/brokermessage/"
BATCH = 50
PUBLISHED_MS = 1_700_000_000_000
SEED = int(os.environ.get("TOM_CRASH_SEED", random.SystemRandom().randrange(10**6)))

# How many kills one run has to survive.
OFTEN = [3, pytest.param(25, marks=pytest.mark.soak)]

PPDB = ("ppdbdiaobject", "ppdbdiasource", "ppdbdiaforcedsource", "ppdbalert", "diaobjecttruth")
# Ids that count up are not the same in two runs; what they stand for is.
LOADED = {f"elasticc2_{table}": "*" for table in PPDB} | {
    "elasticc2_loadnews, unnest(diaobject_ids) AS diaobject_id": "diaobject_id"
}
CLASSIFIER_NAMES = "brokername, brokerversion, classifiername, classifierparams"
HEARD = {
    "elasticc2_brokerclassifier": CLASSIFIER_NAMES,
    "elasticc2_brokermessage JOIN elasticc2_brokerclassifier USING (classifier_id)": (
        f"diasource_id, alert_id, streammessage_id, topicname, msghdrtimestamp, elasticcpublishtimestamp,"
        f" brokeringesttimestamp, classid, probability, {CLASSIFIER_NAMES}"
    ),
    "elasticc2_brokersourceids": "*",
    "(SELECT DISTINCT unnest(diasource_ids) FROM elasticc2_brokernews) news": "*",
}
INFO = ", ".join(
    f"{group}_id, {group}flux, {group}fluxerr, {group}mjd"
    for group in ("firstsource", "maxforcedsource", "latestsource", "latestforcedsource")
)
REVEALED = {f"elasticc2_{table}": "*" for table in ("diaobject", "diasource", "diaforcedsource")} | {
    "elasticc2_diaobjectinfo": f"diaobject_id, filtername, {INFO}",
    "elasticc2_diaobjectclassification JOIN elasticc2_brokerclassifier USING (classifier_id)": (
        "diaobject_id, classifiername, latestclass1id, latestclass2id, latestclass3id, latestclass4id,"
        " latestclass1prob, latestclass2prob, latestclass3prob, latestclass4prob"
    ),
}

Tables = dict[str, str]
Contents = dict[str, tuple[int, str]]


def contents(tom: LocalTom, tables: Tables) -> Contents:
    """How many rows each table has, and a digest of them."""
    return {
        table: (tom.one(f"SELECT count(*) FROM {table}"), tom.contents(table, columns))
        for table, columns in tables.items()
    }


@dataclass
class Uninterrupted:
    """A run that nobody disturbed: its databases after loading and after hearing, and what all came to."""

    survey: list[Path]
    loaded: str
    heard: str
    messages: list[dict[str, Any]] = field(default_factory=list)
    contents: Contents = field(default_factory=dict)

    def of(self, tables: Tables) -> Contents:
        return {table: self.contents[table] for table in tables}

    @property
    def load(self) -> list[object]:
        """The loader's command line: three worker processes."""
        return ["load_snana_fits", "--ppdb", "--do", "-n", 3, "-d", *self.survey]


@pytest.fixture(scope="module")
def calm(migrated_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Uninterrupted]:
    directory = tmp_path_factory.mktemp("calm")
    survey = simulate_survey(
        directory / "survey", objects=60, seed=3, last_mjd=61000.7, ddf_fraction=0, files_per_model=2
    )
    run = Uninterrupted(survey, loaded=database_name("loaded"), heard=database_name("heard"))
    with database(run.loaded, template=migrated_database, directory=directory) as tom:
        tom.manage(*run.load)
        run.messages = answers(tom)
        run.contents |= contents(tom, LOADED)
    with database(run.heard, template=run.loaded, directory=directory) as tom:
        Putter(tom, batches(run.messages)).until_all_is_answered()
        run.contents |= contents(tom, HEARD)
    with database(database_name("revealed"), template=run.heard, directory=directory) as tom:
        tom.manage("update_elasticc2_sources")
        run.contents |= contents(tom, REVEALED)
        drop_later = tom.settings["DB_NAME"]
    yield run
    for name in (run.loaded, run.heard, drop_later):
        drop_database(name)


def database(name: str, *, template: str, directory: Path) -> LocalTom:
    create_database(name, template=template)
    return LocalTom(name, directory)


@contextmanager
def copied(template: str, directory: Path) -> Iterator[LocalTom]:
    """A TOM on a copy of a database."""
    name = database_name("copy")
    with database(name, template=template, directory=directory) as tom:
        yield tom
    drop_database(name)


@pytest.fixture
def loaded_tom(calm: Uninterrupted, tmp_path: Path) -> Iterator[LocalTom]:
    with copied(calm.loaded, tmp_path) as tom:
        yield tom


@pytest.fixture
def heard_tom(calm: Uninterrupted, tmp_path: Path) -> Iterator[LocalTom]:
    with copied(calm.heard, tmp_path) as tom:
        yield tom


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> random.Random:
    sys.stdout.write(f"TOM_CRASH_SEED={SEED}\n")
    return random.Random(f"{SEED} {request.node.name}")


def answers(tom: LocalTom) -> list[dict[str, Any]]:
    """What two classifiers say of every second alert."""
    sources = tom.sql("SELECT diasource_id FROM elasticc2_ppdbdiasource ORDER BY midpointtai")[::2]
    return [
        classifier.answer(
            alert_id=source, diasource_id=source, published_ms=PUBLISHED_MS, now_ms=PUBLISHED_MS
        )
        for (source,) in sources
        for classifier in (NUGENT, RANDOM_SN_TYPE)
    ]


Batches = list[list[dict[str, Any]]]


def batches(messages: list[dict[str, Any]]) -> Batches:
    return [messages[start : start + BATCH] for start in range(0, len(messages), BATCH)]


class Putter:
    """Three clients that share the batches to PUT, and remember which were answered."""

    def __init__(self, tom: LocalTom, batches: Batches) -> None:
        self.batches = batches
        self.answered: dict[int, dict[str, Any]] = {}
        self.clients = [tom.client("apibroker") for _ in range(3)]

    def put(self) -> None:
        """PUT what was not answered yet; a client that gets no answer stops."""
        waiting = [number for number in range(len(self.batches)) if number not in self.answered]
        with ThreadPoolExecutor(len(self.clients)) as pool:
            list(pool.map(self.put_share, self.clients, (waiting[start::3] for start in range(3))))

    def put_share(self, client: TomClient, numbers: list[int]) -> None:
        for number in numbers:
            try:
                answer = client.put(PAGE, json=self.batches[number])
            except requests.RequestException:
                return
            assert answer.status_code == 201, answer.text
            self.answered[number] = answer.json()

    def until_all_is_answered(self) -> None:
        while len(self.answered) < len(self.batches):
            self.put()


def wait_for(what: Callable[[], bool]) -> None:
    while not what():
        time.sleep(0.005)


@dataclass
class Moment:
    """When to kill: once this part of the work that is left can be seen to be done, and a little later."""

    part: float
    later: float

    def wait(self, progress: Callable[[], float], ended: Callable[[], bool]) -> None:
        before = progress()
        wait_for(lambda: ended() or progress() - before > self.part * (1 - before))
        time.sleep(self.later)

    def kill(self, process: "subprocess.Popen[bytes]", progress: Callable[[], float]) -> bool:
        """kill -9 of a process and all it started; whether it had not come to its end before."""
        self.wait(progress, lambda: process.poll() is not None)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        return process.wait() == -signal.SIGKILL


def moments(dice: random.Random, count: int) -> list[Moment]:
    return [Moment(part=dice.random() / 2, later=dice.random() / 50) for _ in range(count)]


WHOLE_FILES = """
    SELECT (SELECT count(*) FROM elasticc2_ppdbdiasource) = (SELECT count(*) FROM elasticc2_ppdbalert)
       AND (SELECT count(*) FROM elasticc2_ppdbdiaobject)
           = (SELECT coalesce(sum(cardinality(diaobject_ids)), 0) FROM elasticc2_loadnews)"""


@pytest.mark.parametrize("kills", OFTEN)
def test_a_killed_loader_leaves_whole_files_and_goes_on(
    tom: LocalTom, calm: Uninterrupted, dice: random.Random, kills: int
) -> None:
    killed = []
    for moment in moments(dice, kills):
        killed.append(moment.kill(tom.start(*calm.load), lambda: tom.counts("ppdbdiaobject")[0] / 60))
        assert tom.one(WHOLE_FILES)
    assert any(killed)
    tom.manage(*calm.load)
    assert contents(tom, LOADED) == calm.of(LOADED)


def workers(process: "subprocess.Popen[bytes]") -> list[int]:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(child) for child in children.read_text().split()]


def test_a_loader_whose_worker_is_killed_fails_and_goes_on_when_started_again(
    tom: LocalTom, calm: Uninterrupted, dice: random.Random
) -> None:
    loader = tom.start(*calm.load)
    wait_for(lambda: bool(tom.counts("ppdbdiaobject")[0]))
    os.kill(dice.choice(workers(loader)), signal.SIGKILL)
    assert loader.wait() == 1
    tom.manage(*calm.load)
    assert contents(tom, LOADED) == calm.of(LOADED)


def running(pids: list[int]) -> list[int]:
    return [pid for pid in pids if Path(f"/proc/{pid}").exists() and not is_zombie(pid)]


def is_zombie(pid: int) -> bool:
    return ") Z " in Path(f"/proc/{pid}/stat").read_text()


def test_workers_do_not_outlive_a_loader_that_is_killed_alone(tom: LocalTom, calm: Uninterrupted) -> None:
    loader = tom.start(*calm.load)
    wait_for(lambda: bool(tom.counts("ppdbdiaobject")[0]))
    left = workers(loader)
    loader.kill()
    loader.wait()
    wait_for(lambda: not running(left))
    tom.manage(*calm.load)
    assert contents(tom, LOADED) == calm.of(LOADED)


def test_a_loader_that_is_asked_to_stop_leaves_whole_files_and_says_so(
    tom: LocalTom, calm: Uninterrupted
) -> None:
    loader = tom.start(*calm.load)
    wait_for(lambda: bool(tom.counts("ppdbdiaobject")[0]))
    loader.terminate()
    assert loader.wait() == 128 + signal.SIGTERM
    assert tom.one(WHOLE_FILES)
    assert 0 < tom.counts("ppdbdiaobject")[0] < 60
    tom.manage(*calm.load)
    assert contents(tom, LOADED) == calm.of(LOADED)


@pytest.mark.parametrize("kills", OFTEN)
def test_a_client_that_puts_again_what_was_not_answered_loses_nothing(
    loaded_tom: LocalTom, calm: Uninterrupted, dice: random.Random, kills: int
) -> None:
    tom = loaded_tom
    putter = Putter(tom, batches(calm.messages))
    interrupted = []
    for moment in moments(dice, kills):
        with ThreadPoolExecutor(1) as pool:
            putting = pool.submit(putter.put)
            moment.wait(lambda: len(putter.answered) / len(putter.batches), putting.done)
            tom.kill()
        putting.result()
        interrupted.append(len(putter.answered) < len(putter.batches))
        tom.serve()
    assert any(interrupted)
    putter.until_all_is_answered()
    assert contents(tom, HEARD) == calm.of(HEARD)


# The same command with little work in each transaction, so that there are many.
REVEAL_IN_SMALL_CHUNKS = """
from django.core.management import call_command
from elasticc2 import reveal
reveal.AT_ONCE = 50
call_command("update_elasticc2_sources")"""
HEARD_AND_FORGOTTEN = """
    SELECT count(*) FROM elasticc2_brokermessage m
    WHERE NOT EXISTS (SELECT FROM elasticc2_diasource s WHERE s.diasource_id = m.diasource_id)
      AND diasource_id NOT IN (SELECT unnest(diasource_ids) FROM elasticc2_brokernews)"""


def start_shell(tom: LocalTom, program: str) -> "subprocess.Popen[bytes]":
    return tom.start("shell", "--verbosity", 0, "--command", program)


def check_all_is_revealed(tom: LocalTom, calm: Uninterrupted) -> None:
    """Nothing waits any more, and all came out as if nothing had happened."""
    assert tom.counts("brokernews", "loadnews", "brokersourceids", "unknownsource") == (0, 0, 0, 0)
    assert tom.one(HEARD_AND_FORGOTTEN) == 0
    assert contents(tom, REVEALED) == calm.of(REVEALED)


@pytest.mark.parametrize("kills", OFTEN)
def test_a_killed_reveal_forgets_nothing_and_goes_on(
    heard_tom: LocalTom, calm: Uninterrupted, dice: random.Random, kills: int
) -> None:
    tom = heard_tom
    sources = len(calm.messages) // 2
    killed = []
    for moment in moments(dice, kills):
        revealing = start_shell(tom, REVEAL_IN_SMALL_CHUNKS)
        killed.append(moment.kill(revealing, lambda: tom.counts("diasource")[0] / sources))
        assert tom.one(HEARD_AND_FORGOTTEN) == 0
    assert any(killed)
    tom.manage("update_elasticc2_sources")
    check_all_is_revealed(tom, calm)


DIE_BEFORE_THE_MIRROR = """
import os
from django.core.management import call_command
from elasticc2 import reveal
reveal.clear_mirror = lambda: os.kill(os.getpid(), 9)
call_command("update_elasticc2_sources")"""


def test_a_reveal_killed_after_its_commit_leaves_the_mirror_to_the_next(
    heard_tom: LocalTom, calm: Uninterrupted
) -> None:
    tom = heard_tom
    assert start_shell(tom, DIE_BEFORE_THE_MIRROR).wait() == -signal.SIGKILL
    assert tom.counts("brokersourceids", "brokernews") == (len(calm.messages) // 2, 0)
    tom.manage("update_elasticc2_sources")
    check_all_is_revealed(tom, calm)


def test_two_loaders_of_the_same_files_load_each_once(tom: LocalTom, calm: Uninterrupted) -> None:
    loaders = [tom.start(*calm.load) for _ in range(2)]
    assert [loader.wait() for loader in loaders] == [0, 0]
    assert contents(tom, LOADED) == calm.of(LOADED)


def test_the_same_messages_from_four_clients_are_stored_once_while_reveal_runs(
    loaded_tom: LocalTom, calm: Uninterrupted, dice: random.Random
) -> None:
    tom = loaded_tom

    def put_all(client: TomClient, shuffled: list[dict[str, Any]]) -> list[requests.Response]:
        return [client.put(PAGE, json=batch) for batch in batches(shuffled)]

    clients = [tom.client("apibroker") for _ in range(4)]
    orders = [dice.sample(calm.messages, len(calm.messages)) for _ in clients]
    with ThreadPoolExecutor(len(clients)) as pool:
        putting = [pool.submit(put_all, *both) for both in zip(clients, orders, strict=True)]
        while not all(future.done() for future in putting):
            tom.manage("update_elasticc2_sources")
    responses = [response for future in putting for response in future.result()]
    assert {response.status_code for response in responses} == {201}
    assert sum(response.json()["num_loaded"] for response in responses) == len(calm.messages)
    tom.manage("update_elasticc2_sources")
    stored = dict(list(HEARD.items())[:2])
    assert contents(tom, stored) == calm.of(stored)
    check_all_is_revealed(tom, calm)


PPDB_IN_ORDER = ("ppdbdiaobject", "ppdbdiasource", "ppdbdiaforcedsource", "ppdbalert")


def unload(tom: LocalTom, objectid: int) -> None:
    """Put the survey's rows of an object aside."""
    for table in reversed(PPDB_IN_ORDER):
        rows = f"FROM elasticc2_{table} WHERE diaobject_id = {objectid}"
        tom.sql(f"CREATE TABLE aside_{table} AS SELECT * {rows}")
    tom.sql("DELETE FROM elasticc2_diaobjecttruth WHERE diaobject_id = %s", objectid)
    for table in reversed(PPDB_IN_ORDER):
        tom.sql(f"DELETE FROM elasticc2_{table} WHERE diaobject_id = {objectid}")


def load_again(tom: LocalTom, objectid: int) -> None:
    """In one transaction, as the loader does."""
    inserts = [f"INSERT INTO elasticc2_{table} SELECT * FROM aside_{table}" for table in PPDB_IN_ORDER]
    news = f"INSERT INTO elasticc2_loadnews (diaobject_ids) VALUES ('{{{objectid}}}')"
    tom.sql("; ".join([*inserts, news]))


WAITING = """
    SELECT EXISTS (SELECT FROM pg_stat_activity
                   WHERE datname = current_database() AND wait_event_type = 'Lock')"""


def test_what_is_loaded_in_the_midst_of_a_reveal_is_revealed_by_the_next(
    heard_tom: LocalTom, calm: Uninterrupted
) -> None:
    """Between the statement that brings objects and the one that brings their sources."""
    tom = heard_tom
    known, late = (row[0] for row in tom.sql(TWO_OBJECTS))
    unload(tom, late)
    blocker = psycopg2.connect(tom.connection.dsn, password=os.environ["DB_PASS"])
    with blocker.cursor() as cursor:
        cursor.execute(
            "INSERT INTO elasticc2_diaobject SELECT * FROM elasticc2_ppdbdiaobject WHERE diaobject_id = %s",
            (known,),
        )
        revealing = tom.start("update_elasticc2_sources")
        wait_for(lambda: tom.one(WAITING) or revealing.poll() is not None)
        load_again(tom, late)
    blocker.close()
    assert revealing.wait() == 0
    tom.manage("update_elasticc2_sources")
    check_all_is_revealed(tom, calm)


TWO_OBJECTS = """
    SELECT diaobject_id FROM elasticc2_ppdbdiasource JOIN elasticc2_brokersourceids USING (diasource_id)
    GROUP BY diaobject_id ORDER BY diaobject_id LIMIT 2"""

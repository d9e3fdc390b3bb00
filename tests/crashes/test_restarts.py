"""PostgreSQL stops and starts while everybody works: nothing lost, nothing twice, all go on by themselves."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg2
import pytest

from localservers.environment import settings
from localservers.home import Home
from localservers.postgres import Postgres
from localservers.processes import stop
from tests.conftest import template_database
from tests.crashes.calm import PPDB, STORED, Uninterrupted, check_all_is_revealed, contents, copied
from tests.crashes.clients import NO_DATABASE, Putter, Reader, going_on, logged_in, revealing, wait_for
from tests.localtom import LocalTom

pytestmark = pytest.mark.full

# Half of them each way.
RESTARTS = 6
ROUNDS = [0, *(pytest.param(number, marks=pytest.mark.soak) for number in range(1, 21))]
# Fast: transactions are rolled back. Immediate: everybody is killed, and the start recovers from the log.
MODES = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}
SENTENCE = "the database does not answer"


class Server:
    """A PostgreSQL of our own, and how to restart it."""

    def __init__(self, home: Home) -> None:
        self.postgres = Postgres(os.environ.get("TOM_POSTGRES") or "wheel", home, scratch=True)

    def start(self) -> None:
        self.postgres.up()

    def stop(self, mode: str) -> None:
        pid = self.postgres.pid
        assert pid
        assert stop(pid, signals=((MODES[mode], 600.0),))

    def restart(self, mode: str) -> None:
        self.stop(mode)
        self.start()


@pytest.fixture(scope="module")
def server(calm: Uninterrupted, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server that everything started meanwhile takes for its own."""
    home = Home(Path(tmp_path_factory.mktemp("restarts")) / "home")
    server = Server(home)
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings(server.postgres).items():
            if name.startswith(("DB_", "PG")):
                patch.setenv(name, value)
        yield server
    server.postgres.down()


@pytest.fixture(scope="module")
def migrated_here(server: Server) -> Iterator[str]:
    with template_database() as name:
        yield name


@pytest.fixture
def tom(migrated_here: str, tmp_path: Path) -> Iterator[LocalTom]:
    with copied(migrated_here, tmp_path) as tom:
        yield tom


def reconnect(tom: LocalTom) -> None:
    """The test's own connection ended with the server."""
    tom.connection = psycopg2.connect(tom.connection.dsn, password=os.environ["DB_PASS"])
    tom.connection.autocommit = True


def loading(tom: LocalTom, calm: Uninterrupted) -> Callable[[threading.Event], None]:
    """The loader over and over, whatever comes of it."""

    def again_and_again(stop: threading.Event) -> None:
        while not stop.is_set():
            tom.start(*calm.load).wait()

    return again_and_again


@pytest.mark.parametrize("round_", ROUNDS)
def test_nothing_is_lost_when_the_database_restarts_under_load(
    server: Server, tom: LocalTom, calm: Uninterrupted, dice: random.Random, round_: int
) -> None:
    putter = Putter(tom, calm.batches)
    readers = [Reader(client, calm) for client in logged_in(tom, "root", 2)]
    web = tom.web
    assert web
    work = [loading(tom, calm), revealing(tom), putter.again_and_again]
    with going_on(*work, *(reader.again_and_again for reader in readers)):
        for mode in dice.sample([*MODES] * (RESTARTS // 2), RESTARTS):
            time.sleep(dice.random())
            server.restart(mode)
    assert web.poll() is None
    assert any(NO_DATABASE in reader.statuses for reader in readers)
    reconnect(tom)
    tom.manage(*calm.load)
    tom.manage("update_elasticc2_sources")
    loaded = {f"elasticc2_{table}": "*" for table in PPDB}
    assert contents(tom, loaded) == calm.of(loaded)
    assert contents(tom, STORED) == calm.of(STORED)
    check_all_is_revealed(tom, calm)


def test_an_idle_web_server_does_not_notice_a_restart(server: Server, tom: LocalTom) -> None:
    clients = logged_in(tom, "root", 16)

    def all_ask() -> set[int]:
        with ThreadPoolExecutor(len(clients)) as pool:
            asked = pool.map(lambda client: client.post("elasticc2/ltcv", json={"objectids": [1]}), clients)
            return {response.status_code for response in asked}

    assert all_ask() == {200}
    for mode in MODES:
        server.restart(mode)
        assert all_ask() == {200}
    reconnect(tom)


def test_whoever_asks_while_there_is_no_database_is_told_so(server: Server, tom: LocalTom) -> None:
    client, broker = tom.client(), tom.client("apibroker")
    server.stop("fast")
    answers = [
        client.post("elasticc2/ltcv", json={"objectids": [1]}),
        client.post("elasticc2/gethottransients", json={}),
        broker.put("elasticc2/brokermessage/", json=[]),
        client.get("elasticc2/hot"),
        client.get(""),
    ]
    server.start()
    assert [answer.status_code for answer in answers] == [503] * len(answers)
    assert all(SENTENCE in answer.text for answer in answers)
    wait_for(tom.healthy)
    assert client.get("elasticc2/hot").status_code == 200
    reconnect(tom)

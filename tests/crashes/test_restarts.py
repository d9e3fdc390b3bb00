"""PostgreSQL stops and starts while everybody works: nothing lost, nothing twice, all go on by themselves."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import template_database
from tests.crashes.calm import PPDB, STORED, Uninterrupted, check_all_is_revealed, contents, copied
from tests.crashes.clients import NO_DATABASE, Putter, Reader, going_on, logged_in, revealing, wait_for
from tests.crashes.servers import Database, own_database, reconnect
from tests.localtom import LocalTom

pytestmark = pytest.mark.full

# Half of them each way.
RESTARTS = 6
ROUNDS = [0, *(pytest.param(number, marks=pytest.mark.soak) for number in range(1, 21))]
MODES = ("fast", "immediate")
SENTENCE = "the database does not answer"


@pytest.fixture(scope="module")
def server(calm: Uninterrupted, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """After the undisturbed run, which is on the tests' common server."""
    with own_database(tmp_path_factory.mktemp("restarts")) as database:
        yield database


@pytest.fixture(scope="module")
def migrated_here(server: Database) -> Iterator[str]:
    with template_database() as name:
        yield name


@pytest.fixture
def tom(migrated_here: str, tmp_path: Path) -> Iterator[LocalTom]:
    with copied(migrated_here, tmp_path) as tom:
        yield tom


def loading(tom: LocalTom, calm: Uninterrupted) -> Callable[[threading.Event], None]:
    """The loader over and over, whatever comes of it."""

    def again_and_again(stop: threading.Event) -> None:
        while not stop.is_set():
            tom.start(*calm.load).wait()

    return again_and_again


@pytest.mark.parametrize("round_", ROUNDS)
def test_nothing_is_lost_when_the_database_restarts_under_load(
    server: Database, tom: LocalTom, calm: Uninterrupted, dice: random.Random, round_: int
) -> None:
    putter = Putter(tom, calm.batches)
    readers = [Reader(client, calm) for client in logged_in(tom, "root", 2)]
    web = tom.web
    assert web
    work = [loading(tom, calm), revealing(tom), putter.again_and_again]
    with going_on(*work, *(reader.again_and_again for reader in readers)):
        for mode in dice.sample(MODES * (RESTARTS // 2), RESTARTS):
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


def test_an_idle_web_server_does_not_notice_a_restart(server: Database, tom: LocalTom) -> None:
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


def test_whoever_asks_while_there_is_no_database_is_told_so(server: Database, tom: LocalTom) -> None:
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

"""Everybody at once: nothing twice, nobody waits for reveal, and nobody sees half of what it does."""

import os
import random
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest
import requests

from tests.crashes.calm import (
    LOADED,
    STORED,
    Messages,
    Uninterrupted,
    batches,
    check_all_is_revealed,
    contents,
)
from tests.crashes.clients import (
    PAGE,
    REVEAL_IN_SMALL_CHUNKS,
    Reader,
    SqlReader,
    going_on,
    logged_in,
    start_shell,
    wait_for,
)
from tests.localtom import LocalTom
from tom_client import TomClient

pytestmark = pytest.mark.full


def test_two_loaders_of_the_same_files_load_each_once(tom: LocalTom, calm: Uninterrupted) -> None:
    loaders = [tom.start(*calm.load) for _ in range(2)]
    assert [loader.wait() for loader in loaders] == [0, 0]
    assert contents(tom, LOADED) == calm.of(LOADED)


def test_the_same_messages_from_four_clients_are_stored_once_while_reveal_runs(
    loaded_tom: LocalTom, calm: Uninterrupted, dice: random.Random
) -> None:
    tom = loaded_tom

    def put_all(client: TomClient, shuffled: Messages) -> list[requests.Response]:
        return [client.put(PAGE, json=batch) for batch in batches(shuffled)]

    clients = logged_in(tom, "apibroker", 4)
    orders = [dice.sample(calm.messages, len(calm.messages)) for _ in clients]
    with ThreadPoolExecutor(len(clients)) as pool:
        putting = [pool.submit(put_all, *both) for both in zip(clients, orders, strict=True)]
        while not all(future.done() for future in putting):
            tom.manage("update_elasticc2_sources")
    responses = [response for future in putting for response in future.result()]
    assert {response.status_code for response in responses} == {201}
    assert sum(response.json()["num_loaded"] for response in responses) == len(calm.messages)
    tom.manage("update_elasticc2_sources")
    assert contents(tom, STORED) == calm.of(STORED)
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


# Whoever would wait for a lock gets an error instead.
IMPATIENT = "-c lock_timeout=1"
DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


def readers_that_never_wait(tom: LocalTom, calm: Uninterrupted, count: int) -> list[Reader]:
    """Of a web server whose transactions never wait for a lock."""
    tom.settings["PGOPTIONS"] = IMPATIENT
    readers = [Reader(client, calm) for client in logged_in(tom, "root", count)]
    del tom.settings["PGOPTIONS"]
    return readers


def test_eight_readers_see_whole_objects_only_and_never_wait_for_reveal(
    heard_tom: LocalTom, calm: Uninterrupted
) -> None:
    tom = heard_tom
    readers, sql = readers_that_never_wait(tom, calm, 8), SqlReader(tom)
    with going_on(*(reader.again_and_again for reader in readers), sql.again_and_again):
        assert start_shell(tom, REVEAL_IN_SMALL_CHUNKS).wait() == 0
    assert {status for reader in readers for status in reader.statuses} == {200}
    assert tom.one(DEADLOCKS) == 0
    everything = {objectid: len(mjds) for objectid, mjds in calm.points.items()}
    assert [reader.seen for reader in readers] == [everything] * 8
    # They did look while it was at work.
    assert max(reader.states for reader in readers) > 2
    assert sql.looks > 2
    check_all_is_revealed(tom, calm)


WAITING_FOR_LOCKS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'"""


def test_readers_and_brokers_do_not_wait_for_a_reveal_that_hangs(
    loaded_tom: LocalTom, calm: Uninterrupted
) -> None:
    """Stopped in the midst of its transaction, as long as somebody else's row stands in its way."""
    tom = loaded_tom
    readers = readers_that_never_wait(tom, calm, 8)
    broker = tom.client("apibroker")
    half = len(calm.batches) // 2
    # One after the other: brokers who name new classifiers at once wait for each other.
    assert {broker.put(PAGE, json=batch).status_code for batch in calm.batches[:half]} == {201}
    blocker = psycopg2.connect(tom.connection.dsn, password=os.environ["DB_PASS"])
    with blocker.cursor() as cursor:
        cursor.execute(f"INSERT INTO elasticc2_diaobject {LAST_OBJECT_HEARD_OF}")
        revealing = tom.start("update_elasticc2_sources")
        wait_for(lambda: tom.one(WAITING_FOR_LOCKS) == 1 or revealing.poll() is not None)
        assert {broker.put(PAGE, json=batch).status_code for batch in calm.batches[half:]} == {201}
        with ThreadPoolExecutor(len(readers)) as pool:
            assert list(pool.map(Reader.read, readers)) == [[200, 200]] * 8
        assert tom.one(WAITING_FOR_LOCKS) == 1
    blocker.close()
    assert revealing.wait() == 0
    tom.manage("update_elasticc2_sources")
    check_all_is_revealed(tom, calm)


LAST_OBJECT_HEARD_OF = """
    SELECT o.* FROM elasticc2_ppdbdiaobject o
    JOIN elasticc2_ppdbdiasource USING (diaobject_id) JOIN elasticc2_brokersourceids USING (diasource_id)
    ORDER BY diaobject_id DESC LIMIT 1"""


WRITE = "INSERT INTO elasticc2_diaforcedsource VALUES (%s, 60000, 'i', 3, 1, %s)"


def connected(tom: LocalTom) -> psycopg2.extensions.connection:
    return psycopg2.connect(tom.connection.dsn, password=os.environ["DB_PASS"])


def points_of(tom: LocalTom, objectid: int) -> int:
    """How many points a reader gets."""
    answer = tom.client().post("elasticc2/ltcv", json={"objectid": objectid}).json()
    return len(answer["diaobject"][0]["photometry"]["mjd"])


def test_two_who_write_about_the_same_objects_in_any_order_do_not_deadlock(heard_tom: LocalTom) -> None:
    tom = heard_tom
    tom.manage("update_elasticc2_sources")
    first, second = (row[0] for row in tom.sql("SELECT diaobject_id FROM elasticc2_diaobject LIMIT 2"))
    before = points_of(tom, first)
    one, other = connected(tom), connected(tom)
    with one.cursor() as mine, other.cursor() as theirs:
        mine.execute(WRITE, (1, first))
        theirs.execute(WRITE, (2, second))
        mine.execute(WRITE, (3, second))
        theirs.execute(WRITE, (4, first))
    one.commit()
    other.commit()
    one.close()
    other.close()
    assert points_of(tom, first) == before + 2
    tom.manage("update_elasticc2_sources")
    assert points_of(tom, first) == before + 2
    tom.manage("doctor")


def test_what_commits_after_reveal_has_renewed_is_seen_all_the_same(heard_tom: LocalTom) -> None:
    """Reveal packs a light curve while somebody's new point of the object is not committed yet."""
    tom = heard_tom
    (objectid,) = tom.sql("SELECT diaobject_id FROM elasticc2_ppdbdiasource LIMIT 1")[0]
    tom.sql(
        "INSERT INTO elasticc2_diaobject SELECT * FROM elasticc2_ppdbdiaobject WHERE diaobject_id = %s",
        objectid,
    )
    writer = connected(tom)
    with writer.cursor() as cursor:
        cursor.execute(WRITE, (1, objectid))
        tom.manage("update_elasticc2_sources")
        before = points_of(tom, objectid)
    writer.commit()
    writer.close()
    assert points_of(tom, objectid) == before + 1
    tom.manage("doctor")
    tom.manage("update_elasticc2_sources")
    assert tom.counts("staleobjects") == (0,)
    assert points_of(tom, objectid) == before + 1
    tom.manage("doctor")

"""A dump of the original system, restored into a migrated database of ours, is a TOM that goes on."""

import io
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from elasticc2.summaries import KEPT
from tests import original
from tests.conftest import create_database, drop_database
from tests.localtom import LocalTom, database_name
from tom_desc.snana.simulate import simulate_survey
from tom_desc.streams.fakebroker import NUGENT

pytestmark = pytest.mark.full

LAST_MJD = 61000.7
TABLES = tuple(original.DUMPED)
INFO = original.columns("diaobjectinfo")[1:]
NEVER_FILLED = [name for name in INFO if name.startswith(("maxforced", "latestforced"))]
CLASSES = "elasticc2_diaobjectclassification JOIN elasticc2_brokerclassifier USING (classifier_id)"
MIDNIGHT_MS = 1_700_000_000_000


@pytest.fixture(scope="module")
def cycled(migrated_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalTom]:
    """A TOM after an alert cycle: some alerts revealed, some heard of only, some not sent."""
    survey = simulate_survey(tmp_path_factory.mktemp("survey"), objects=15, seed=5, last_mjd=LAST_MJD)
    name = database_name("cycled")
    create_database(name, template=migrated_database)
    with LocalTom(name, tmp_path_factory.mktemp("cycled")) as tom:
        tom.manage("load_snana_fits", "--ppdb", "--do", "-n", 1, "-d", *survey)
        tom.manage("fakebroker", "--rest", tom.url, "--through-day", LAST_MJD - 200)
        tom.manage("update_elasticc2_sources")
        tom.manage("fakebroker", "--rest", tom.url, "--through-day", LAST_MJD - 100)
        yield tom
    drop_database(name)


@pytest.fixture(scope="module")
def original_tom(cycled: LocalTom, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalTom]:
    """A database as the original has it, with the same rows in the tables that are dumped."""
    name = database_name("original")
    create_database(name, template="template0")
    with LocalTom(name, tmp_path_factory.mktemp("original")) as tom:
        for table in TABLES:
            tom.sql(original.create_table(table))
            copy_rows(table, cycled, tom)
        tom.sql(f"UPDATE elasticc2_diaobjectinfo SET {', '.join(f'{name} = NULL' for name in NEVER_FILLED)}")
        for table in TABLES:
            for statement in original.foreign_keys(table):
                tom.sql(statement)
        for table in set(original.SEQUENCES) & set(TABLES):
            tom.sql(f"SELECT setval(%s, {greatest_id(tom, table)})", sequence(table))
        yield tom
    drop_database(name)


@pytest.fixture(scope="module")
def dump(original_tom: LocalTom, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dumped(original_tom, tmp_path_factory.mktemp("dump") / "original.psqlc", "--data-only")


@pytest.fixture
def restored(tom: LocalTom, dump: Path) -> LocalTom:
    restore(tom, dump)
    return tom


def copy_rows(table: str, source: LocalTom, target: LocalTom) -> None:
    names = ", ".join(original.columns(table))
    rows = io.BytesIO()
    with source.connection.cursor() as cursor:
        cursor.copy_expert(f"COPY (SELECT {names} FROM elasticc2_{table}) TO STDOUT", rows)
    rows.seek(0)
    with target.connection.cursor() as cursor:
        cursor.copy_expert(f"COPY elasticc2_{table} ({names}) FROM STDIN", rows)


def dumped(tom: LocalTom, path: Path, *options: str) -> Path:
    tables = [f"--table=elasticc2_{table}" for table in TABLES]
    run("pg_dump", "-Fc", *options, *tables, f"--file={path}", tom.settings["DB_NAME"])
    return path


def restore(tom: LocalTom, dump: Path, *options: str) -> None:
    run("pg_restore", "--data-only", "--exit-on-error", *options, "-d", tom.settings["DB_NAME"], str(dump))


def run(*command: str) -> str:
    """A PostgreSQL program, told where the server is."""
    names = {"HOST": "PGHOST", "PORT": "PGPORT", "USER": "PGUSER", "PASS": "PGPASSWORD"}
    server = {theirs: os.environ[f"DB_{ours}"] for ours, theirs in names.items()}
    done = subprocess.run(command, env={**os.environ, **server}, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def sequence(table: str) -> str:
    return f'"{original.SEQUENCES[table]}"'


def greatest_id(tom: LocalTom, table: str) -> int:
    return int(tom.one(f'SELECT max("{original.primary_key(table)}") FROM elasticc2_{table}'))


def dumped_contents(tom: LocalTom) -> dict[str, str]:
    return {table: tom.contents(f"elasticc2_{table}", ", ".join(original.columns(table))) for table in TABLES}


def put_again(tom: LocalTom) -> dict[str, Any]:
    """PUT what NugentClassifier said of an alert that the dump has an answer to."""
    alertid, sourceid = tom.sql("SELECT alert_id, diasource_id FROM elasticc2_brokermessage LIMIT 1")[0]
    return put(tom, alertid, sourceid)


def put(tom: LocalTom, alertid: int, sourceid: int) -> dict[str, Any]:
    message = NUGENT.answer(
        alert_id=alertid, diasource_id=sourceid, published_ms=MIDNIGHT_MS, now_ms=MIDNIGHT_MS
    )
    answer = tom.client().put("elasticc2/brokermessage/", json=[message])
    assert answer.status_code == 201, answer.text
    answered: dict[str, Any] = answer.json()
    return answered


def put_news(tom: LocalTom) -> dict[str, Any]:
    """PUT an answer to an alert that nobody answered yet."""
    (sourceid,) = tom.sql("SELECT diasource_id FROM elasticc2_ppdbalert WHERE alertsenttimestamp IS NULL")[0]
    return put(tom, sourceid, sourceid)


def test_every_row_comes_as_it_was(restored: LocalTom, original_tom: LocalTom) -> None:
    assert all(original_tom.counts(*TABLES))
    assert restored.counts(*TABLES) == original_tom.counts(*TABLES)
    assert dumped_contents(restored) == dumped_contents(original_tom)


def test_messages_get_their_identity(restored: LocalTom, cycled: LocalTom) -> None:
    columns = "brokermessage_id, diasource_id, digest, topicpartition"
    assert restored.one("SELECT count(*) FROM elasticc2_brokermessage WHERE digest IS NULL") == 0
    assert restored.contents("elasticc2_brokermessage", columns) == cycled.contents(
        "elasticc2_brokermessage", columns
    )


def test_a_message_of_the_dump_is_a_duplicate(restored: LocalTom) -> None:
    answer = put_again(restored)
    assert (answer["num_loaded"], answer["num_duplicates"]) == (0, 1)
    assert answer["brokerMessageId"] <= greatest_id(restored, "brokermessage")


def test_ids_go_on_after_those_of_the_dump(restored: LocalTom) -> None:
    before = greatest_id(restored, "brokermessage")
    answer = put_news(restored)
    assert answer["num_loaded"] == 1
    assert answer["brokerMessageId"] > before


def test_sequences_that_a_restore_of_tables_leaves_behind_are_repaired(tom: LocalTom, dump: Path) -> None:
    restore(tom, dump, *[f"--table=elasticc2_{table}" for table in TABLES])
    assert tom.one(f"SELECT last_value FROM {sequence('brokermessage')}") == 1
    program = "from tom_desc.partitions import repair_sequences; print(repair_sequences('elasticc2_'))"
    said = tom.manage("shell", "-v", "0", "-c", program)
    behind = {name for name in original.SEQUENCES.values() if name in said}
    assert behind == set(original.SEQUENCES.values())
    before = greatest_id(tom, "brokermessage")
    assert put_news(tom)["brokerMessageId"] > before
    assert tom.manage("shell", "-v", "0", "-c", program).strip() == "[]"


def test_sources_that_were_waiting_are_revealed(restored: LocalTom, cycled: LocalTom) -> None:
    assert restored.counts("brokersourceids")[0] > 0
    for tom in (restored, cycled):
        tom.manage("update_elasticc2_sources")
    assert restored.counts("brokersourceids") == (0,)
    heard = "SELECT count(DISTINCT diasource_id) FROM elasticc2_brokermessage"
    assert restored.counts("diasource")[0] == restored.one(heard)
    for table in ("diaobject", "diasource", "diaforcedsource"):
        assert restored.contents(f"elasticc2_{table}") == cycled.contents(f"elasticc2_{table}")


def test_summaries_are_made_of_all_that_was_restored(restored: LocalTom, cycled: LocalTom) -> None:
    assert restored.counts("diaobjectclassification") == (0,)
    restored.manage("update_elasticc2_sources", "--doall")
    cycled.manage("update_elasticc2_sources")
    for table, columns in (
        ("elasticc2_diaobjectinfo", ", ".join(INFO)),
        (CLASSES, "diaobject_id, classifiername, latestclass1id, latestclass1prob"),
    ):
        assert restored.contents(table, columns) == cycled.contents(table, columns) != "None"


CLOCK = "SELECT mjd_now FROM elasticc2_clock"
LATEST_SENT = """
    SELECT max(midpointtai) FROM elasticc2_ppdbdiasource JOIN elasticc2_ppdbalert USING (diasource_id)
    WHERE alertsenttimestamp IS NOT NULL"""


def check_clock(tom: LocalTom, original_tom: LocalTom) -> None:
    tom.manage("campaign", "elasticc2", "--clock", "sent")
    assert tom.one(CLOCK) == original_tom.one(LATEST_SENT)


def test_the_clock_knows_which_alerts_were_sent(restored: LocalTom, original_tom: LocalTom) -> None:
    check_clock(restored, original_tom)


def test_the_order_of_tables_in_the_dump_does_not_matter(
    tom: LocalTom, original_tom: LocalTom, tmp_path: Path
) -> None:
    """A dump with the table definitions has tables by name: alerts before their sources."""
    whole = dumped(original_tom, tmp_path / "whole.psqlc")
    listed = run("pg_restore", "--list", str(whole))
    assert 0 < listed.index("DATA public elasticc2_ppdbalert") < listed.index("DATA public elasticc2_ppdbdia")
    restore(tom, whole, "--single-transaction")
    assert dumped_contents(tom) == dumped_contents(original_tom)
    check_clock(tom, original_tom)


def test_light_curves_are_served(restored: LocalTom, cycled: LocalTom) -> None:
    ids = [row[0] for row in cycled.sql("SELECT diaobject_id FROM elasticc2_diaobject")]
    for tom in (restored, cycled):
        tom.manage("update_elasticc2_sources")
    asked = {"objectids": ids, "include_hostinfo": 1}
    answer, expected = (tom.client().post("elasticc2/ltcv", json=asked) for tom in (restored, cycled))
    assert answer.status_code == 200
    assert answer.json() == expected.json()
    assert len(answer.json()["diaobject"]) == len(ids) > 0


def test_a_backup_of_ours_goes_into_an_empty_database(
    cycled: LocalTom, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cycled.manage("update_elasticc2_sources")
    backup = tmp_path / "tom.dump"
    run("pg_dump", "-Fc", f"--file={backup}", cycled.settings["DB_NAME"])
    name = database_name("backup")
    create_database(name, template="template0")
    run("pg_restore", "--no-privileges", "--single-transaction", "-d", name, str(backup))
    with LocalTom(name, tmp_path_factory.mktemp("backup")) as tom:
        tom.manage("migrate", "--verbosity", "0")
        tom.manage("bootstrap")
        tom.manage("doctor")
        for table in (*KEPT, "diaforcedsource", "brokermessage"):
            assert tom.contents(f"elasticc2_{table}") == cycled.contents(f"elasticc2_{table}")
    drop_database(name)

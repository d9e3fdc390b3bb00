"""What was backed up is there again, all of it, or nothing is."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from tests.conftest import create_database, drop_database
from tests.localtom import LocalTom, database_name, manage
from tom_desc.backup import BackupError, run
from tom_desc.snana.simulate import simulate_survey

pytestmark = pytest.mark.full

LAST_MJD = 61000.7
TABLES = """
SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition
AND relnamespace = 'public'::regnamespace"""


@pytest.fixture(scope="module")
def filled(migrated_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalTom]:
    """A TOM with a small sky, some of which brokers spoke of."""
    survey = simulate_survey(tmp_path_factory.mktemp("survey"), objects=10, seed=5, last_mjd=LAST_MJD)
    name = database_name("filled")
    create_database(name, template=migrated_database)
    with LocalTom(name, tmp_path_factory.mktemp("filled")) as tom:
        tom.manage("load_snana_fits", "--ppdb", "--do", "-n", 1, "-d", *survey)
        tom.manage("fakebroker", "--rest", tom.url, "--through-day", LAST_MJD - 100)
        tom.manage("update_elasticc2_sources")
        tom.manage("bootstrap")
        yield tom
    drop_database(name)


@pytest.fixture(scope="module")
def backup(filled: LocalTom, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("backups") / "sunday"
    said = filled.manage("backup", directory, "--verify")
    assert "rows of" in said
    assert said.strip().endswith(f"in {directory} and could be restored")
    return directory


@pytest.fixture
def new_database() -> Iterator[str]:
    name = database_name("restored")
    yield name
    drop_database(name)


def contents(tom: LocalTom) -> dict[str, str]:
    return {table: tom.contents(f'public."{table}"') for (table,) in tom.sql(TABLES)}


def databases(tom: LocalTom) -> set[str]:
    return {name for (name,) in tom.sql("SELECT datname FROM pg_database")}


def refused(tom: LocalTom, *arguments: object, **environment: str) -> str:
    """What manage.py says, which fails."""
    done = subprocess.run(
        manage(*map(str, arguments)),
        env={**os.environ, **tom.settings, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode
    assert "Traceback" not in done.stderr
    return done.stderr


def test_every_row_is_there_again(filled: LocalTom, backup: Path, new_database: str, tmp_path: Path) -> None:
    said = filled.manage("restore", backup, "--into", new_database)
    assert said.startswith(f"{new_database} holds {filled.settings['DB_NAME']} as of")
    with LocalTom(new_database, tmp_path) as tom:
        assert contents(tom) == contents(filled)
        assert "not ok" not in tom.manage("doctor")
        assert tom.one("SELECT has_table_privilege('postgres_ro', 'elasticc2_diaobject', 'SELECT')")


def test_it_is_as_of_one_moment(filled: LocalTom, backup: Path) -> None:
    rows = json.loads((backup / "manifest.json").read_text())["rows"]
    assert rows["public.elasticc2_ppdbdiaobject"] == filled.counts("ppdbdiaobject")[0]
    assert rows["public.elasticc2_brokermessage"] == filled.counts("brokermessage")[0] > 0


def test_nobody_else_may_read_it(backup: Path) -> None:
    assert backup.stat().st_mode & 0o077 == 0


def test_a_directory_that_is_there_is_left_alone(filled: LocalTom, backup: Path) -> None:
    before = (backup / "manifest.json").read_text()
    assert f"{backup} is there already" in refused(filled, "backup", backup)
    assert (backup / "manifest.json").read_text() == before


def test_a_database_that_holds_rows_is_refused(filled: LocalTom, backup: Path) -> None:
    before = contents(filled)
    assert "is not empty" in refused(filled, "restore", backup)
    assert contents(filled) == before


def test_an_empty_database_is_filled(
    filled: LocalTom, backup: Path, new_database: str, tmp_path: Path
) -> None:
    create_database(new_database, template="template0")
    filled.manage("restore", backup, "--into", new_database)
    with LocalTom(new_database, tmp_path) as tom:
        assert tom.counts("diaobject") == filled.counts("diaobject")


def test_what_is_no_backup_is_refused(filled: LocalTom, tmp_path: Path) -> None:
    assert f"{tmp_path} is no finished backup" in refused(filled, "restore", tmp_path, "--into", "elsewhere")
    assert "elsewhere" not in databases(filled)


@pytest.mark.parametrize(
    ("damage", "expected"), [("rows", "elasticc2_ppdbdiaobject has"), ("file", "could not open input file")]
)
def test_a_damaged_backup_leaves_no_database(
    filled: LocalTom, backup: Path, tmp_path: Path, damage: str, expected: str
) -> None:
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", backup, copy], check=True)
    if damage == "rows":
        manifest = json.loads((copy / "manifest.json").read_text())
        manifest["rows"]["public.elasticc2_ppdbdiaobject"] += 1
        (copy / "manifest.json").write_text(json.dumps(manifest))
    else:
        max((copy / "postgres").glob("*.gz"), key=lambda path: path.stat().st_size).unlink()
    name = database_name("damaged")
    said = refused(filled, "restore", copy, "--into", name)
    assert expected in said
    assert name not in databases(filled)


def test_a_backup_that_fails_leaves_nothing(filled: LocalTom, tmp_path: Path) -> None:
    said = refused(filled, "backup", tmp_path / "sunday", PATH=str(tmp_path))
    assert "pg_dump is not there" in said
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_does_not_answer_is_said(filled: LocalTom, tmp_path: Path) -> None:
    said = refused(filled, "backup", tmp_path / "sunday", DB_PORT="1")
    assert "Connection refused" in said


def test_verifying_leaves_no_database(filled: LocalTom, backup: Path) -> None:
    assert not [name for name in databases(filled) if name.startswith("verify_")]


def test_nothing_can_be_lost_that_is_written_meanwhile(filled: LocalTom, tmp_path: Path) -> None:
    """Somebody who writes and does not commit is not waited for, nor is it in the backup."""
    other = psycopg2.connect(filled.connection.dsn, password=filled.connection.info.password)
    with other.cursor() as cursor:
        cursor.execute("DELETE FROM elasticc2_brokernews")
        filled.manage("backup", tmp_path / "sunday")
    other.close()


def test_long_work_says_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tom_desc.backup.SECONDS_BETWEEN_LINES", 0.05)
    said: list[str] = []
    run("sleep", "0.3", say=said.append, so_far=lambda: "some")
    assert set(said) == {"some"}
    with pytest.raises(BackupError, match=r"sleep failed: .*invalid"):
        run("sleep", "long", say=said.append, so_far=lambda: "some")

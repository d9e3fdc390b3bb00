"""Backups: the whole database as of one moment into a directory, and from there into an empty database.

PostgreSQL's own ``pg_dump`` and ``pg_restore`` do the work; a manifest says how many rows each table has, so
that whoever restores can tell whether all of them came.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any
from uuid import uuid4

import psycopg2
from django.db import connection
from psycopg2 import sql

from tom_desc.progress import SECONDS_BETWEEN_LINES

MANIFEST, DATA = "manifest.json", "postgres"
# The database that is always there, from which others are made.
MAINTENANCE = "postgres"

TABLES = """
SELECT quote_ident(nspname) || '.' || quote_ident(relname)
FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
WHERE relkind IN ('r', 'p') AND NOT relispartition AND relpersistence <> 't'
  AND nspname NOT IN ('pg_catalog', 'information_schema') AND nspname NOT LIKE 'pg\\_toast%'
ORDER BY 1"""

# Takes a line now and then: how far it is.
Say = Callable[[str], None]
Counts = dict[str, int]


class BackupError(Exception):
    """It was not done; the message says why."""


@dataclass(frozen=True)
class Manifest:
    """What a backup holds.

    Attributes
    ----------
    made : datetime
        The moment as of which it is (UTC).
    server_version : int
        PostgreSQL's, as 150018.
    rows : dict of str to int
        By table, partitions counted with their parent.
    """

    database: str
    made: datetime
    server_version: int
    rows: Counts

    def __str__(self) -> str:
        moment = f"{self.made:%Y-%m-%d %H:%M:%S} UTC"
        return f"{self.database} as of {moment}, {sum(self.rows.values())} rows of {len(self.rows)} tables"

    def write(self, directory: Path) -> None:
        content = {**self.__dict__, "made": self.made.isoformat()}
        (directory / MANIFEST).write_text(json.dumps(content, indent=2) + "\n")

    @classmethod
    def read(cls, directory: Path) -> "Manifest":
        """That of a finished backup; BackupError where there is none."""
        try:
            content = json.loads((directory / MANIFEST).read_text())
            return cls(**{**content, "made": datetime.fromisoformat(content["made"])})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BackupError(f"{directory} is no finished backup: {error}") from error


def back_up(directory: Path, *, jobs: int, say: Say) -> Manifest:
    """Write a backup of the TOM's database; until it is whole, ``directory`` is not there.

    Parameters
    ----------
    jobs
        Tables to write at the same time.

    Raises
    ------
    BackupError
        Where the directory is there already, or ``pg_dump`` fails.
    """
    if directory.exists():
        raise BackupError(f"{directory} is there already")
    unfinished = directory.with_name(f"{directory.name}.unfinished-{uuid4().hex[:8]}")
    directory.parent.mkdir(parents=True, exist_ok=True)
    # The hashes of passwords are in it.
    unfinished.mkdir(mode=0o700)
    try:
        manifest = write_backup(unfinished, jobs=jobs, say=say)
        manifest.write(unfinished)
        unfinished.rename(directory)
    except BaseException:
        shutil.rmtree(unfinished)
        raise
    return manifest


def write_backup(directory: Path, *, jobs: int, say: Say) -> Manifest:
    """Dump, and count, all tables as of the same moment."""
    database = str(connection.settings_dict["NAME"])
    with connected(database) as cursor:
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        cursor.execute("SELECT pg_export_snapshot(), now(), current_setting('server_version_num')::int")
        snapshot, made, version = cursor.fetchone()
        where = ("--format=directory", f"--file={directory / DATA}", f"--jobs={jobs}")
        so_far = partial(written, directory)
        run("pg_dump", "--no-password", *where, f"--snapshot={snapshot}", database, say=say, so_far=so_far)
        return Manifest(database, made.astimezone(UTC), version, count_rows(cursor))


def restore(directory: Path, *, into: str, jobs: int, say: Say) -> Manifest:
    """Restore a backup into a database, which is made if it is missing, and compare.

    Roles and grants are not in a backup: ``manage.py bootstrap`` makes them.

    Raises
    ------
    BackupError
        Where the database has rows already, ``pg_restore`` fails, or tables have other numbers of rows than
        the backup says. A database that was made is removed again.
    """
    manifest = Manifest.read(directory)
    with made_or_empty(into):
        what = ("--no-owner", "--no-privileges", "--exit-on-error", f"--jobs={jobs}")
        so_far = partial(restored, into)
        run(
            "pg_restore",
            "--no-password",
            *what,
            f"--dbname={into}",
            str(directory / DATA),
            say=say,
            so_far=so_far,
        )
        with connected(into) as cursor:
            cursor.execute("ANALYZE")
            compare(manifest.rows, count_rows(cursor))
    return manifest


def verify(directory: Path, *, jobs: int, say: Say) -> Manifest:
    """Restore a backup into a database of its own, which is removed again; BackupError where it fails."""
    scratch = f"verify_{uuid4().hex}"
    manifest = restore(directory, into=scratch, jobs=jobs, say=say)
    with connected(MAINTENANCE) as cursor:
        cursor.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(scratch)))
    return manifest


def compare(expected: Counts, found: Counts) -> None:
    """BackupError naming the tables that do not have the rows they should have."""
    wrong = [
        f"{table} has {found.get(table, 0)} rows, not {rows}"
        for table, rows in expected.items()
        if found.get(table) != rows
    ]
    if wrong:
        raise BackupError("; ".join(wrong))


@contextmanager
def made_or_empty(database: str) -> Iterator[None]:
    """A database without rows; one that was made for it is removed where the block fails."""
    with connected(MAINTENANCE) as cursor:
        cursor.execute("SELECT count(*) FROM pg_database WHERE datname = %s", (database,))
        if cursor.fetchone()[0]:
            refuse_rows(database)
            yield
            return
        name = sql.Identifier(database)
        cursor.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(name))
        try:
            yield
        except BaseException:
            cursor.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
            raise


def refuse_rows(database: str) -> None:
    """BackupError where a database holds anything."""
    with connected(database) as cursor:
        for table in tables(cursor):
            cursor.execute(f"SELECT EXISTS (SELECT FROM {table})")
            if cursor.fetchone()[0]:
                raise BackupError(f"database {database} is not empty: {table} has rows")


def count_rows(cursor: Any) -> Counts:
    """Rows of every table."""
    counts = {}
    for table in tables(cursor):
        cursor.execute(f"SELECT count(*) FROM {table}")
        counts[table] = int(cursor.fetchone()[0])
    return counts


def tables(cursor: Any) -> list[str]:
    """All tables of the database as SQL names them, those with partitions but not the partitions."""
    cursor.execute(TABLES)
    return [table for (table,) in cursor.fetchall()]


@contextmanager
def connected(database: str) -> Iterator[Any]:
    """A cursor in some database of the TOM's server; each statement is a transaction of its own."""
    try:
        opened = psycopg2.connect(**(connection.get_connection_params() | {"dbname": database}))
    except psycopg2.OperationalError as error:
        raise BackupError(str(error).strip()) from error
    opened.autocommit = True
    try:
        with opened.cursor() as cursor:
            yield cursor
    finally:
        opened.close()


def run(program: str, *arguments: str, say: Say, so_far: Callable[[], str]) -> None:
    """Run one of PostgreSQL's programs on the TOM's server, saying now and then how far it is.

    Raises
    ------
    BackupError
        With what the program said, where it fails.
    """
    with TemporaryFile("w+") as said:
        try:
            process = subprocess.Popen([program, *arguments], env=environment(), stderr=said)
        except FileNotFoundError as error:
            raise BackupError(f"{program} is not there; it is part of Debian's postgresql-client") from error
        with process:
            while not ended(process, SECONDS_BETWEEN_LINES):
                say(so_far())
        if process.returncode:
            said.seek(0)
            raise BackupError(f"{program} failed: {said.read().strip()}")


def ended(process: "subprocess.Popen[bytes]", seconds: float) -> bool:
    """Whether a process ends within so many seconds."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def written(directory: Path) -> str:
    size = sum(path.stat().st_size for path in directory.rglob("*"))
    return f"{size / 1e6:,.0f} MB are written"


def restored(database: str) -> str:
    with connected(database) as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        return f"{cursor.fetchone()[0] / 1e6:,.0f} MB are restored"


def environment() -> dict[str, str]:
    """How libpq's programs find the TOM's server."""
    parameters = connection.settings_dict
    server = {f"PG{name}": str(parameters[name]) for name in ("HOST", "PORT", "USER", "PASSWORD")}
    return os.environ | server

"""A TOM made of real processes, for tests that cross a process: its own database, gunicorn, manage.py."""

import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg2
import requests

from localservers.serve import gunicorn, web_settings
from tom_client import TomClient

CHECKOUT = Path(__file__).resolve().parent.parent


def database_name(purpose: str) -> str:
    return f"test_{purpose}_{uuid.uuid4().hex[:10]}"


def run_manage(settings: Mapping[str, str], *arguments: str) -> str:
    """Run manage.py to its end; its output. A failure shows what it said."""
    done = subprocess.run(
        manage(*arguments), env={**os.environ, **settings}, cwd=CHECKOUT, capture_output=True, text=True
    )
    assert done.returncode == 0, f"manage.py {arguments}: {done.stdout}{done.stderr}"
    return done.stdout


def manage(*arguments: str) -> list[str]:
    return [sys.executable, str(CHECKOUT / "manage.py"), *arguments]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class LocalTom:
    """A database and the processes that work on it."""

    def __init__(self, database: str, directory: Path) -> None:
        self.settings = {"DB_NAME": database, "LOGDIR": str(directory)}
        self.directory = directory
        self.web: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.connection = psycopg2.connect(
            dbname=database,
            host=os.environ["DB_HOST"],
            port=os.environ["DB_PORT"],
            user=os.environ["DB_USER"],
            password=os.environ["DB_PASS"],
        )
        self.connection.autocommit = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self.connection.close()

    def manage(self, *arguments: object) -> str:
        return run_manage(self.settings, *map(str, arguments))

    def start(self, *arguments: object) -> "subprocess.Popen[bytes]":
        """manage.py in the background, a process group of its own; what it says is kept beside the log."""
        with (self.directory / f"{arguments[0]}.log").open("ab") as said:
            return subprocess.Popen(
                manage(*map(str, arguments)),
                env={**os.environ, **self.settings},
                cwd=CHECKOUT,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )

    def sql(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(query, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def one(self, query: str, *parameters: Any) -> Any:
        return self.sql(query, *parameters)[0][0]

    def counts(self, *tables: str) -> tuple[int, ...]:
        return tuple(self.one(f"SELECT count(*) FROM elasticc2_{table}") for table in tables)

    def contents(self, table: str, columns: str = "*") -> str:
        """A digest of all rows of a table, whatever their order."""
        query = (
            f"SELECT md5(string_agg(r::text, E'\\n' ORDER BY r::text)) FROM (SELECT {columns} FROM {table}) r"
        )
        return str(self.one(query))

    @property
    def url(self) -> str:
        """Where the web server is; started when first asked for."""
        if self.web is None:
            self.serve()
        return f"http://127.0.0.1:{self.port}"

    def serve(self) -> None:
        env = {**os.environ, **self.settings, **web_settings(self.port)}
        with (self.directory / "gunicorn.log").open("ab") as log:
            self.web = subprocess.Popen(
                gunicorn(), env=env, cwd=CHECKOUT, stdout=log, stderr=log, start_new_session=True
            )
        while not self.healthy():
            assert self.web.poll() is None, (self.directory / "gunicorn.log").read_text()
            time.sleep(0.05)

    def healthy(self) -> bool:
        try:
            return requests.get(f"http://127.0.0.1:{self.port}/healthz").status_code == 200
        except requests.ConnectionError:
            return False

    def client(self, username: str = "root", password: str = "testing") -> TomClient:
        return TomClient(url=self.url, username=username, password=password)

    def log(self) -> str:
        """What the web server logged."""
        return (self.directory / "tom.log").read_text()

    def kill(self) -> None:
        """kill -9 of the web server and all its workers."""
        assert self.web is not None
        os.killpg(self.web.pid, signal.SIGKILL)
        self.web.wait()
        self.web = None

    def stop(self) -> None:
        if self.web is not None:
            os.killpg(self.web.pid, signal.SIGTERM)
            self.web.wait()
            self.web = None

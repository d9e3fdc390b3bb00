"""The variables under which manage.py, psql and pg_restore meet the private servers."""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from localservers import LocalServerError
from localservers.home import DJANGO_SECRETS, Home
from localservers.kafka import Kafka
from localservers.postgres import DATABASE, HOST, USER, Postgres


def settings(server: Postgres, *, database: str | None = None) -> dict[str, str]:
    """Every variable; ``database`` is by default the caller's ``DB_NAME``, else ``tom_desc``."""
    home = server.home
    name = database or os.environ.get("DB_NAME") or DATABASE
    for secret in DJANGO_SECRETS:
        home.secret(secret)
    return {
        "DB_HOST": HOST,
        "DB_PORT": str(server.port),
        "DB_NAME": name,
        "DB_USER": USER,
        "DB_PASS": server.password,
        **server.client_settings(name),
        "SECRETS_DIR": str(home.secrets),
        "QUERY_RESULTS": str(home.directory("query_results")),
        "LOGDIR": str(home.directory("logs")),
        "TOM_HOME": str(home.path),
        "TOM_POSTGRES": server.kind,
        "PATH": search_path(os.environ.get("PATH", os.defpath), first=(venv_programs(), server.bin)),
        **kafka_settings(home),
    }


def kafka_settings(home: Home) -> dict[str, str]:
    """Where the home's Kafka is, while it runs."""
    kafka = Kafka(home)
    return {"KAFKA_SERVER": kafka.server} if kafka.pid is not None else {}


def full_environment(server: Postgres, *, database: str | None = None) -> dict[str, str]:
    """The caller's environment with ours on top, for a process to start in."""
    return {**os.environ, **settings(server, database=database)}


def venv_programs() -> Path:
    """The directory of ``python``, ``gunicorn`` and the like."""
    return Path(sys.prefix) / "bin"


def search_path(path: str, *, first: tuple[Path, ...]) -> str:
    """The search path with these directories in front, each once."""
    ours = [str(directory) for directory in first]
    return os.pathsep.join(ours + [entry for entry in path.split(os.pathsep) if entry not in ours])


def export_lines(variables: Mapping[str, str]) -> str:
    """One line ``export NAME='literal'`` each, for any POSIX shell.

    Raises
    ------
    LocalServerError
        For what cannot be such a line.
    """
    for name, value in variables.items():
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or re.search(r"[\n\0]", value):
            raise LocalServerError(f"{name} cannot be written as a line of shell: {value!r}")
    return "".join(f"export {name}={quoted(value)}\n" for name, value in variables.items())


def quoted(value: str) -> str:
    """The value as one single-quoted shell literal."""
    return "'" + value.replace("'", "'\\''") + "'"

"""Databases of a run: copies of one that has the schema and the test accounts, and Django's way into each."""

import io
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg2
from django.core.management import call_command
from django.db import connection, connections

from localservers.postgres import DATABASE


def make_template() -> None:
    """Give the run's own database the schema, and accounts to log in with."""
    call_command("migrate", verbosity=0)
    call_command("bootstrap", test_accounts=True, stdout=io.StringIO())
    connections.close_all()


def make(name: str) -> None:
    """A new database with the schema and nothing else."""
    _in_server(f'CREATE DATABASE "{name}" TEMPLATE "{DATABASE}"')


def drop(name: str) -> None:
    """Remove a database, whoever is connected."""
    _in_server(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextmanager
def using(name: str) -> Iterator[None]:
    """Django's connection leads to the database inside the block."""
    before = connection.settings_dict["NAME"]
    connections.close_all()
    connection.settings_dict["NAME"] = name
    try:
        yield
    finally:
        connections.close_all()
        connection.settings_dict["NAME"] = before


@contextmanager
def fresh(name: str) -> Iterator[None]:
    """A new database for the block, with Django's connection to it."""
    make(name)
    try:
        with using(name):
            yield
    finally:
        drop(name)


def connect(name: str) -> Any:
    """A plain psycopg2 connection, with nothing of Django, in autocommit."""
    plain = psycopg2.connect(
        dbname=name,
        host=os.environ["DB_HOST"],
        port=os.environ["DB_PORT"],
        user=os.environ["DB_USER"],
        password=os.environ["DB_PASS"],
    )
    plain.autocommit = True
    return plain


def _in_server(statement: str) -> None:
    with closing(connect("postgres")) as plain, plain.cursor() as cursor:
        cursor.execute(statement)

"""Health, and what is logged where the database is gone."""

import logging
from typing import Any

import psycopg2
import pytest
from django.db import DatabaseError, Error, connection
from django.test import Client

from tom_desc.health import is_away


@pytest.mark.django_db
def test_a_server_whose_database_answers_is_well() -> None:
    for page in ("/healthz", "/healthz/"):
        assert Client().get(page).json() == {"status": "ok", "database": "ok"}


@pytest.mark.django_db
def test_a_server_without_database_says_so_to_the_logged_in_too(
    django_user_model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client()
    client.force_login(django_user_model.objects.create_user("astronomer"))

    def gone(*args: Any) -> Any:
        raise DatabaseError("gone")

    monkeypatch.setattr(connection, "cursor", gone)
    response = client.get("/healthz")
    assert (response.status_code, response.json()["status"]) == (503, "error")


@pytest.mark.django_db
def test_a_bug_is_logged_with_its_traceback_and_shown_as_a_number(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def bug(*args: Any) -> Any:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(connection, "cursor", bug)
    client = Client(raise_request_exception=False)
    with caplog.at_level(logging.INFO):
        response = client.get("/healthz")
    assert response.status_code == 500
    assert response["X-Request-Id"] in response.content.decode()
    assert "secret" not in response.content.decode()
    assert any(record.exc_info for record in caplog.records)


def raised(statement: str) -> BaseException:
    """The error that a statement ends with."""
    with pytest.raises(Error) as caught, connection.cursor() as cursor:
        cursor.execute(statement)
    return caught.value


@pytest.mark.django_db
def test_a_wrong_statement_is_not_an_absent_database() -> None:
    assert not is_away(raised("SELECT nothing FROM nowhere"))
    assert not is_away(ValueError("no error of the database at all"))
    assert not is_away(None)


@pytest.mark.parametrize("code", ["53300", "57P01", "57P02", "57P03", "08006"])
@pytest.mark.django_db
def test_a_database_that_stops_or_has_no_place_left_is_away(code: str) -> None:
    assert is_away(raised(f"DO $$ BEGIN RAISE 'gone' USING ERRCODE = '{code}'; END $$"))


def test_a_server_that_nobody_reaches_is_away() -> None:
    with pytest.raises(psycopg2.OperationalError) as caught:
        psycopg2.connect(host="127.0.0.1", port=1)
    assert is_away(caught.value)

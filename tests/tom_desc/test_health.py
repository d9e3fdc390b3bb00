"""Health, and what is logged where the database is gone."""

import logging
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.test import Client


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

"""Logging in, as the documented client and the published example do it."""

from pathlib import Path
from typing import Any

import pytest
import requests
from django.test import Client

from tests.localtom import LocalTom
from tom_client import TomClient


@pytest.fixture
def astronomer(django_user_model: Any) -> Any:
    return django_user_model.objects.create_user("astronomer", password="testing")


@pytest.mark.django_db
def test_the_login_page_sets_the_token_and_a_failure_says_so() -> None:
    client = Client()
    assert client.get("/accounts/login/").status_code == 200
    assert client.cookies["csrftoken"].value
    failed = client.post("/accounts/login/", {"username": "nobody", "password": "wrong"})
    assert failed.status_code == 200
    assert "Please enter a correct" in failed.content.decode()


@pytest.mark.django_db
def test_after_the_login_the_front_page_answers(astronomer: Any) -> None:
    client = Client()
    answer = client.post("/accounts/login/", {"username": "astronomer", "password": "testing"}, follow=True)
    assert (answer.redirect_chain, answer.status_code) == ([("/", 302)], 200)


@pytest.mark.django_db
@pytest.mark.parametrize("page", ["/elasticc2/", "/elasticc2/hot", "/elasticc2/object/7"])
def test_pages_send_the_anonymous_to_the_login(page: str) -> None:
    answer = Client().get(page)
    assert (answer.status_code, answer["Location"]) == (302, f"/accounts/login/?next={page}")


@pytest.mark.full
def test_the_client_logs_in_and_asks(tom: LocalTom, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("testing\n")
    client = TomClient(url=f"{tom.url}/", username="root", passwordfile=secret)
    assert client.post("/elasticc2/ltcv", json={"objectid": 1}).json()["unknown"] == [1]
    assert client.get("elasticc2/ltcv").status_code == 400


@pytest.mark.full
def test_the_client_says_why_it_was_not_let_in(tom: LocalTom) -> None:
    with pytest.raises(RuntimeError, match="wrong user name or password for root"):
        TomClient(url=tom.url, username="root", password="guess")
    with pytest.raises(RuntimeError, match="either password or passwordfile"):
        TomClient(url=tom.url, username="root")


@pytest.mark.full
def test_a_session_by_hand_as_published(tom: LocalTom) -> None:
    """The published example sends its token under a misspelt name; GETs must not need it."""
    session = requests.Session()
    session.get(f"{tom.url}/accounts/login/")
    form = {"username": "root", "password": "testing", "csrfmiddlewaretoken": session.cookies["csrftoken"]}
    assert session.post(f"{tom.url}/accounts/login/", data=form).status_code == 200
    headers = {"X-CSRFTokien": session.cookies["csrftoken"]}
    assert session.get(f"{tom.url}/elasticc2/ltcv", json={"objectid": 1}, headers=headers).status_code == 200
    assert session.post(f"{tom.url}/elasticc2/ltcv", json={"objectid": 1}, headers=headers).status_code == 403

"""How much a request may bring."""

from typing import Any

import pytest
from django.test import Client

from tom_desc.accounts.bodies import ANONYMOUS_BYTES

pytestmark = pytest.mark.django_db
LARGE = b"x" * (ANONYMOUS_BYTES + 1)


@pytest.mark.parametrize("page", ["/accounts/login/", "/elasticc2/brokermessage/", "/nowhere"])
def test_the_anonymous_bring_little(page: str) -> None:
    assert Client().post(page, LARGE, content_type="application/x-www-form-urlencoded").status_code == 413


def test_an_account_may_bring_more(django_user_model: Any) -> None:
    client = Client()
    client.force_login(django_user_model.objects.create_user("astronomer"))
    response = client.post("/elasticc2/ltcv", LARGE, content_type="application/json")
    assert response.status_code == 400

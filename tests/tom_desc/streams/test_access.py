"""Who sees what of the streams."""

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.test import RequestFactory

from tom_desc.accounts.groups import make_groups
from tom_desc.accounts.models import BrokerAccount
from tom_desc.streams.access import for_admins, own_brokers, shown_brokers

pytestmark = pytest.mark.django_db


def account(group: str = "", *, bound_to: str = "", **attributes: Any) -> Any:
    make_groups()
    user = get_user_model().objects.create_user("somebody", **attributes)
    if group:
        user.groups.add(user.groups.model.objects.get(name=group))
    if bound_to:
        BrokerAccount.objects.create(user=user, brokername=bound_to)
    return user


def test_a_bound_account_has_its_own_brokers() -> None:
    assert own_brokers(account("elasticc_broker", bound_to="Fink")) == {"Fink"}


def test_an_unbound_account_speaks_for_all_brokers() -> None:
    assert own_brokers(account("Broker")) is None


def test_an_operator_sees_all_brokers_even_if_bound_to_one() -> None:
    assert own_brokers(account("elasticc_admin", bound_to="Fink")) is None


def test_others_have_no_brokers_but_see_what_all_said() -> None:
    user = account("Public")
    with pytest.raises(PermissionDenied, match="for broker teams"):
        own_brokers(user)
    assert shown_brokers(user) is None


def test_an_account_that_was_closed_has_no_brokers() -> None:
    with pytest.raises(PermissionDenied):
        own_brokers(account("elasticc_broker", is_active=False))


@for_admins
def operators_page(request: Any) -> HttpResponse:
    return HttpResponse("yes")


def test_an_operators_page_is_for_operators(rf: RequestFactory) -> None:
    request = rf.get("/streams/")
    request.user = account("elasticc_admin")
    assert operators_page(request).status_code == 200


def test_an_operators_page_is_refused_to_others(rf: RequestFactory) -> None:
    request = rf.get("/streams/")
    request.user = account("elasticc_broker")
    with pytest.raises(PermissionDenied, match="elasticc_admin"):
        operators_page(request)


def test_an_operators_page_asks_strangers_to_log_in(rf: RequestFactory) -> None:
    request = rf.get("/streams/")
    request.user = AnonymousUser()
    response = operators_page(request)
    assert (response.status_code, response["Location"]) == (302, "/accounts/login/?next=/streams/")

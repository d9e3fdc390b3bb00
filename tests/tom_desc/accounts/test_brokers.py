from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission

from tom_desc.accounts.brokers import brokers_of
from tom_desc.accounts.groups import PERMISSIONS_OF_GROUP, make_groups
from tom_desc.accounts.models import BrokerAccount

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> Any:
    make_groups()
    return get_user_model().objects.create_user("somebody")


def may_put(user: Any) -> bool:
    try:
        brokers_of(user)
    except PermissionError:
        return False
    return True


@pytest.mark.parametrize("group", PERMISSIONS_OF_GROUP)
def test_groups_may_what_django_says_they_may(user: Any, group: str) -> None:
    user.groups.add(Group.objects.get(name=group))
    assert may_put(user) == get_user_model().objects.get().has_perm("accounts.elasticc_broker")


def test_somebody_may_not(user: Any) -> None:
    assert not may_put(user)


def test_a_permission_of_ones_own_counts(user: Any) -> None:
    user.user_permissions.add(Permission.objects.get(codename="elasticc_broker"))
    assert may_put(user)


@pytest.mark.parametrize("active", [True, False])
def test_a_superuser_may_while_the_account_is_active(user: Any, active: bool) -> None:
    user.is_superuser, user.is_active = True, active
    user.save()
    assert may_put(user) == active


def test_an_account_is_bound_to_its_brokers_only(user: Any) -> None:
    user.groups.add(Group.objects.get(name="Broker"))
    assert brokers_of(user) is None
    for name in ("Fink", "ALeRCE"):
        BrokerAccount.objects.create(user=user, brokername=name)
    assert brokers_of(user) == {"Fink", "ALeRCE"}

"""bootstrap makes what a new database needs, and test accounts on local servers only."""

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.db import connection

pytestmark = pytest.mark.django_db


def test_the_test_accounts_are_what_the_documentation_says(django_user_model: Any) -> None:
    for _ in range(2):
        call_command("bootstrap", "--test-accounts")
    root, broker = (django_user_model.objects.get(username=name) for name in ("root", "apibroker"))
    assert root.is_superuser and root.check_password("testing")
    assert broker.check_password("testing") and not broker.is_superuser
    assert broker.has_perm("accounts.elasticc_broker") and not broker.has_perm("accounts.elasticc_admin")
    assert sorted(group.name for group in broker.groups.all()) == ["Public", "elasticc_broker"]


def test_test_accounts_are_refused_elsewhere(django_user_model: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL tom.local_server = 'no'")
    with pytest.raises(CommandError, match="local servers"):
        call_command("bootstrap", "--test-accounts")
    assert not django_user_model.objects.exists()


def test_sequences_go_on_after_what_an_import_brought() -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO elasticc2_brokernews (news_id, diasource_ids) VALUES (10000000, '{5}')")
        call_command("bootstrap")
        cursor.execute("INSERT INTO elasticc2_brokernews (diasource_ids) VALUES ('{6}') RETURNING news_id")
        assert cursor.fetchone() == (10000001,)


def test_the_groups_have_their_permissions() -> None:
    call_command("bootstrap")
    given = {group.name: {p.codename for p in group.permissions.all()} for group in Group.objects.all()}
    assert given == {
        "Public": set(),
        "elasticc_broker": {"elasticc_broker"},
        "Broker": {"elasticc_broker"},
        "elasticc_admin": {"elasticc_admin", "elasticc_broker"},
        "fastdb_writer": {"fastdb_writer"},
    }

"""What a new database needs after migrate."""

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from tom_desc.accounts.groups import make_groups
from tom_desc.campaigns.grants import grant_sql_roles
from tom_desc.campaigns.registry import campaigns
from tom_desc.partitions import repair_sequences

TEST_PASSWORD = "testing"


class Command(BaseCommand):
    help = (
        "Make the groups and the SQL roles with their grants, and move sequences past what an import brought."
        " Run it again as often as you like."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--test-accounts",
            action="store_true",
            help="also make the superuser root and the broker account apibroker, both with password testing;"
            " only on the project's own local servers",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["test_accounts"] and not is_local_server():
            raise CommandError(
                "--test-accounts is for the local servers of ./tom only: this database server does not say"
                " tom.local_server = yes"
            )
        make_groups()
        grant_sql_roles(create=True)
        for info in campaigns():
            repair_sequences(f"{info.name}_")
        made = make_test_accounts() if options["test_accounts"] else []
        self.stdout.write("groups, SQL roles and grants are in place" + "".join(f"; {name}" for name in made))


def is_local_server() -> bool:
    """Whether the database server is one that ``localservers`` started: it says so itself."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('tom.local_server', true)")
        return bool(cursor.fetchone()[0] == "yes")


def make_test_accounts() -> list[str]:
    """``root`` and ``apibroker`` with the documented password; existing ones get it again."""
    users = get_user_model().objects
    root, _ = users.update_or_create(username="root", defaults={"is_superuser": True, "is_staff": True})
    apibroker, _ = users.get_or_create(username="apibroker")
    apibroker.groups.add(Group.objects.get(name="elasticc_broker"))
    for user in (root, apibroker):
        if not user.check_password(TEST_PASSWORD):
            user.set_password(TEST_PASSWORD)
            user.save()
    return [f"user {user.get_username()}" for user in (root, apibroker)]

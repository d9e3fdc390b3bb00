from typing import Any

from django.db import migrations


def make_public(apps: Any, schema_editor: Any) -> None:
    """Every user belongs to Public, those that were there before too."""
    group, _ = apps.get_model("auth", "Group").objects.get_or_create(name="Public")
    for user in apps.get_model("auth", "User").objects.all():
        user.groups.add(group)


class Migration(migrations.Migration):
    """The group of all users."""

    dependencies = [("accounts", "0001_accounts"), ("auth", "0012_alter_user_first_name_max_length")]

    operations = [migrations.RunPython(make_public, migrations.RunPython.noop)]

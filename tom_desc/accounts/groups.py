"""The public groups and what each may do (``decisions.md``, Who sees what)."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractUser, Group, Permission
from django.db.models.signals import post_save

PUBLIC = "Public"
PERMISSIONS_OF_GROUP = {
    PUBLIC: (),
    "elasticc_broker": ("elasticc_broker",),
    "Broker": ("elasticc_broker",),
    "elasticc_admin": ("elasticc_admin", "elasticc_broker"),
    "fastdb_writer": ("fastdb_writer",),
}


def make_groups() -> None:
    """Create the groups that are missing and give each its permissions; nothing is taken away."""
    for name, codenames in PERMISSIONS_OF_GROUP.items():
        group, _ = Group.objects.get_or_create(name=name)
        group.permissions.add(
            *Permission.objects.filter(content_type__app_label="accounts", codename__in=codenames)
        )


def is_admin(user: Any) -> bool:
    """Whether the user sees truth, the future and everybody's queries."""
    return bool(user.has_perm("accounts.elasticc_admin"))


def join_public(*, instance: AbstractUser, created: bool, raw: bool, **signal: Any) -> None:
    """Every new user is in ``Public``."""
    if created and not raw:
        group, _ = Group.objects.get_or_create(name=PUBLIC)
        instance.groups.add(group)


def connect() -> None:
    post_save.connect(join_public, sender=settings.AUTH_USER_MODEL, dispatch_uid="accounts.join_public")

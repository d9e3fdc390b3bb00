from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate


class CampaignsConfig(AppConfig):
    """One row per campaign: zeropoint, flux unit, clock, whether it has ended; and the SQL roles' grants."""

    name = "tom_desc.campaigns"
    label = "campaigns"

    def ready(self) -> None:
        pre_migrate.connect(step_aside, sender=self, dispatch_uid="campaigns.step_aside")
        post_migrate.connect(grant_after_migrate, sender=self, dispatch_uid="campaigns.grants")


def step_aside(*, using: str, plan: list[Any] | None = None, **signal: Any) -> None:
    """The SQL users' views would stand in a migration's way."""
    from tom_desc.campaigns.grants import drop_views

    if plan:
        drop_views(using=using)


def grant_after_migrate(*, using: str, plan: list[Any] | None = None, **signal: Any) -> None:
    """A migration may have made tables: the roles, where there are any, get their grants again."""
    from tom_desc.campaigns.grants import grant_sql_roles

    if plan:
        grant_sql_roles(using=using, create=False)

"""Now in survey time, and who may look beyond it."""

from dataclasses import dataclass
from typing import Any

from django.db import connection

from tom_desc.accounts.groups import is_admin
from tom_desc.campaigns.registry import CampaignInfo


@dataclass(frozen=True)
class Now:
    """``mjd`` is MJD (TAI), None while a campaign on the ``sent`` clock has no source."""

    mjd: float | None
    ended: bool

    def at(self, mjd_now: float | None) -> float:
        """What was asked for, else the clock; where there is none, before everything. MJD (TAI)."""
        if mjd_now is not None:
            return mjd_now
        return self.mjd if self.mjd is not None else float("-inf")

    def hidden_after(self, user: Any) -> float | None:
        """The MJD (TAI) after which this user sees no PPDB row; None where all is open."""
        if self.ended or is_admin(user):
            return None
        return self.at(None)

    def shows_truth_to(self, user: Any) -> bool:
        return self.ended or is_admin(user)


def recount_sent(campaign: CampaignInfo) -> None:
    """Set what triggers keep from all alerts: after somebody unmarked some, or restored without triggers."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE campaigns_campaign SET sent_mjd = ({campaign.latest_sent}) WHERE name = %s",
            (campaign.name,),
        )


def now(campaign: CampaignInfo) -> Now:
    """The campaign's clock, read once by a view or a command and handed down from there."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT mjd_now, ended FROM {campaign.clock_view}")
        mjd, ended = cursor.fetchone() or (None, False)
    return Now(mjd=mjd, ended=ended)

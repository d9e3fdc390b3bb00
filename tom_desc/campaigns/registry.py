"""The campaigns' own description of themselves, so that shared code need not import any of them."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class CampaignInfo:
    """What shared code must know of a campaign.

    Attributes
    ----------
    clock_view
        A view with one row: ``mjd_now`` (MJD TAI; NULL while nothing is loaded) and ``ended``.
    latest_sent
        Query of the greatest midpointtai of a sent alert, over all alerts.
    open_tables
        Tables that every SQL user may read.
    cut_views
        View definitions, by public table name, of what users see only up to the clock or after the end.
    checkup
        Where the campaign's own findings for ``manage.py doctor`` are: the dotted name of a function of how
        many objects to take as a sample, which yields them.
    """

    name: str
    title: str
    clock_view: str
    latest_sent: str
    open_tables: tuple[str, ...] = ()
    cut_views: dict[str, str] = field(default_factory=dict)
    checkup: str = ""


_campaigns: dict[str, CampaignInfo] = {}


def register(campaign: CampaignInfo) -> None:
    """Called once by each campaign's AppConfig."""
    _campaigns[campaign.name] = campaign


def campaigns() -> list[CampaignInfo]:
    """All registered campaigns by name."""
    return [_campaigns[name] for name in sorted(_campaigns)]


def campaign(name: str) -> CampaignInfo:
    """The campaign of that name; KeyError where there is none."""
    return _campaigns[name]

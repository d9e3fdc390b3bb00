"""Where the campaigns' pages are, for the links on every page; error pages and login have them too."""

from dataclasses import dataclass

from django import template
from django.urls import NoReverseMatch, reverse

from tom_desc.campaigns.registry import campaigns

register = template.Library()


@dataclass(frozen=True)
class CampaignLinks:
    """A campaign's name as it is written, and its pages; ``hot`` is empty where it has no such page."""

    title: str
    front: str
    hot: str


@register.simple_tag
def campaign_links() -> list[CampaignLinks]:
    """Links to the pages of every campaign that has pages, by the campaign's name as URL namespace."""
    links = [
        CampaignLinks(campaign.title, page_of(campaign.name, "front"), page_of(campaign.name, "hot"))
        for campaign in campaigns()
    ]
    return [campaign for campaign in links if campaign.front]


def page_of(campaign: str, page: str) -> str:
    """The page's path, or nothing where the campaign has no such page."""
    try:
        return reverse(f"{campaign}:{page}")
    except NoReverseMatch:
        return ""

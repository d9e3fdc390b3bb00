"""Where the campaigns' pages are, for the links on every page; error pages and login have them too."""

from dataclasses import dataclass
from typing import Any

from django import template
from django.urls import NoReverseMatch, reverse

from tom_desc.campaigns.registry import campaigns

register = template.Library()


@dataclass(frozen=True)
class CampaignLinks:
    """A campaign's name as it is written, and its pages; empty where it has no such page."""

    title: str
    front: str
    hot: str
    stream: str


@register.simple_tag
def campaign_links() -> list[CampaignLinks]:
    """Links to the pages of every campaign that has pages, by the campaign's name as URL namespace."""
    links = [
        CampaignLinks(campaign.title, *(page_of(campaign.name, page) for page in ("front", "hot", "stream")))
        for campaign in campaigns()
    ]
    return [campaign for campaign in links if campaign.front]


@dataclass(frozen=True)
class Link:
    """A page's name in a menu, and its path."""

    label: str
    path: str


BROKERS, ADMINS = "accounts.elasticc_broker", "accounts.elasticc_admin"
# A page about the stream: its name among URLs, what the menu says, and who may see it (empty: every user).
OF_CAMPAIGN = (
    ("stream", "Connect", ""),
    ("stream-classifiers", "Classifiers", ""),
    ("stream-coverage", "Coverage", ""),
    ("alertstreamhists", "Sending", ""),
)
OF_ALL_CAMPAIGNS = (
    ("rejects", "Rejects", BROKERS),
    ("consumers", "Consumers", ADMINS),
    ("deadletters", "Dead letters", ADMINS),
)


@register.simple_tag
def stream_links(user: Any) -> list[Link]:
    """The pages about the stream that this user may see."""
    pages = [(campaign.name, *page) for campaign in campaigns() for page in OF_CAMPAIGN]
    pages += [("streams", *page) for page in OF_ALL_CAMPAIGNS]
    links = [Link(label, page_of(owner, page)) for owner, page, label, right in pages if may(user, right)]
    return [link for link in links if link.path]


def may(user: Any, right: str) -> bool:
    return not right or user.has_perm(right)


def page_of(owner: str, page: str) -> str:
    """The page's path, or nothing where the campaign (or the streams) has no such page."""
    try:
        return reverse(f"{owner}:{page}")
    except NoReverseMatch:
        return ""

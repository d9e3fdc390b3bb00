"""Campaigns in ``/metrics``: their clocks."""

from collections.abc import Iterator
from datetime import datetime

from prometheus_client.core import Metric

from tom_desc.campaigns.clock import now as campaign_now
from tom_desc.campaigns.registry import campaigns
from tom_desc.metrics import gauge


def families(now: datetime) -> Iterator[Metric]:
    """Now in survey time, of each campaign that has one."""
    clocks = [(campaign.name, campaign_now(campaign).mjd) for campaign in campaigns()]
    yield gauge(
        "tom_clock_mjd",
        "Now in the campaign's survey time, MJD (TAI) in days.",
        ["campaign"],
        [(name, mjd) for name, mjd in clocks if mjd is not None],
    )

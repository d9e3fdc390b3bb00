"""The shared pages: front page, and what a visitor sees when something went wrong."""

import sys
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from tom_desc.campaigns.clock import now
from tom_desc.campaigns.registry import CampaignInfo, campaigns
from tom_desc.campaigns.templatetags.navigation import page_of
from tom_desc.health import is_away
from tom_desc.jsonpost import refused
from tom_desc.mjd import utc
from tom_desc.requestlog import request_id


@require_safe
def front_page(request: HttpRequest) -> HttpResponse:
    """What this server is; for who is logged in, the campaigns and their clocks."""
    if not request.user.is_authenticated:
        return render(request, "front.html")
    overview = [card(campaign) for campaign in campaigns()]
    return render(request, "front.html", {"campaigns": overview})


def card(campaign: CampaignInfo) -> dict[str, Any]:
    """What the front page says of a campaign."""
    clock = now(campaign)
    return {
        "title": campaign.title,
        "front": page_of(campaign.name, "front"),
        "hot": page_of(campaign.name, "hot"),
        "clock": clock,
        "clock_utc": utc(clock.mjd) if clock.mjd is not None else None,
    }


def server_error(request: HttpRequest) -> HttpResponseBase:
    """A database that is away, or our bug: then the log has the traceback under the same id."""
    if is_away(sys.exception()):
        return refused(request, 503, "the database does not answer; try again in a moment")
    return HttpResponse(
        f"Server error. It was logged as request {request_id.get()}; please tell the operators this number.",
        status=500,
        content_type="text/plain; charset=utf-8",
    )

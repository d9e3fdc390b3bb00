"""The shared pages: front page, and what a visitor sees when something went wrong."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from tom_desc.campaigns.clock import now
from tom_desc.campaigns.registry import campaigns
from tom_desc.mjd import utc
from tom_desc.requestlog import request_id


@require_safe
def front_page(request: HttpRequest) -> HttpResponse:
    """What this server is; for who is logged in, the campaigns and their clocks."""
    if not request.user.is_authenticated:
        return render(request, "front.html")
    clocks = [(campaign, now(campaign)) for campaign in campaigns()]
    overview = [
        {"name": campaign.name, "title": campaign.title, "clock": clock, "utc": clock.mjd and utc(clock.mjd)}
        for campaign, clock in clocks
    ]
    return render(request, "front.html", {"campaigns": overview})


def server_error(request: HttpRequest) -> HttpResponse:
    """Our bug: the log has the traceback under the same id."""
    return HttpResponse(
        f"Server error. It was logged as request {request_id.get()}; please tell the operators this number.",
        status=500,
        content_type="text/plain; charset=utf-8",
    )

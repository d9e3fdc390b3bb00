"""The TOM's own URLs, and the least that a view for people who are logged in can do."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.urls import path

from tom_desc import urls


@login_required
def bare(request: HttpRequest) -> HttpResponse:
    """All that a request costs before a view does anything: server, middleware, session, user."""
    return HttpResponse(b"{}", content_type="application/json")


urlpatterns = [path("bare", bare), *urls.urlpatterns]
handler500 = urls.handler500

"""The pages of ELAsTiCC2: front page, hot list, one page an object."""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from elasticc2 import counts, dossier, hotlist, lightcurves
from elasticc2.campaign import ELASTICC2, NAME
from elasticc2.models import DiaObject
from elasticc2.opinions import latest_opinions
from tom_desc import sky
from tom_desc.accounts.groups import is_admin
from tom_desc.campaigns.clock import Now, now
from tom_desc.campaigns.models import Campaign
from tom_desc.fields import MAX_ID
from tom_desc.jsonpost import JSON
from tom_desc.mjd import utc

# Survey times and windows outside are typing errors: MJD 0 is 1858, 100000 is 2132.
MAX_MJD = 100_000.0
MAX_PAGE = 1_000_000


@require_safe
@login_required
def front_page(request: HttpRequest) -> HttpResponse:
    """Counts, clock and links."""
    clock = now(ELASTICC2)
    context = clock_context(clock) | {
        "known": counts.counts(counts.KNOWN),
        "survey": counts.counts(counts.SURVEY) if is_admin(request.user) else None,
        "hot_days": lightcurves.HOT_DAYS,
    }
    return render(request, "elasticc2/front.html", context)


def clock_context(clock: Now) -> dict[str, Any]:
    """What every page says about the time, and about the fluxes."""
    return {
        "clock": clock,
        "clock_utc": utc(clock.mjd) if clock.mjd is not None else None,
        "campaign": Campaign.objects.get(name=NAME),
    }


@require_safe
@login_required
def find_object(request: HttpRequest) -> HttpResponse:
    """From the form of the front page to the object's page."""
    try:
        objectid = whole(request.GET, "id", MAX_ID)
    except BadQuery as refusal:
        return bad_query(request, refusal)
    if objectid is None:
        return HttpResponseRedirect(reverse("elasticc2:front"))
    return HttpResponseRedirect(reverse("elasticc2:object", args=(objectid,)))


@require_safe
@login_required
def object_page(request: HttpRequest, objectid: int) -> HttpResponse:
    """All that the TOM knows of an object."""
    of_object = known_object(objectid)
    clock = now(ELASTICC2)
    curves = light_curve(objectid, clock)
    points = dossier.points_of(objectid, curves)
    bands = dossier.band_summaries(objectid, points, curves.zeropoint)
    context = clock_context(clock) | {
        "object": of_object,
        "objectid": str(objectid),
        "sexagesimal": sky.position(of_object.ra, of_object.decl),
        "bands": bands,
        "detections": sum(band.detections for band in bands),
        "opinions": latest_opinions([objectid]).get(objectid, []),
        "hosts": dossier.hosts(of_object),
        "spectra": dossier.spectra(objectid, until_mjd=clock.at(None)),
        "truth": dossier.truth(objectid) if clock.shows_truth_to(request.user) else None,
        "rows": dossier.table_rows(points),
        "plot": dossier.plot_data(points) | {"objectid": str(objectid), "zeropoint": curves.zeropoint},
        "url": request.build_absolute_uri("/").rstrip("/"),
    }
    return render(request, "elasticc2/object.html", context)


@require_safe
@login_required
def object_json(request: HttpRequest, objectid: int) -> HttpResponse:
    """The light curve of the object's page, as ``ltcv`` gives it with host information."""
    known_object(objectid)
    curves = light_curve(objectid, now(ELASTICC2))
    answer = lightcurves.answer(curves, rows=[0], return_format=0, include_hostinfo=True)
    content = orjson.dumps({"status": "ok", "diaobject": answer, "unknown": []}, option=JSON)
    return HttpResponse(content, content_type="application/json")


def known_object(objectid: int) -> DiaObject:
    """The object; the page for 404 where the TOM does not have it."""
    found = DiaObject.objects.filter(pk=objectid).first()
    if found is None:
        raise Http404(
            f"The TOM has no object {objectid} (yet): it learns of an object when a broker answers an alert."
        )
    return found


def light_curve(objectid: int, clock: Now) -> lightcurves.LightCurves:
    return lightcurves.light_curves(objectids=[objectid], until_mjd=None, spectra_until_mjd=clock.at(None))


@require_safe
@login_required
def hot_list(request: HttpRequest) -> HttpResponse:
    """Hot transients: query keys ``days`` or ``detected_since_mjd``, ``mjd_now``, ``page``."""
    clock = now(ELASTICC2)
    try:
        window = asked_window(request.GET, clock)
        page_number = whole(request.GET, "page", MAX_PAGE) or 1
    except BadQuery as refusal:
        return bad_query(request, refusal)
    context = clock_context(clock)
    page = hotlist.hot_page(
        since_mjd=window.since_mjd,
        until_mjd=window.until_mjd,
        zeropoint=context["campaign"].zeropoint,
        number=page_number,
    )
    if page_number > page.pages:
        raise Http404(f"The hot list of this window has no page {page_number}.")
    context |= {"window": window, "page": page, "asked": request.GET, **page_links(request.GET, page)}
    return render(request, "elasticc2/hot.html", context)


def page_links(query: QueryDict, page: hotlist.HotPage) -> dict[str, str]:
    """Query strings of the pages beside this one; empty where there is none."""

    def link(page_number: int) -> str:
        other = query.copy()
        other["page"] = str(page_number)
        return f"?{other.urlencode()}" if 1 <= page_number <= page.pages else ""

    return {"previous_page": link(page.number - 1), "next_page": link(page.number + 1)}


@dataclass(frozen=True)
class Window:
    """When hot objects were detected: MJD (TAI), bounds included; infinite while there is no clock."""

    since_mjd: float
    until_mjd: float

    @property
    def is_open(self) -> bool:
        return math.isfinite(self.since_mjd) and math.isfinite(self.until_mjd)

    @property
    def since_utc(self) -> datetime | None:
        return utc(self.since_mjd) if self.is_open else None

    @property
    def until_utc(self) -> datetime | None:
        return utc(self.until_mjd) if self.is_open else None


def asked_window(query: QueryDict, clock: Now) -> Window:
    """The window that a query asks for; BadQuery where it makes no sense."""
    mjd_now = real(query, "mjd_now", MAX_MJD)
    since = real(query, "detected_since_mjd", MAX_MJD)
    days = real(query, "days", MAX_MJD)
    if since is not None and days is not None:
        raise BadQuery("only give one of detected_since_mjd and days")
    until = clock.at(mjd_now)
    if since is None:
        since = until - (lightcurves.HOT_DAYS if days is None else days)
    return Window(since, until)


class BadQuery(Exception):
    """A query key that makes no sense; the sentence says which and why."""


def real(query: QueryDict, key: str, most: float) -> float | None:
    """A query key as a number from 0 to ``most``; None where it is missing or empty."""
    text = query.get(key, "").strip()
    try:
        value = float(text) if text else None
    except ValueError:
        value = math.nan
    if value is not None and not 0 <= value <= most:
        raise BadQuery(f"{key} must be a number from 0 to {most:g}, not {text[:60]!r}")
    return value


def whole(query: QueryDict, key: str, most: int) -> int | None:
    """A query key as a whole number from 1 to ``most``; None where it is missing or empty."""
    text = query.get(key, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and 1 <= int(text) <= most):
        raise BadQuery(f"{key} must be a whole number from 1 to {most}, not {text[:60]!r}")
    return int(text)


def bad_query(request: HttpRequest, refusal: BadQuery) -> HttpResponse:
    return render(request, "400.html", {"sentence": str(refusal)}, status=400)

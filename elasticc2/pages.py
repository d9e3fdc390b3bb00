"""The pages of ELAsTiCC2: front page, hot list, one page an object."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from elasticc2 import counts, dossier, hotcolumns, hotlist, lastnight, lightcurve_json, lightcurves
from elasticc2.bands import SLOPE_DAYS, band_summaries
from elasticc2.campaign import ELASTICC2, NAME
from elasticc2.models import DiaObject
from elasticc2.opinions import latest_opinions
from elasticc2.opinions_over_time import opinions_over_time
from tom_desc.accounts.groups import is_admin
from tom_desc.campaigns.clock import Now, now
from tom_desc.campaigns.models import Campaign
from tom_desc.fields import MAX_ID
from tom_desc.jsonpost import json_answer
from tom_desc.mjd import utc
from tom_desc.querykeys import BadQuery, changed, real, refuses_bad_queries, whole

MAX_PAGE = 1_000_000


@require_safe
@login_required
def front_page(request: HttpRequest) -> HttpResponse:
    """What changed last night, counts, clock and links."""
    clock = now(ELASTICC2)
    context = clock_context(clock)
    now_mjd = clock.at(None)
    since_mjd = now_mjd - lightcurves.HOT_DAYS
    context |= {
        "night": lastnight.latest_night(now_mjd=now_mjd, zeropoint=context["campaign"].zeropoint),
        "heard": lastnight.heard_since(datetime.now(UTC) - lastnight.LATELY),
        "hot": lastnight.count_hot(since_mjd=since_mjd, until_mjd=now_mjd),
        "hot_days": lightcurves.HOT_DAYS,
        "known": counts.counts(counts.KNOWN),
        "survey": counts.counts(counts.SURVEY) if is_admin(request.user) else None,
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
@refuses_bad_queries
def find_object(request: HttpRequest) -> HttpResponse:
    """From the form of the front page to the object's page."""
    objectid = whole(request.GET, "id", MAX_ID)
    if objectid is None:
        return HttpResponseRedirect(reverse("elasticc2:front"))
    return HttpResponseRedirect(reverse("elasticc2:object", args=(objectid,)))


@require_safe
@login_required
@refuses_bad_queries
def object_page(request: HttpRequest, objectid: int) -> HttpResponse:
    """All that the TOM knows of an object."""
    of_object = known_object(objectid)
    over_time = opinions_over_time(objectid, classid=asked_class(request.GET))
    clock = now(ELASTICC2)
    curves = light_curve(objectid, clock)
    points = dossier.points_of(objectid, curves)
    bands = band_summaries(points, clock_mjd=clock.mjd)
    context = clock_context(clock) | {
        "object": of_object,
        "objectid": str(objectid),
        "position": dossier.position(of_object.ra, of_object.decl),
        "bands": bands,
        "slope_days": SLOPE_DAYS,
        "detections": sum(band.detections for band in bands),
        "over_time": over_time,
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
def object_json(request: HttpRequest, objectid: int) -> HttpResponseBase:
    """The light curve of the object's page, as ``ltcv`` gives it with host information."""
    known_object(objectid)
    curves = light_curve(objectid, now(ELASTICC2), hostinfo=True)
    return json_answer(lightcurve_json.ltcv([curves], objectids=[objectid], return_format=0, hostinfo=True))


@require_safe
@login_required
@refuses_bad_queries
def object_opinions(request: HttpRequest, objectid: int) -> HttpResponse:
    """The part of the object's page that the query key ``class`` changes."""
    known_object(objectid)
    over_time = opinions_over_time(objectid, classid=asked_class(request.GET))
    return render(request, "elasticc2/opinions_over_time.html", {"over_time": over_time})


def asked_class(query: QueryDict) -> int | None:
    """The class id that a query asks for; None where it is missing or empty."""
    text = query.get("class", "").strip()
    if not text:
        return None
    if not re.fullmatch(r"-?[0-9]{1,5}", text):
        raise BadQuery(f"class must be the number of a class, such as 2222, not {text[:60]!r}")
    return int(text)


def known_object(objectid: int) -> DiaObject:
    """The object; the page for 404 where the TOM does not have it."""
    found = DiaObject.objects.filter(pk=objectid).first()
    if found is None:
        raise Http404(
            f"The TOM has no object {objectid} (yet): it learns of an object when a broker answers an alert."
        )
    return found


def light_curve(objectid: int, clock: Now, *, hostinfo: bool = False) -> lightcurves.LightCurves:
    (curves,) = lightcurves.light_curves(
        objectids=[objectid], until_mjd=None, spectra_until=lambda: clock.at(None), hostinfo=hostinfo
    )
    return curves


@require_safe
@login_required
@refuses_bad_queries
def hot_list(request: HttpRequest) -> HttpResponse:
    """Hot transients: query keys ``days`` or ``detected_since_mjd``, ``mjd_now``, ``sort``, ``page``."""
    clock = now(ELASTICC2)
    classifiers = hotcolumns.classifiers()
    columns = [*hotcolumns.COLUMNS, *(classifier.column for classifier in classifiers)]
    window = asked_window(request.GET, clock)
    sort = asked_sort(request.GET, columns)
    page_number = whole(request.GET, "page", MAX_PAGE) or 1
    context = clock_context(clock)
    page = hotlist.hot_page(
        since_mjd=window.since_mjd,
        until_mjd=window.until_mjd,
        zeropoint=context["campaign"].zeropoint,
        classifiers=classifiers,
        number=page_number,
        sort=sort,
    )
    if page_number > page.pages:
        raise Http404(f"The hot list of this window has no page {page_number}.")
    context |= {"window": window, "page": page, "asked": request.GET, "sort": str(sort)}
    context |= {"heads": heads(request.GET, columns, sort), **page_links(request.GET, page)}
    return render(request, "elasticc2/hot.html", context)


def asked_sort(query: QueryDict, columns: Sequence[hotcolumns.Column]) -> hotcolumns.Sort:
    """The order that a query asks for, the latest detection first where it does not."""
    text = query.get("sort", "").strip()
    try:
        keys = [column.key for column in columns]
        return hotcolumns.Sort.parse(text, keys) if text else hotcolumns.LATEST_FIRST
    except ValueError as error:
        raise BadQuery(str(error)) from error


@dataclass(frozen=True)
class Head:
    """The head of a column of the hot list.

    Attributes
    ----------
    choice
        A sort by this column, the one in force where that is by this column.
    href
        Leads to the list in the first order of the column, or in the other one where it is sorted by it.
    aria
        The value of ``aria-sort``; empty where the list is sorted by another column.
    """

    column: hotcolumns.Column
    choice: hotcolumns.Sort
    href: str
    aria: str

    @property
    def order(self) -> str:
        """The choice in words."""
        return self.column.order(self.choice)


def heads(query: QueryDict, columns: Sequence[hotcolumns.Column], sort: hotcolumns.Sort) -> list[Head]:
    """The heads of the hot list sorted so."""
    return [head(query, column, sort) for column in columns]


def head(query: QueryDict, column: hotcolumns.Column, sort: hotcolumns.Sort) -> Head:
    if sort.key == column.key:
        return Head(column, sort, changed(query, sort=str(sort.reverse), page=None), sort.aria)
    first = hotcolumns.Sort.first(column.key)
    return Head(column, first, changed(query, sort=str(first), page=None), "")


def page_links(query: QueryDict, page: hotlist.HotPage) -> dict[str, str]:
    """Query strings of the pages beside this one; empty where there is none."""

    def link(page_number: int) -> str:
        return changed(query, page=str(page_number)) if 1 <= page_number <= page.pages else ""

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
    mjd_now = real(query, "mjd_now", dossier.MAX_MJD)
    since = real(query, "detected_since_mjd", dossier.MAX_MJD)
    days = real(query, "days", dossier.MAX_MJD)
    if since is not None and days is not None:
        raise BadQuery("only give one of detected_since_mjd and days")
    until = clock.at(mjd_now)
    if since is None:
        since = until - (lightcurves.HOT_DAYS if days is None else days)
    return Window(since, until)

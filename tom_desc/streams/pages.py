"""The streams' shared pages: consumers, ledger, dead letters and rejects, and the schemas to keep."""

import io
import zipfile
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from tom_desc.campaigns.registry import campaigns
from tom_desc.campaigns.templatetags.navigation import Link, page_of
from tom_desc.downloads import download
from tom_desc.fields import MAX_ID
from tom_desc.querykeys import changed, day, phrase, refuses_bad_queries, whole
from tom_desc.streams import letterlist, schemas
from tom_desc.streams.access import for_admins, own_brokers
from tom_desc.streams.lag import lags
from tom_desc.streams.laglist import lag_list
from tom_desc.streams.ledgernights import night_page
from tom_desc.streams.letterlist import Filters
from tom_desc.streams.models import Gap

PAGE_GAPS = 50


@require_safe
@for_admins
@refuses_bad_queries
def consumers(request: HttpRequest) -> HttpResponse:
    """Where each consumer is, what became of each night's messages, and what was gone before it was read."""
    page = night_page(before=day(request.GET, "before"))
    context = {
        "behind": lag_list(lags(), moment=datetime.now(UTC)),
        "page": page,
        "older": page.older and changed(request.GET, before=page.older.isoformat()),
        "newest": changed(request.GET, before=None) if "before" in request.GET else "",
        "gaps": Gap.objects.order_by("-pk")[:PAGE_GAPS],
        "most_gaps": PAGE_GAPS,
    }
    return render(request, "streams/consumers.html", context)


@require_safe
@for_admins
@refuses_bad_queries
def dead_letters(request: HttpRequest) -> HttpResponse:
    """The dead letters of all: query keys ``source``, ``topic``, ``text``, ``before``."""
    source, topic, text = (phrase(request.GET, key) for key in ("source", "topic", "text"))
    filters = Filters(source=source, topic=topic, text=text)
    streams = letterlist.by_stream()
    choices = {
        "sources": sorted({source, *(stream.source for stream in streams)} - {""}),
        "topics": sorted({topic, *(stream.topic for stream in streams)} - {""}),
        "replays": replays(),
    }
    return render(request, "streams/deadletters.html", letter_context(request, filters) | choices)


def replays() -> list[Link]:
    """Where letters are replayed: the campaigns that can."""
    links = [Link(campaign.title, page_of(campaign.name, "stream-replay")) for campaign in campaigns()]
    return [link for link in links if link.path]


@require_safe
@login_required
@refuses_bad_queries
def rejects(request: HttpRequest) -> HttpResponse:
    """The dead letters of the account's own brokers: query keys ``text``, ``before``."""
    brokers = own_brokers(request.user)
    filters = Filters(text=phrase(request.GET, "text"), brokers=brokers)
    context = letter_context(request, filters) | {"brokers": sorted(brokers or [])}
    return render(request, "streams/rejects.html", context)


def letter_context(request: HttpRequest, filters: Filters) -> dict[str, Any]:
    """A page of letters, and how many pass the filters."""
    page = letterlist.letter_page(filters, before=whole(request.GET, "before", MAX_ID))
    number = letterlist.count(filters)
    return {
        "filters": filters,
        "letters": page.letters,
        "older": page.older and changed(request.GET, before=str(page.older)),
        "newest": changed(request.GET, before=None) if "before" in request.GET else "",
        "number": min(number, letterlist.COUNTED),
        "more": number > letterlist.COUNTED,
    }


@require_safe
@login_required
def value(request: HttpRequest, letter_id: int) -> HttpResponse:
    """A dead letter's bytes as they came: those of one's own brokers, for operators all."""
    letters = Filters(brokers=own_brokers(request.user)).letters
    letter = letters.filter(pk=letter_id).first() if letter_id <= MAX_ID else None
    if letter is None:
        raise Http404(f"There is no dead letter {letter_id} for you to see.")
    if letter.value is None:
        raise Http404(f"Dead letter {letter_id} came without a value.")
    filename = f"deadletter-{letter_id}.bin"
    return download(bytes(letter.value), filename=filename, content_type="application/octet-stream")


@require_safe
@login_required
def schema(request: HttpRequest, name: str) -> HttpResponse:
    """One Avro schema to keep; the records that it uses are files of their own."""
    names = schema_names()
    if name not in names:
        raise Http404(f"There is no schema {name}; there are {', '.join(names)}.")
    return download(schemas.path(name).read_bytes(), filename=f"{name}.avsc", content_type="application/json")


@require_safe
@login_required
def all_schemas(request: HttpRequest) -> HttpResponse:
    """All Avro schemas in one archive."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as files:
        for name in schema_names():
            files.write(schemas.path(name), f"{name}.avsc")
    return download(archive.getvalue(), filename="schemas.zip", content_type="application/zip")


def schema_names() -> list[str]:
    return sorted(path.stem for path in schemas.DIRECTORY.glob("*.avsc"))

"""The pages of ELAsTiCC2 about its stream: for broker teams, and how sending goes for everybody."""

import re
from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_POST, require_safe

from elasticc2 import classifierlist, connect, coveragetable, sendhists
from elasticc2.coverage import missing_alerts, nights_sent
from elasticc2.latency import latency
from elasticc2.models import BrokerClassifier
from elasticc2.poll import decode
from elasticc2.samples import samples
from elasticc2.sendstatus import latest_runs, latest_status
from tom_desc.downloads import csv_download, download
from tom_desc.fields import MAX_ID
from tom_desc.jsonpost import json_answer
from tom_desc.querykeys import BadQuery, changed, phrase, refuses_bad_queries, whole
from tom_desc.streams.access import for_admins, shown_brokers
from tom_desc.streams.deadletters import AlreadyRunning, Choice, Replayed, replay
from tom_desc.streams.lag import Lag, lags
from tom_desc.streams.laglist import lag_list
from tom_desc.streams.letterlist import Filters, TooManyLetters, carries, ids_to_replay
from tom_desc.streams.schemas import ALERT, BROKER_CLASSIFICATION

MOST_NIGHT = 1_000_000
# Latency of the last day; of many messages these stand for all.
LATELY = timedelta(days=1)
LATENCY_MESSAGES = 20_000
COVERAGE_HEADS = ("night", "classifier_id", *classifierlist.NAMES, "sent", "answered", "missing")
HOUR_HEADS = ("hour", "alerts", "messages", "bytes")


# ---- for broker teams


@require_safe
@login_required
def stream_page(request: HttpRequest) -> HttpResponse:
    """How to connect: servers, topics, schemas, and programs to start from."""
    brokers = shown_brokers(request.user)
    listened = connect.listened_topics(brokers, heard=heard_of(brokers) if brokers else ())
    context = {
        "server": settings.KAFKA_PUBLIC_SERVER,
        "test_topic": settings.ALERTS_TEST_TOPIC,
        "topics": connect.alert_topics(),
        "brokers": sorted(brokers or []),
        "listened": listened or connect.listened_topics(None),
        "is_own": bool(brokers and listened),
        "schemas": (ALERT, BROKER_CLASSIFICATION),
        "alert_schema": ALERT,
        "answer_schema": BROKER_CLASSIFICATION,
        "samples": samples(
            url=request.build_absolute_uri("/").rstrip("/"),
            username=request.user.get_username(),
            brokers=brokers,
            topics=[one.topic for one in listened],
        ),
    }
    return render(request, "elasticc2/stream.html", context)


def heard_of(brokers: Collection[str]) -> set[str]:
    """The topics on which these brokers' classifiers were last heard."""
    latest = classifierlist.latest_messages(moment=datetime.now(UTC))
    classifiers = classifierlist.classifiers_of(brokers)[: classifierlist.PAGE_ROWS]
    return classifierlist.topics_heard(list(classifiers), latest)


@require_safe
@login_required
@refuses_bad_queries
def classifier_list(request: HttpRequest) -> HttpResponse:
    """The account's classifiers, and how far behind they are read: query keys ``broker``, ``page``."""
    brokers = asked_brokers(request)
    paginator = Paginator(classifierlist.classifiers_of(brokers), classifierlist.PAGE_ROWS)
    page = paginator.get_page(whole(request.GET, "page", MAX_ID) or 1)
    moment = datetime.now(UTC)
    latest = classifierlist.latest_messages(moment=moment)
    heard = classifierlist.topics_heard(list(page), latest)
    context = broker_context(request) | {
        "page": page,
        "rows": classifierlist.classifier_rows(list(page), latest),
        "latest": latest,
        "behind": lag_list(lags_of(brokers, heard), moment=moment),
    }
    return render(request, "elasticc2/classifiers.html", context)


def broker_context(request: HttpRequest) -> dict[str, Any]:
    """Whose classifiers are shown, and what else may be chosen: accounts that are bound have no choice."""
    bound = shown_brokers(request.user)
    names = classifierlist.broker_names() if bound is None else []
    return {"bound": sorted(bound or []), "broker_names": names, "broker": request.GET.get("broker", "")}


def asked_brokers(request: HttpRequest) -> Collection[str] | None:
    """The brokers that the query key ``broker`` names, of those that the account is shown; None: all."""
    shown = shown_brokers(request.user)
    asked = phrase(request.GET, "broker")
    if not asked:
        return shown
    return {asked} if shown is None else shown & {asked}


def lags_of(brokers: Collection[str] | None, heard: Collection[str]) -> list[Lag]:
    """How far behind the streams are read that carry a name of these brokers (None: all), or were heard."""
    return [
        lag for lag in lags() if lag.topic in heard or carries(brokers, source=lag.source, topic=lag.topic)
    ]


@require_safe
@login_required
def classifier_page(request: HttpRequest, classifier_id: int) -> HttpResponse:
    """A classifier: its last message, how long its messages take, and what it answered each night."""
    classifier = known_classifier(classifier_id)
    moment = datetime.now(UTC)
    latest = classifierlist.latest_messages(moment=moment)
    (row,) = classifierlist.classifier_rows([classifier], latest)
    since = moment - LATELY
    context = {
        "row": row,
        "latest": latest,
        "stages": latency(since=since, classifier_ids=[classifier_id], messages=LATENCY_MESSAGES),
        "latency_messages": LATENCY_MESSAGES,
        "table": coveragetable.coverage_table([classifier], before=None),
    }
    return render(request, "elasticc2/classifier.html", context)


def known_classifier(classifier_id: int) -> BrokerClassifier:
    found = BrokerClassifier.objects.filter(pk=classifier_id).first() if classifier_id <= MAX_ID else None
    if found is None:
        raise Http404(f"No broker has a classifier {classifier_id}.")
    return found


# ---- coverage


@require_safe
@login_required
@refuses_bad_queries
def coverage_page(request: HttpRequest) -> HttpResponse:
    """What each classifier answered of each night: query keys ``broker``, ``before`` (a night)."""
    table = asked_coverage(request)
    context = broker_context(request) | {
        "table": table,
        "query": changed(request.GET),
        "older": table.older and changed(request.GET, before=str(table.older)),
        "newest": changed(request.GET, before=None) if "before" in request.GET else "",
    }
    return render(request, "elasticc2/coverage.html", context)


def asked_coverage(request: HttpRequest) -> coveragetable.CoverageTable:
    classifiers = classifierlist.classifiers_of(asked_brokers(request))[: classifierlist.PAGE_ROWS]
    return coveragetable.coverage_table(list(classifiers), before=whole(request.GET, "before", MOST_NIGHT))


@require_safe
@login_required
@refuses_bad_queries
def coverage_json(request: HttpRequest) -> HttpResponseBase:
    """The same numbers as JSON."""
    rows = [dict(zip(COVERAGE_HEADS, row, strict=True)) for row in coverage_numbers(request)]
    return json_answer({"coverage": rows})


@require_safe
@login_required
@refuses_bad_queries
def coverage_csv(request: HttpRequest) -> HttpResponse:
    """The same numbers as CSV."""
    return csv_download(COVERAGE_HEADS, coverage_numbers(request), filename="coverage.csv")


def coverage_numbers(request: HttpRequest) -> list[Sequence[Any]]:
    """The table, a cell a row."""
    return [
        (
            cell.night,
            cell.classifier_id,
            *(getattr(row.classifier, name) for name in classifierlist.NAMES),
            *(cell.sent, cell.answered, cell.missing),
        )
        for row in asked_coverage(request).rows
        for cell in row.cells
    ]


@require_safe
@login_required
def missing_file(request: HttpRequest, night: int, classifier_id: int) -> HttpResponse:
    """Ids of the alerts of a night that a classifier has not answered, one a line."""
    known_classifier(classifier_id)
    sent = nights_sent(limit=1, before=night + 1) if night <= MOST_NIGHT else []
    if not sent or sent[0][0] != night:
        raise Http404(f"No alert of night {night} was sent.")
    ids = missing_alerts(night=night, classifier_id=classifier_id)
    text = "".join(f"{alert_id}\n" for alert_id in ids.tolist())
    filename = f"missing_{night}_{classifier_id}.txt"
    return download(text.encode(), filename=filename, content_type="text/plain; charset=utf-8")


# ---- for operators


@require_POST
@for_admins
@refuses_bad_queries
def replay_letters(request: HttpRequest) -> HttpResponse:
    """Replay the letters chosen, or all that pass the filters; then lead back to the list."""
    names = {key: phrase(request.POST, key) for key in ("source", "topic", "text")}
    chosen = asked_letters(request.POST) if request.POST.get("what") != "all" else None
    try:
        ids = ids_to_replay(Filters(**names, ids=chosen))
        replayed = sum(replay(decode, Choice(ids=ids)), Replayed())
        messages.success(request, replayed_in_words(replayed) if ids else "There was no such letter.")
    except (AlreadyRunning, TooManyLetters) as error:
        messages.error(request, str(error))
    return HttpResponseRedirect(f"{reverse('streams:deadletters')}?{urlencode(names)}")


def asked_letters(form: QueryDict) -> list[int]:
    """The letters that a form names."""
    texts = form.getlist("letter")
    if not all(re.fullmatch("[0-9]{1,18}", text) for text in texts):
        raise BadQuery("letter must be the number of a letter")
    return [int(text) for text in texts]


def replayed_in_words(replayed: Replayed) -> str:
    before = replayed.valid - replayed.stored
    return (
        f"Looked at {replayed.letters:,} again: {replayed.stored:,} stored, {before:,} stored before,"
        f" {replayed.dead:,} still dead."
    )


# ---- sending


@require_safe
@login_required
@refuses_bad_queries
def alert_stream_hists(request: HttpRequest) -> HttpResponse:
    """How sending goes, and alerts sent an hour: query key ``before``, a week as in 2026-W47."""
    moment = datetime.now(UTC)
    page = sendhists.week_page(before=asked_week(request.GET), moment=moment)
    context = {
        "runs": latest_runs(moment=moment),
        "status": latest_status(moment=moment),
        "page": page,
        "older": page.older and changed(request.GET, before=page.older),
        "newest": changed(request.GET, before=None) if "before" in request.GET else "",
    }
    return render(request, "elasticc2/alertstreamhists.html", context)


def asked_week(query: QueryDict) -> datetime | None:
    """The Monday of the week that the query key ``before`` names; None where it is missing."""
    text = query.get("before", "").strip()
    if not text:
        return None
    week = re.fullmatch(r"([0-9]{4})-W([0-9]{2})", text)
    try:
        if week:
            return datetime.fromisocalendar(int(week[1]), int(week[2]), 1).replace(tzinfo=UTC)
    except ValueError:
        pass  # A year that has no such week is refused like what is no week at all.
    raise BadQuery(f"before must be a week such as 2026-W47, not {text[:60]!r}")


@require_safe
@login_required
def sent_per_hour_json(request: HttpRequest) -> HttpResponseBase:
    """Every hour in which alerts were sent, as JSON."""
    return json_answer({"hours": [asdict(hour) for hour in sendhists.sent_per_hour()]})


@require_safe
@login_required
def sent_per_hour_csv(request: HttpRequest) -> HttpResponse:
    """The same as CSV."""
    rows = [
        (f"{hour.hour:%Y-%m-%dT%H:%M:%SZ}", hour.alerts, hour.messages, hour.bytes)
        for hour in sendhists.sent_per_hour()
    ]
    return csv_download(HOUR_HEADS, rows, filename="alertstreamhists.csv")

"""Keys of a page's address: what pages take from ``?key=value``, and how they refuse what makes no sense."""

import functools
import math
from collections.abc import Callable
from datetime import date
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import render


class BadQuery(Exception):
    """A query key that makes no sense; the sentence says which and why."""


def refuses_bad_queries(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Answers 400 with the sentence where the view raises BadQuery."""

    @functools.wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        except BadQuery as refusal:
            return bad_query(request, refusal)

    return answer


def bad_query(request: HttpRequest, refusal: BadQuery) -> HttpResponse:
    return render(request, "400.html", {"sentence": str(refusal)}, status=400)


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


def phrase(query: QueryDict, key: str) -> str:
    """A query key as text that a database can look for; empty where it is missing."""
    text = query.get(key, "").strip()
    if "\0" in text:
        raise BadQuery(f"{key} must be text without NUL characters")
    return text


def changed(query: QueryDict, **values: str | None) -> str:
    """The query string with other values; None takes a key away."""
    other = query.copy()
    for key, value in values.items():
        other.pop(key, None)
        if value is not None:
            other[key] = value
    return f"?{other.urlencode()}"


def day(query: QueryDict, key: str) -> date | None:
    """A query key as a date; None where it is missing or empty."""
    text = query.get(key, "").strip()
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise BadQuery(f"{key} must be a date such as 2026-11-21, not {text[:60]!r}") from None

"""Keys of a page's address."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.http import HttpResponse, QueryDict
from django.test import RequestFactory

from tom_desc.querykeys import BadQuery, changed, day, phrase, real, refuses_bad_queries, whole


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (lambda query: real(query, "key", 100), " 1.5 ", 1.5),
        (lambda query: whole(query, "key", 100), " 7 ", 7),
        (lambda query: phrase(query, "key"), " a b ", "a b"),
        (lambda query: day(query, "key"), "2026-11-21", date(2026, 11, 21)),
    ],
)
def test_a_key_is_read_as_what_it_is(read: Callable[[QueryDict], Any], text: str, value: Any) -> None:
    query = QueryDict(mutable=True)
    query["key"] = text
    assert read(query) == value


@pytest.mark.parametrize("query", ["", "key=", "key=+"])
def test_what_is_missing_or_empty_is_none(query: str) -> None:
    asked = QueryDict(query)
    assert [real(asked, "key", 1), whole(asked, "key", 1), day(asked, "key")] == [None] * 3
    assert phrase(asked, "key") == ""


@pytest.mark.parametrize(
    ("read", "text"),
    [
        *((lambda query: real(query, "key", 100), text) for text in ("x", "nan", "-1", "101")),
        *((lambda query: whole(query, "key", 100), text) for text in ("0", "101", "1.5", "²", "9" * 5000)),
        (lambda query: phrase(query, "key"), "a\0b"),
        *((lambda query: day(query, "key"), text) for text in ("yesterday", "2026-02-30", "²")),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_keys_name(
    read: Callable[[QueryDict], Any], text: str
) -> None:
    query = QueryDict(mutable=True)
    query["key"] = text
    with pytest.raises(BadQuery, match=r"^key must be "):
        read(query)


def test_a_query_is_changed_key_by_key() -> None:
    assert changed(QueryDict("a=1&b=2&b=3"), a=None, b="x y", c="4") == "?b=x+y&c=4"


@pytest.mark.django_db
def test_a_refused_query_is_a_page_with_the_sentence(rf: RequestFactory) -> None:
    @refuses_bad_queries
    def view(request: Any) -> HttpResponse:
        raise BadQuery("key must be 7")

    response = view(rf.get("/"))
    assert isinstance(response, HttpResponse)
    assert response.status_code == 400
    assert b"key must be 7" in response.content

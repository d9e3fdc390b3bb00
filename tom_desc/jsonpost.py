"""Base of every JSON endpoint: a view declares its request, its answer and one function."""

import difflib
import functools
import itertools
import json
from collections.abc import Iterator
from typing import Any, ClassVar, cast

import orjson
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.openapi import AutoSchema
from psycopg2.errors import QueryCanceled
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from tom_desc.requestlog import logged

# Bytes from which on an answer is sent while it is made.
STREAM_FROM = 1_000_000
JSON = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_UTC_Z


class Refusal(Exception):
    """A caller's mistake: the sentence is sent as it is, ``hint`` to those who ask for JSON."""

    def __init__(self, sentence: str, *, status: int = 400, hint: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.status = status
        self.hint = hint


class JsonPostSchema(AutoSchema):
    """OpenAPI from a view's two serializers."""

    def get_request_serializer(self) -> Any:
        return cast(JsonPost, self.view).request_serializer

    def get_response_serializers(self) -> Any:
        return cast(JsonPost, self.view).response_serializer


class JsonPost(APIView):
    """A POST endpoint with a JSON object for a body; one that only reads also answers GET with that body.

    A subclass sets ``request_serializer`` (the contract, the validation and the OpenAPI text),
    ``response_serializer`` (documentation) and defines ``answer(request, **parameters)``.

    Attributes
    ----------
    error_prefix
        What scripts that print errors have seen before each sentence.
    unknown_keys
        Sentence for keys that the request does not have, with ``{keys}``; empty: they are ignored.
    """

    request_serializer: ClassVar[type[serializers.Serializer[Any]]]
    response_serializer: ClassVar[type[serializers.Serializer[Any]]]
    schema = JsonPostSchema()
    http_method_names: tuple[str, ...] = ("get", "post", "options")
    error_prefix = ""
    unknown_keys = ""

    def post(self, request: Request, **in_path: Any) -> HttpResponseBase:
        data = body(request)
        answer = self.answer(request, **in_path, **self.parameters(data))
        response = json_answer(answer)
        if ignored := self.unknown(data):
            # Keys may be anything; a header is short, of one line and ASCII.
            response["X-Ignored-Keys"] = ", ".join(ignored).encode("unicode_escape")[:1000].decode()
        return response

    def get(self, request: Request, **in_path: Any) -> HttpResponseBase:
        return self.post(request, **in_path)

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Answers are JSON and errors say what they are, whatever a client's Accept prefers."""
        renderer = self.get_renderers()[0]
        return renderer, renderer.media_type

    def answer(self, request: Request, **parameters: Any) -> Any:
        """The answer: bytes of JSON, an iterator of its parts, or what orjson makes JSON of."""
        raise NotImplementedError

    def parameters(self, data: Any) -> dict[str, Any]:
        """The validated body.

        Raises
        ------
        Refusal
            With the documented sentence, or one that names the key.
        """
        if not isinstance(data, dict):
            raise Refusal(f"{type(data).__name__!r} object has no attribute 'keys'")
        serializer = self.request_serializer(data=data)
        unknown = self.unknown(data)
        if unknown and self.unknown_keys:
            raise Refusal(
                self.unknown_keys.format(keys=self.shown_keys(unknown)), hint=closest(unknown, serializer)
            )
        if not serializer.is_valid():
            raise Refusal(first_sentence(serializer.errors))
        return dict(serializer.validated_data)

    def unknown(self, data: dict[str, Any]) -> list[str]:
        """Keys that the request does not have."""
        return [key for key in data if key not in keys_of(self.request_serializer)]

    def shown_keys(self, keys: list[str]) -> str:
        return repr(keys)

    def handle_exception(self, exc: Exception) -> HttpResponseBase:  # type: ignore[override]
        if isinstance(exc, Refusal):
            # A sentence that says itself that it is an error was always sent bare.
            prefix = "" if exc.sentence.startswith("Error, ") else self.error_prefix
            return refused(self.request, exc.status, prefix + exc.sentence, hint=exc.hint)
        if isinstance(exc, (exceptions.NotAuthenticated, exceptions.AuthenticationFailed)):
            return refused(self.request, 403, "403 Forbidden: log in at /accounts/login/ first")
        if isinstance(exc, exceptions.MethodNotAllowed):
            response = refused(self.request, 405, str(exc.detail))
            response["Allow"] = ", ".join(self.http_method_names).upper()
            return response
        if isinstance(exc, OperationalError) and isinstance(exc.__cause__, QueryCanceled):
            return refused(self.request, 503, self.error_prefix + "the database took too long; ask for less")
        if isinstance(exc, exceptions.APIException):
            return refused(self.request, exc.status_code, str(exc.detail))
        raise exc


def json_answer(answer: Any, *, status: int = 200) -> HttpResponseBase:
    """An answer: bytes of JSON, an iterator of its parts, or what orjson makes JSON of."""
    if isinstance(answer, Iterator):
        return in_parts(answer, status=status)
    content = answer if isinstance(answer, bytes) else orjson.dumps(answer, option=JSON)
    return HttpResponse(content, status=status, content_type="application/json")


def in_parts(parts: Iterator[bytes], *, status: int) -> HttpResponseBase:
    """A small answer whole; of a large one the rest is made while it is sent.

    What goes wrong before STREAM_FROM bytes are there is answered as an error; later it can only end the
    connection, which the client sees as an answer cut off.
    """
    begun: list[bytes] = []
    while sum(map(len, begun)) < STREAM_FROM:
        try:
            begun.append(next(parts))
        except StopIteration:
            return HttpResponse(b"".join(begun), status=status, content_type="application/json")
    rest = logged(itertools.chain(begun, parts))
    return StreamingHttpResponse(rest, status=status, content_type="application/json")


@functools.cache
def keys_of(serializer: type[serializers.Serializer[Any]]) -> frozenset[str]:
    """The keys of a request; asking a serializer each time would copy all its fields."""
    return frozenset(serializer().fields)


def body(request: Request) -> Any:
    """The decoded body, whatever its Content-Type says.

    Raises
    ------
    Refusal
        With the sentence of Python's decoder, which is the documented one.
    """
    content = request.body
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        pass  # The standard decoder knows NaN and long integers, and has the documented words for the rest.
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Refusal(str(error)) from error


def refused(
    request: Request | HttpRequest, status: int, sentence: str, *, hint: str = ""
) -> HttpResponseBase:
    """An error as scripts print it: plain text, or JSON where that is asked for."""
    # A sentence may quote what was sent, which may be no text at all.
    sentence, hint = (text.encode(errors="backslashreplace").decode() for text in (sentence, hint))
    if "application/json" in request.META.get("HTTP_ACCEPT", ""):
        return json_answer({"status": "error", "error": sentence, "hint": hint}, status=status)
    return HttpResponse(sentence, status=status, content_type="text/plain; charset=utf-8")


def closest(unknown: list[str], serializer: serializers.Serializer[Any]) -> str:
    """The key that was probably meant."""
    matches = [
        match for key in unknown for match in difflib.get_close_matches(key, list(serializer.fields), 1)
    ]
    return f"did you mean {', '.join(matches)}?" if matches else ""


def first_sentence(errors: Any) -> str:
    """The first of a serializer's complaints, with the name of its key unless it is a sentence of its own."""
    key, complaints = next(iter(errors.items()))
    while isinstance(complaints, dict):
        complaints = next(iter(complaints.values()))
    sentence = str(complaints[0])
    return sentence if key == "non_field_errors" or key in sentence else f"{key}: {sentence}"


def documented_form(endpoints: list[Any]) -> list[Any]:
    """OpenAPI shows each endpoint once, in the form that comes first in its URLs, and no old names."""
    shown: dict[tuple[Any, str], Any] = {}
    for endpoint in endpoints:
        view = endpoint[3].cls
        if not getattr(view, "undocumented", False):
            shown.setdefault((view, endpoint[2]), endpoint)
    return list(shown.values())

"""Structured logs: one JSON object a line, and one line a request that failed."""

import json
import logging
import sys
import time
import traceback
import uuid
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from datetime import UTC, datetime

from django.core.signals import got_request_exception
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from tom_desc.health import is_away

request_id: ContextVar[str] = ContextVar("request_id", default="")
logger = logging.getLogger("tom_desc.request")

STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "request"}


class JsonLines(logging.Formatter):
    """Time, level, logger, message, request id, whatever ``extra`` named, and a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id.get():
            line["request_id"] = request_id.get()
        line |= {key: value for key, value in vars(record).items() if key not in STANDARD}
        if record.exc_info and record.exc_info[0]:
            line["traceback"] = "".join(traceback.format_exception(*record.exc_info))
        return json.dumps(line, default=str)


class RequestLog:
    """Gives every request an id and logs those that did not succeed: one line, with the sentence sent."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        token = request_id.set(uuid.uuid4().hex[:12])
        started = time.perf_counter()
        try:
            response = self.get_response(request)
            response.headers["X-Request-Id"] = request_id.get()
            if response.status_code >= 400:
                self.log(request, response, time.perf_counter() - started)
            return response
        finally:
            request_id.reset(token)

    def log(self, request: HttpRequest, response: HttpResponseBase, seconds: float) -> None:
        # Only a user whom somebody has looked up: asking for one could fail like the request did.
        user = vars(request).get("_cached_user")
        logger.warning(
            "%s %s answered %d",
            request.method,
            request.path,
            response.status_code,
            extra={
                "status": response.status_code,
                "user": user.get_username() if user else "",
                "seconds": round(seconds, 4),
                "error": said(response),
            },
        )


@receiver(got_request_exception)
def log_bug(*, request: HttpRequest, **signal: object) -> None:
    """Whatever nobody expected: the traceback goes to the log, never to the caller."""
    if is_away(sys.exception()):
        return  # Expected: the line of the request that failed is enough.
    logger.error("%s %s failed", request.method, request.path, exc_info=True)


def logged(parts: Iterator[bytes]) -> Iterator[bytes]:
    """The parts of an answer that is sent while it is made; a failure is logged under its request's id."""
    request = request_id.get()

    def parts_or_traceback() -> Iterator[bytes]:
        try:
            yield from parts
        except Exception:
            token = request_id.set(request)
            logger.error("an answer was cut off", exc_info=True)
            request_id.reset(token)
            raise

    return parts_or_traceback()


def said(response: HttpResponseBase) -> str:
    """The sentence that a caller was sent, where it is one."""
    kind = response.headers.get("Content-Type", "")
    if not isinstance(response, HttpResponse) or kind.startswith("text/html"):
        return response.reason_phrase
    return response.content[:500].decode(errors="replace")

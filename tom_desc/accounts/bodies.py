"""How much a request may bring: a login form little, a logged-in broker a night of messages."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

# Django's own limit; DATA_UPLOAD_MAX_MEMORY_SIZE is that of accounts.
ANONYMOUS_BYTES = 2_621_440


class AnonymousBodies:
    """Refuses large bodies of those who are not logged in, before anything reads them."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        length = request.META.get("CONTENT_LENGTH") or "0"
        if length.isdigit() and int(length) > ANONYMOUS_BYTES and not request.user.is_authenticated:
            return HttpResponse(
                f"Without logging in a request may bring {ANONYMOUS_BYTES} bytes at most.",
                status=413,
                content_type="text/plain; charset=utf-8",
            )
        return self.get_response(request)

"""CSRF protection that the documented client passes over https too: it sends neither Referer nor Origin."""

from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware
from rest_framework.authentication import CSRFCheck, SessionAuthentication
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request


class LenientReferer:
    """Asks for a right Referer only of those who send one.

    Browsers send Origin or Referer with every POST, and a wrong one is still refused; a script that sends
    neither has to know the token of its own cookie jar, which is what the check protects.
    """

    def _check_referer(self, request: HttpRequest) -> None:
        if "HTTP_REFERER" in request.META:
            super()._check_referer(request)  # type: ignore[misc]


class CsrfMiddleware(LenientReferer, CsrfViewMiddleware):
    """Django's, with the lenient Referer."""


class LenientCheck(LenientReferer, CSRFCheck):
    """REST framework's, with the lenient Referer."""


def unreached(request: HttpRequest) -> HttpResponse:
    """Stands for the view, which the check is not to call."""
    return HttpResponse()


class SessionLogin(SessionAuthentication):
    """The browser's and the documented client's login."""

    def enforce_csrf(self, request: Request) -> None:
        plain = request._request
        # The check looks for its token in a form; what is read first stays readable.
        _ = plain.body
        check = LenientCheck(unreached)
        check.process_request(plain)
        refusal = check.process_view(plain, unreached, (), {})
        if refusal:
            raise PermissionDenied(f"CSRF Failed: {refusal}")

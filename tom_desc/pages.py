"""The shared pages."""

from django.http import HttpRequest, HttpResponse

from tom_desc.requestlog import request_id


def front_page(request: HttpRequest) -> HttpResponse:
    return HttpResponse("DESC TOM")


def server_error(request: HttpRequest) -> HttpResponse:
    """Our bug: the log has the traceback under the same id."""
    return HttpResponse(
        f"Server error. It was logged as request {request_id.get()}; please tell the operators this number.",
        status=500,
        content_type="text/plain; charset=utf-8",
    )

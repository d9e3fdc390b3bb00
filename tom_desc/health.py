"""Whether this server can do its work: for load balancers and probes, and for who asks in vain."""

import psycopg2
from django.db import Error, connection
from django.http import HttpRequest, JsonResponse

# too_many_connections, admin_shutdown, crash_shutdown, cannot_connect_now; 08 is the class of connections.
AWAY = {"53300", "57P01", "57P02", "57P03"}


def is_away(error: BaseException | None) -> bool:
    """Whether an exception says that the database cannot be reached, starts or stops."""
    cause = error.__cause__ if isinstance(error, Error) else error
    if not isinstance(cause, psycopg2.Error):
        return False
    if cause.pgcode is None:
        # libpq's own words: a COPY that breaks off is a plain DatabaseError.
        return type(cause) in (psycopg2.OperationalError, psycopg2.InterfaceError, psycopg2.DatabaseError)
    return cause.pgcode in AWAY or cause.pgcode.startswith("08")


def healthz(request: HttpRequest) -> JsonResponse:
    """200 and ``ok`` where the database answers, else 503."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        return JsonResponse({"status": "error", "database": "does not answer"}, status=503)
    return JsonResponse({"status": "ok", "database": "ok"})

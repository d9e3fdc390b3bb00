"""How gunicorn serves the TOM. Threads rather than greenlets: psycopg2 blocks."""

from typing import Any

import psycopg2

from tom_desc import env

bind = env.text("TOM_BIND", "0.0.0.0:8080")
workers = env.number("WEB_WORKERS", 2)
threads = env.number("WEB_THREADS", 8)
worker_class = "gthread"
timeout = 300
graceful_timeout = 30
# A large PUT leaves memory behind that the allocator keeps; a worker starts afresh sometimes.
max_requests = 100_000
max_requests_jitter = 10_000
accesslog = None
errorlog = "-"
control_socket_disable = True

# Connections that the database keeps for SQL users, daemons and operators.
RESERVED_CONNECTIONS = 30


def when_ready(server: Any) -> None:
    """A thread keeps a connection: refuse to start where they could not all have one.

    Asked without Django: what this process imports, a reload (SIGHUP) would not read again.
    """
    try:
        allowed = max_connections() - RESERVED_CONNECTIONS
    except psycopg2.OperationalError as error:
        server.log.warning("cannot ask the database how many connections it allows: %s", error)
        return
    if workers * threads > allowed:
        raise SystemExit(
            f"WEB_WORKERS x WEB_THREADS = {workers * threads} is more than the {allowed} connections that the"
            " database has for the web server (max_connections - 30)"
        )


def max_connections() -> int:
    connection = psycopg2.connect(
        dbname=env.text("DB_NAME", "tom_desc"),
        user=env.text("DB_USER", "postgres"),
        password=env.database_password(),
        host=env.text("DB_HOST", "tom-desc-postgis"),
        port=env.text("DB_PORT", "5432"),
    )
    try:
        with connection.cursor() as cursor:
            cursor.execute("SHOW max_connections")
            return int(cursor.fetchone()[0])
    finally:
        connection.close()

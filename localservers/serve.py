"""The web server as production runs it, on loopback."""

import os
import socket
import sys
from pathlib import Path

from localservers import LocalServerError
from localservers.environment import full_environment
from localservers.home import CHECKOUT
from localservers.postgres import HOST, Postgres, is_free

PORT = 8080


def serve(server: Postgres, *, port: int | None, workers: int | None, threads: int | None) -> None:
    """Become gunicorn, so that signals reach it.

    Raises
    ------
    LocalServerError
        Where the port asked for is taken.
    """
    chosen = choose_port(port)
    server.up()
    env = full_environment(server) | web_settings(chosen, workers=workers, threads=threads)
    if not server.query("SELECT to_regclass('django_migrations')", database=env["DB_NAME"]):
        sys.stderr.write(
            "The database is empty: ./tom manage migrate, then ./tom manage bootstrap --test-accounts\n"
        )
    sys.stdout.write(f"DESC TOM on {url(chosen)} (Ctrl-C ends it; ./tom servers down stops PostgreSQL)\n")
    sys.stdout.flush()
    os.chdir(CHECKOUT)
    os.execve(sys.executable, gunicorn(), env)


def gunicorn() -> list[str]:
    """The command line; settings are in the configuration file and the environment."""
    config = Path(CHECKOUT, "tom_desc", "gunicorn.conf.py")
    return [sys.executable, "-m", "gunicorn", "-c", str(config), "tom_desc.wsgi"]


def web_settings(port: int, *, workers: int | None = None, threads: int | None = None) -> dict[str, str]:
    """What gunicorn's configuration file reads."""
    asked = {"WEB_WORKERS": workers, "WEB_THREADS": threads}
    return {"TOM_BIND": f"{HOST}:{port}"} | {name: str(value) for name, value in asked.items() if value}


def url(port: int) -> str:
    """Where a browser on this machine finds the server."""
    return f"http://localhost:{port}/"


def choose_port(asked: int | None) -> int:
    """The port asked for, else 8080 or the next free one."""
    if asked is not None:
        if not is_browsable(asked):
            raise LocalServerError(f"port {asked} is taken; without --port the next free one is used.")
        return asked
    return next(port for port in range(PORT, PORT + 1000) if is_browsable(port))


def is_browsable(port: int) -> bool:
    """Whether the port is free, and nobody else's server would answer at localhost's IPv6 address."""
    if not is_free(port):
        return False
    try:
        with socket.create_connection(("::1", port), timeout=0.2):
            return False
    except OSError:
        return True

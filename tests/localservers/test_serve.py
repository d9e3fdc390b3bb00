"""Where the web server listens."""

import signal
import socket
import subprocess
import sys
import time

import pytest

from localservers import LocalServerError
from localservers.demo import answers
from localservers.home import CHECKOUT
from localservers.postgres import HOST, free_port
from localservers.serve import choose_port, is_browsable, web_settings
from tests.localservers.conftest import outer_environment


def test_a_port_asked_for_and_taken_is_an_error():
    port = free_port()
    with socket.create_server((HOST, port)), pytest.raises(LocalServerError, match=f"port {port} is taken"):
        choose_port(port)
    assert choose_port(port) == port


def test_without_a_wish_the_first_free_port_from_8080_is_taken():
    first = choose_port(None)
    assert first >= 8080
    with socket.create_server((HOST, first)):
        assert choose_port(None) > first


def test_a_port_that_somebody_serves_on_ipv6_is_left_to_them():
    try:
        other = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 on loopback")
    with other:
        assert not is_browsable(other.getsockname()[1])


def test_gunicorn_is_told_where_to_listen_and_only_what_was_asked():
    assert web_settings(8081) == {"TOM_BIND": "127.0.0.1:8081"}
    assert web_settings(8081, workers=2)["WEB_WORKERS"] == "2"


def test_serve_becomes_gunicorn_and_ends_on_sigterm(door, home):
    port = free_port()
    command = [sys.executable, "-m", "localservers", "serve", "--port", str(port), "--workers", "1"]
    log = home.directory("logs") / "serve.log"
    with log.open("wb") as file:
        web = subprocess.Popen(command, cwd=CHECKOUT, env=outer_environment(home), stdout=file, stderr=file)
    try:
        while not answers(port):
            assert web.poll() is None, log.read_text()
            time.sleep(0.1)
        said = log.read_text()
        assert f"DESC TOM on http://localhost:{port}/" in said
        assert "The database is empty: ./tom manage migrate" in said
        web.send_signal(signal.SIGTERM)
        assert web.wait() == 0
    finally:
        web.kill()
        web.wait()

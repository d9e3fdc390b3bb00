"""``./tom test``: format, lint, types, migrations and tests, on servers of the run's own."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from types import FrameType

from localservers import LocalServerError, debian
from localservers.environment import full_environment
from localservers.home import CHECKOUT, Home
from localservers.kafka import Kafka
from localservers.postgres import DATABASE, KINDS, Postgres
from localservers.processes import GENTLY, Children, stop

# What each tier leaves out.
MARKERS = {"quick": "not full and not soak", "full": "not soak", "soak": "soak"}
# Those that must have a Kafka where it can be had.
WITH_KAFKA = ("full", "soak")
SPINE = "tests/test_spine.py"
NO_TESTS_COLLECTED = 5
PYTHON = sys.executable


@dataclass
class Report:
    """Steps run so far, each with its outcome, and the words that close the run."""

    steps: list[tuple[str, float, int]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, name: str, seconds: float, code: int) -> None:
        """One step's outcome."""
        self.steps.append((name, seconds, code))

    @property
    def failed(self) -> bool:
        """Whether any step failed."""
        return any(code for _, _, code in self.steps)

    def text(self) -> str:
        """The closing summary."""
        lines = [
            f"  {'failed' if code else 'passed'}  {seconds:7.1f} s  {name}"
            for name, seconds, code in self.steps
        ]
        lines += [f"  left out: {note}" for note in self.notes]
        return "\n".join(["", "Summary", *lines, ""])


@dataclass
class Checks:
    """One run: where it keeps its servers and caches, and what came out."""

    home: Home
    scratch: Home
    report: Report = field(default_factory=Report)

    def step(
        self, name: str, command: Sequence[str], env: Mapping[str, str], *, fine: Sequence[int] = (0,)
    ) -> None:
        """Run one command in the checkout under a heading; a failure is kept for the summary."""
        sys.stdout.write(f"\n=== {name}\n")
        sys.stdout.flush()
        start = time.monotonic()
        child = subprocess.Popen(command, cwd=CHECKOUT, env=dict(env), stdin=subprocess.DEVNULL)
        Children(self.scratch.directory("children")).record(child.pid)
        try:
            code = child.wait()
        except KeyboardInterrupt:
            # A terminal's Ctrl-C reached the child too: let it finish its words.
            stop(child.pid, signals=((signal.SIGINT, 10.0), *GENTLY))
            raise
        seconds = time.monotonic() - start
        sys.stdout.write(f"--- {name}: {seconds:.1f} s\n")
        self.report.add(name, seconds, 0 if code in fine else code)

    @property
    def kafka(self) -> Kafka:
        """Of this run alone; its jars outlive it."""
        return Kafka(self.scratch, tied=True, jars=Kafka(self.home).jar_directory)

    def environment(self, kind: str) -> dict[str, str]:
        """PostgreSQL of that kind, started, and the variables to meet it and Kafka; caches outlive us."""
        server = Postgres(kind, self.scratch, scratch=True)
        server.up()
        caches = {
            "RUFF_CACHE_DIR": str(self.home.directory("cache", "ruff")),
            "MYPY_CACHE_DIR": str(self.home.directory("cache", "mypy")),
            "HYPOTHESIS_STORAGE_DIRECTORY": str(self.home.directory("cache", "hypothesis")),
            "TOM_KAFKA_JARS": str(self.kafka.jar_directory),
        }
        env = full_environment(server, database=DATABASE) | caches
        if self.kafka.pid is None:
            # The caller's may be a campaign's.
            env.pop("KAFKA_SERVER", None)
        return env

    def pytest(self, *arguments: str) -> list[str]:
        """The command line of pytest with its cache below our home."""
        return [
            PYTHON,
            "-m",
            "pytest",
            "-o",
            f"cache_dir={self.home.directory('cache', 'pytest')}",
            *arguments,
        ]


def run_tests(arguments: Sequence[str], *, home: Home) -> int:
    """Run a tier, or pytest with the caller's arguments; 0 when all passed."""
    signal.signal(signal.SIGTERM, _interrupt)
    tier, rest = _tier(arguments)
    if tier and not os.environ.get("TOM_POSTGRES") and debian.can_install():
        debian.install_postgres()
        if tier == "full":
            debian.install_chromium()
    if tier in WITH_KAFKA and debian.can_install():
        debian.install_for_kafka(Kafka(home).missing_packages())
    with scratch_home(home) as scratch:
        checks = Checks(home, scratch)
        try:
            _run(checks, tier, rest)
        except KeyboardInterrupt:
            sys.stdout.write("\ninterrupted\n")
            return 130
        if tier:
            sys.stdout.write(checks.report.text())
        return int(checks.report.failed)


def _tier(arguments: Sequence[str]) -> tuple[str | None, list[str]]:
    """The tier named first, full where nothing is named, and pytest's arguments; None: pytest alone."""
    if not arguments:
        return "full", []
    if arguments[0] in MARKERS:
        return arguments[0], list(arguments[1:])
    return None, list(arguments)


def _run(checks: Checks, tier: str | None, rest: list[str]) -> None:
    kind = os.environ.get("TOM_POSTGRES") or ("system" if debian.has_postgres() else "wheel")
    _start_kafka(checks, needed=tier in WITH_KAFKA)
    env = checks.environment(kind)
    if tier is None:
        checks.step("pytest", checks.pytest(*rest), env)
        return
    checks.report.notes += _left_out(tier, kind)
    if tier != "soak":
        _run_linters(checks, env)
    workers = [] if tier == "soak" else ["-n", "2"]
    fine = (0, NO_TESTS_COLLECTED) if tier == "soak" else (0,)
    tests = checks.pytest(*workers, "-m", MARKERS[tier], *rest)
    checks.step(f"pytest, {tier}, PostgreSQL {_version(checks, kind)}", tests, env, fine=fine)
    if tier == "full" and kind == "system" and Path(CHECKOUT, SPINE).exists():
        spine = checks.pytest("-m", MARKERS[tier], SPINE)
        wheel = checks.environment("wheel")
        checks.step(f"spine, PostgreSQL {_version(checks, 'wheel')}", spine, wheel)


def _left_out(tier: str, kind: str) -> list[str]:
    """What a tier goes without on this system, and how to have it."""
    notes = []
    if kind != "system":
        notes.append("Debian's PostgreSQL (root on Debian installs it; TOM_POSTGRES=system uses it)")
    if tier == "full" and (missing := debian.missing_for_browser()):
        notes.append(f"browser tests (root on Debian installs {' and '.join(missing)})")
    return notes


def _start_kafka(checks: Checks, *, needed: bool) -> None:
    """Start Kafka where it can be had; a failure is for the notes, unless the tier cannot do without."""
    if missing := checks.kafka.missing_packages():
        checks.report.notes.append(f"Kafka tests (root on Debian installs {' and '.join(missing)})")
        return
    try:
        checks.kafka.up()
    except LocalServerError as error:
        if needed:
            raise
        checks.report.notes.append(f"Kafka tests: {error}")


def _run_linters(checks: Checks, env: Mapping[str, str]) -> None:
    checks.step("format", [PYTHON, "-m", "ruff", "format", "--check", "."], env)
    checks.step("lint", [PYTHON, "-m", "ruff", "check", "."], env)
    checks.step("types", [PYTHON, "-m", "mypy"], env)
    checks.step("migrations", [PYTHON, "manage.py", "makemigrations", "--check", "--dry-run"], env)


def _version(checks: Checks, kind: str) -> str:
    return Postgres(kind, checks.scratch).version


@contextmanager
def scratch_home(home: Home) -> Iterator[Home]:
    """A home for one run, removed with its servers at the end; so are those of runs that were killed."""
    runs = home.directory("test")
    with ExitStack() as running:
        with home.lock("test"):
            for left in runs.iterdir():
                _remove_unless_running(Home(left))
            scratch = Home(Path(mkdtemp(prefix="run-", dir=runs)))
            # The server may run as another user, who must not be kept out by this directory.
            scratch.path.chmod(0o755)
            running.enter_context(scratch.lock("run"))
        try:
            yield scratch
        finally:
            _remove(scratch)


def _remove_unless_running(scratch: Home) -> None:
    try:
        with scratch.lock("run", wait=False):
            _remove(scratch)
    except BlockingIOError:
        return


def _remove(scratch: Home) -> None:
    """Stop what runs below the home, then remove it."""
    Children(scratch.directory("children")).stop_all()
    for kind in KINDS:
        server = Postgres(kind, scratch)
        if server.data.exists():
            server.down()
    Kafka(scratch).down()
    shutil.rmtree(scratch.path)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt

"""``./tom demo``: a simulated survey from its files to light curves on pages, and a web server for them."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from localservers import LocalServerError
from localservers.environment import full_environment
from localservers.home import CHECKOUT, Home
from localservers.postgres import Postgres
from localservers.processes import GENTLY, Children
from localservers.progress import Progress
from localservers.serve import choose_port, gunicorn, url, web_settings

DATABASE = "tom_demo"
OBJECTS = 500
SEED = 1
# The share of the season's alerts that is answered before the first light curve is shown.
FIRST_PART = 0.15
WEB_START_SECONDS = 60.0
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# SIGINT: gunicorn does not wait for idle connections.
QUICKLY = ((signal.SIGINT, 5.0), *GENTLY)

# In a server's claim before its process id is known.
STARTING = "starting"

SEASON = """
SELECT COALESCE(ceil(percentile_disc({share}) WITHIN GROUP (ORDER BY midpointtai)), 0)
  FROM elasticc2_ppdbdiasource
"""
# A newcomer looks at a supernova with more pleasure than at a variable star: a Ia (type 10), if there is one.
GOOD_OBJECT = """
SELECT diaobject_id
  FROM elasticc2_diaforcedsource f JOIN elasticc2_diaobjecttruth t USING (diaobject_id)
 WHERE f.psflux > 5 * f.psfluxerr
 GROUP BY diaobject_id, gentype
 ORDER BY gentype = 10 DESC, count(DISTINCT f.filtername) DESC, count(*) DESC, diaobject_id
 LIMIT 1
"""

FAREWELL = """
  The TOM            {url}
  user, password     root, testing
  one good object    {url}{page}

  In a notebook or {python}, started in {checkout}:
    from tom_client import TomClient
    tom = TomClient(url="{bare_url}", username="root", password="testing")
    tom.post("elasticc2/ltcv", json={{"objectids": [{objectid}]}}).json()

  Try next
    {url}elasticc2/hot    what is bright now; {url}api/docs/    every endpoint
    tom.post("elasticc2/gethottransients", json={{"detected_in_last_days": 7}}).json()
    DB_NAME={database} ./tom manage shell    in a second terminal, or any other command of manage.py

  Ctrl-C stops the web server{and_postgres}; the data stay below {home}, and the next demo starts at once.
"""


@dataclass
class Command:
    """A child of the demo and what it says."""

    process: subprocess.Popen[bytes]
    log: Path

    def tail(self, lines: int = 20) -> str:
        """The end of what it said, and where the rest is."""
        said = self.log.read_text(errors="replace").splitlines()[-lines:]
        return "\n".join([*said, f"(all of it: {self.log})"])


@dataclass
class Demo:
    """One run: the server it uses, its children and its words."""

    server: Postgres
    children: Children
    progress: Progress = field(default_factory=Progress)

    @property
    def home(self) -> Home:
        """Where the run keeps its things."""
        return self.server.home

    def start(self, name: str, argv: list[str], **environment: str) -> Command:
        """Start a child in the demo's database."""
        log = self.home.directory("logs") / f"demo-{name}.log"
        env = full_environment(self.server, database=DATABASE) | {"PYTHONUNBUFFERED": "1"} | environment
        with log.open("wb") as file:
            return Command(self.children.start(argv, log=file, env=env, cwd=CHECKOUT), log)

    def manage(self, command: str, *arguments: str) -> Command:
        """Start a command of manage.py."""
        return self.start(command, [sys.executable, str(CHECKOUT / "manage.py"), command, *arguments])

    def wait(self, name: str, command: Command) -> int:
        """Wait for a command under its step's line; its exit code."""
        with self.progress.step(name):
            while command.process.poll() is None:
                self.progress.tick(last_line(command.log))
                time.sleep(0.05)
        self.children.forget(command.process.pid)
        return command.process.returncode

    def finish(self, name: str, command: Command) -> None:
        """Wait for a command that must do its work.

        Raises
        ------
        LocalServerError
            With the end of its words where it failed.
        """
        if self.wait(name, command) != 0:
            raise LocalServerError(f"{name}: failed.\n{command.tail()}")

    def run(self, name: str, command: str, *arguments: str) -> None:
        """Start a command of manage.py and wait for it."""
        self.finish(name, self.manage(command, *arguments))

    def query(self, sql: str) -> str:
        """One value from the demo's database."""
        return self.server.query(sql, database=DATABASE)


def run_demo(server: Postgres) -> int:
    """Show the TOM until Ctrl-C; the exit code.

    Raises
    ------
    LocalServerError
        Where a step fails, or another demo runs below this home.
    """
    home = server.home
    _listen_to_signals()
    address = home.directory("demo") / "url"
    with ExitStack() as alone:
        try:
            alone.enter_context(home.lock("demo", wait=False))
        except BlockingIOError:
            where = address.read_text() if address.exists() else "still starting"
            raise LocalServerError(f"a demo already runs below {home.path}: {where}") from None
        return _run(Demo(server, Children(home.directory("demo", "children"))), address)


def _run(demo: Demo, address: Path) -> int:
    try:
        with _all_stopped_at_the_end(demo, address):
            _show(demo, address)
    except KeyboardInterrupt:
        demo.progress.say("stopped")
    return 0


@contextmanager
def _all_stopped_at_the_end(demo: Demo, address: Path) -> Iterator[None]:
    """Stop what this run, or one killed before it, started; never a PostgreSQL that ran already."""
    demo.children.stop_all()
    try:
        yield
    finally:
        # A second Ctrl-C must not leave half of it running.
        for number in ENDINGS:
            signal.signal(number, signal.SIG_IGN)
        address.unlink(missing_ok=True)
        demo.progress.say("\nstopping ...")
        demo.children.stop_all(signals=QUICKLY)
        if _is_claimed(demo.server):
            demo.server.claim.unlink()
            demo.server.down()


def _show(demo: Demo, address: Path) -> None:
    logs = demo.home.directory("logs") / "demo-*.log"
    demo.progress.say(f"Below {demo.home.path}; what its commands say is in {logs}")
    _start_postgres(demo)
    state = State.of(demo)
    survey = _simulation(demo, state)
    if not state.answered or demo.wait("tables are up to date?", demo.manage("migrate", "--check")) != 0:
        demo.run("tables", "migrate", "--no-input")
        demo.run("groups, accounts root and apibroker", "bootstrap", "--test-accounts")
    _load(demo, state, survey)
    port, web = _start_web(demo)
    address.write_text(url(port))
    _answer_alerts(demo, state, port)
    demo.progress.say(farewell(demo, port, good_object(demo)))
    raise LocalServerError(f"the web server ended with code {web.process.wait()}:\n{web.tail()}")


def _start_postgres(demo: Demo) -> None:
    server = demo.server
    with demo.progress.step(f"PostgreSQL {server.version} ({server.kind})"):
        if server.pid is None:
            server.claim.write_text(STARTING)
        if server.up(database=DATABASE):
            server.claim.write_text(str(server.pid))


def _is_claimed(server: Postgres) -> bool:
    return server.claim.exists() and server.claim.read_text() in (STARTING, str(server.pid))


@dataclass
class State:
    """How far the demo's database has come, kept as its comment: with the data, or gone with them."""

    last_mjd: float
    loaded: bool = False
    answered: bool = False

    @classmethod
    def of(cls, demo: Demo) -> "State":
        """As the database says; a new one gets a survey that ends tonight."""
        comment = demo.query(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"
        )
        return cls(**json.loads(comment)) if comment.startswith("{") else cls(last_mjd=mjd_now())

    def save(self, demo: Demo) -> None:
        """Write it to the database."""
        demo.query(f"COMMENT ON DATABASE \"{DATABASE}\" IS '{json.dumps(vars(self))}'")


def mjd_now() -> float:
    """MJD to a quarter of an hour; 40587 is 1970-01-01."""
    return round(40587 + time.time() / 86400, 2)


@dataclass
class Simulation:
    """The survey's files and, while they are being made, the command that makes them."""

    directory: Path
    draft: Path | None = None
    command: Command | None = None

    def wait(self, demo: Demo) -> list[str]:
        """The model directories, once they are whole."""
        if self.command and self.draft:
            demo.finish(f"a simulated survey of {OBJECTS} objects", self.command)
            self.draft.rename(self.directory)
        return [str(path) for path in sorted(self.directory.iterdir()) if path.is_dir()]


def _simulation(demo: Demo, state: State) -> Simulation:
    """The survey of an earlier run, else one that is made while the database gets its tables."""
    base = demo.home.directory("demo")
    directory = base / f"survey-{state.last_mjd}"
    if state.loaded or directory.exists():
        return Simulation(directory)
    draft = base / "survey.new"
    shutil.rmtree(draft, ignore_errors=True)
    arguments = ["--objects", str(OBJECTS), "--seed", str(SEED), "--last-mjd", str(state.last_mjd)]
    return Simulation(directory, draft, demo.manage("simulate_snana", str(draft), *arguments))


def _load(demo: Demo, state: State, survey: Simulation) -> None:
    if state.loaded:
        return
    # Before the first row: tomorrow's run completes this night's survey instead of mixing two.
    state.save(demo)
    directories = survey.wait(demo)
    demo.run("the survey loaded", "load_snana_fits", "--ppdb", "--do", "-d", *directories)
    state.loaded = True
    state.save(demo)


def _start_web(demo: Demo) -> tuple[int, Command]:
    port = choose_port(None)
    with demo.progress.step(f"web server on {url(port)}"):
        web = demo.start("web", gunicorn(), **web_settings(port))
        deadline = time.monotonic() + WEB_START_SECONDS
        while not answers(port):
            if web.process.poll() is not None or time.monotonic() > deadline:
                raise LocalServerError(f"the web server did not start:\n{web.tail()}")
            time.sleep(0.1)
    return port, web


def answers(port: int) -> bool:
    """Whether the web server says that it is well."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _answer_alerts(demo: Demo, state: State, port: int) -> None:
    """Two brokers' answers to the season's alerts; a first part soon, to have something to look at."""
    if state.answered:
        return
    demo.run("clock follows the alerts", "campaign", "elasticc2", "--clock", "sent")
    for share in (FIRST_PART, 1):
        day = demo.query(SEASON.format(share=share))
        rest = url(port).rstrip("/")
        demo.run(
            f"brokers answer alerts through MJD {day}", "fakebroker", "--rest", rest, "--through-day", day
        )
        demo.run("light curves of what they saw", "update_elasticc2_sources")
        if share == FIRST_PART:
            demo.progress.say(
                f"  first light curve: {url(port)}{object_page(good_object(demo))} (root, testing)"
            )
    state.answered = True
    state.save(demo)


def good_object(demo: Demo) -> str:
    """An object with many significant points in many bands."""
    return demo.query(GOOD_OBJECT)


def object_page(objectid: str) -> str:
    """The path of an object's page."""
    return f"elasticc2/object/{objectid}"


def farewell(demo: Demo, port: int, objectid: str) -> str:
    """What there is to see, and how."""
    return FAREWELL.format(
        url=url(port),
        bare_url=url(port).rstrip("/"),
        page=object_page(objectid),
        objectid=objectid,
        python=sys.executable,
        checkout=CHECKOUT,
        database=DATABASE,
        and_postgres=" and PostgreSQL" if _is_claimed(demo.server) else "",
        home=demo.home.path,
    )


def last_line(log: Path) -> str:
    """What the running command last said; a carriage return begins a line, too."""
    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 500))
        said = file.read().decode(errors="replace").replace("\r", "\n").split("\n")
    return next((line.strip() for line in reversed(said) if line.strip()), "")


def _listen_to_signals() -> None:
    """End in order, even where a shell started us in the background with SIGINT ignored; but heed nohup."""
    for number in ENDINGS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt

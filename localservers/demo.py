"""``./tom demo``: a simulated survey from its files to light curves on pages, and a web server for them."""

import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import FrameType

from localservers import LocalServerError, nights
from localservers.answering import Brokers, brokers_of
from localservers.home import CHECKOUT
from localservers.kafka import Kafka
from localservers.postgres import Postgres
from localservers.processes import GENTLY, Children
from localservers.run import DATABASE, Command, Demo
from localservers.serve import choose_port, gunicorn, url, web_settings
from localservers.survey import State, load, simulation

# The part of the season's alerts that is answered before the first light curve is shown: a share, but no more
# than this many.
FIRST_SHARE, FIRST_ALERTS = 0.15, 6000
WEB_START_SECONDS = 60.0
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# SIGINT: gunicorn does not wait for idle connections.
QUICKLY = ((signal.SIGINT, 5.0), *GENTLY)

# In a server's claim before its process id is known.
STARTING = "starting"

FIRST_PART = """
SELECT ceil(max(midpointtai))
  FROM (SELECT midpointtai FROM elasticc2_ppdbdiasource ORDER BY midpointtai
         LIMIT (SELECT least({alerts}, {share} * count(*)) FROM elasticc2_ppdbdiasource
                 WHERE midpointtai <= {noon})) first
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
  one good object    {url}{page}{brokers}

  In a notebook or {python}, started in {checkout}:
    from tom_client import TomClient
    tom = TomClient(url="{bare_url}", username="root", password="testing")
    tom.post("elasticc2/ltcv", json={{"objectids": [{objectid}]}}).json()

  Try next
    {url}elasticc2/hot    what is bright now; {url}api/docs/    every endpoint
    tom.post("elasticc2/gethottransients", json={{"detected_in_last_days": 7}}).json()
    DB_NAME={database} ./tom manage shell    in a second terminal, or any other command of manage.py

  Ctrl-C stops the web server{and_servers}; the data stay below {home}, and the next demo goes on from there.
"""


def run_demo(server: Postgres, *, objects: int | None = None, kafka: bool = False) -> int:
    """Show the TOM until Ctrl-C; the exit code.

    Parameters
    ----------
    objects
        Size of the simulated sky; None: as large as the one that is there.
    kafka
        Whether alerts and answers travel through Kafka.

    Raises
    ------
    LocalServerError
        Where a step before the nights fails, another demo runs below this home, or its sky has another size.
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
        demo = Demo(server, Children(home.directory("demo", "children")))
        return _run(demo, address, partial(_show, demo, address, objects=objects, through_kafka=kafka))


def _run(demo: Demo, address: Path, show: Callable[[], None]) -> int:
    try:
        with _all_stopped_at_the_end(demo, address):
            show()
    except KeyboardInterrupt:
        demo.progress.say("stopped")
    return 0


@contextmanager
def _all_stopped_at_the_end(demo: Demo, address: Path) -> Iterator[None]:
    """Stop what this run, or one killed before it, started; never a server that ran already."""
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
        for server in (Kafka(demo.home), demo.server):
            if is_claimed(server):
                server.claim.unlink()
                server.down()


def _show(demo: Demo, address: Path, *, objects: int | None, through_kafka: bool) -> None:
    logs = demo.home.directory("logs") / "demo-*.log"
    demo.progress.say(f"Below {demo.home.path}; what its commands say is in {logs}")
    _start_postgres(demo)
    kafka = _start_kafka(demo) if through_kafka else None
    state = State.of(demo, objects=objects)
    survey = simulation(demo, state)
    if not state.answered or demo.wait("tables are up to date?", demo.manage("migrate", "--check")) != 0:
        demo.run("tables", "migrate", "--no-input")
        demo.run("groups, accounts root and apibroker", "bootstrap", "--test-accounts")
    load(demo, state, survey)
    port, web = start_web(demo)
    address.write_text(url(port))
    brokers = brokers_of(demo, state, kafka=kafka, url=url(port))
    brokers.catch_up()
    _answer_alerts(demo, state, brokers, url(port))
    nights.finish_what_was_begun(demo)
    demo.progress.say(farewell(demo, port, state.good_object, brokers) + nights.outlook(demo))
    nights.go_on(demo, brokers=brokers, web=web)
    raise LocalServerError(f"the web server ended with code {web.process.wait()}:\n{web.tail()}")


def _start_postgres(demo: Demo) -> None:
    server = demo.server
    with demo.progress.step(f"PostgreSQL {server.version} ({server.kind})"):
        if server.pid is None:
            server.claim.write_text(STARTING)
        if server.up(database=DATABASE):
            server.claim.write_text(str(server.pid))


def _start_kafka(demo: Demo) -> Kafka:
    kafka = Kafka(demo.home, tied=True)
    with demo.progress.step(f"Kafka {kafka.version}"):
        if kafka.pid is None:
            kafka.claim.write_text(STARTING)
        if kafka.up():
            kafka.claim.write_text(str(kafka.pid))
    return kafka


def is_claimed(server: Postgres | Kafka) -> bool:
    """Whether a demo started the server, and stops it."""
    return server.claim.exists() and server.claim.read_text() in (STARTING, str(server.pid))


def start_web(demo: Demo) -> tuple[int, Command]:
    """Start the web server and wait until it answers; its port, and it."""
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


def _answer_alerts(demo: Demo, state: State, brokers: Brokers, address: str) -> None:
    """Two brokers' answers to the season's alerts; a first part soon, to have something to look at."""
    if state.answered:
        return
    demo.run("clock follows the alerts", "campaign", "elasticc2", "--clock", "sent")
    first_part = FIRST_PART.format(share=FIRST_SHARE, alerts=FIRST_ALERTS, noon=state.noon)
    _answer_through(demo, demo.query(first_part), brokers)
    if first := good_object(demo):
        demo.progress.say(f"  first light curve: {address}{object_page(first)} (root, testing)")
    _answer_through(demo, str(state.noon), brokers)
    state.good_object, state.answered = good_object(demo), True
    state.save(demo)


def _answer_through(demo: Demo, day: str, brokers: Brokers) -> None:
    brokers.answer(through=day)
    demo.run("light curves of what they saw", "update_elasticc2_sources")


def good_object(demo: Demo) -> str:
    """An object with many significant points in many bands; empty where there is none yet."""
    return demo.query(GOOD_OBJECT)


def object_page(objectid: str) -> str:
    """The path of an object's page."""
    return f"elasticc2/object/{objectid}"


def farewell(demo: Demo, port: int, objectid: str, brokers: Brokers) -> str:
    """What there is to see, and how."""
    ours: dict[str, Postgres | Kafka] = {"PostgreSQL": demo.server, "Kafka": Kafka(demo.home)}
    return FAREWELL.format(
        url=url(port),
        bare_url=url(port).rstrip("/"),
        page=object_page(objectid),
        objectid=objectid,
        python=sys.executable,
        checkout=CHECKOUT,
        database=DATABASE,
        brokers=brokers.described,
        and_servers="".join(f" and {name}" for name, server in ours.items() if is_claimed(server)),
        home=demo.home.path,
    )


def _listen_to_signals() -> None:
    """End in order, even where a shell started us in the background with SIGINT ignored; but heed nohup."""
    for number in ENDINGS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt

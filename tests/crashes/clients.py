"""Those who PUT, reveal and read meanwhile: they go on after whatever happens, and remember what they saw."""

import copy
import os
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg2
import requests

from tests.crashes.calm import Messages, Uninterrupted
from tests.localtom import LocalTom
from tom_client import TomClient

PAGE = "elasticc2/brokermessage/"
ANSWERED, NO_DATABASE = 201, 503


def wait_for(what: Callable[[], bool]) -> None:
    while not what():
        time.sleep(0.005)


def wait_until(what: Callable[[], bool], seconds: float = 180.0) -> None:
    """Wait for what has to come; a failure where it does not."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, f"{what} is not so after {seconds} s"
        time.sleep(0.05)


# The same command with little work in each transaction, so that there are many.
REVEAL_IN_SMALL_CHUNKS = """
from django.core.management import call_command
from elasticc2 import reveal
reveal.AT_ONCE = 50
call_command("update_elasticc2_sources")"""


def start_shell(tom: LocalTom, program: str) -> "subprocess.Popen[bytes]":
    return tom.start("shell", "--verbosity", 0, "--command", program)


def revealing(tom: LocalTom) -> Callable[[threading.Event], None]:
    """Reveal over and over, whatever comes of it."""

    def again_and_again(stop: threading.Event) -> None:
        while not stop.is_set():
            start_shell(tom, REVEAL_IN_SMALL_CHUNKS).wait()

    return again_and_again


def logged_in(tom: LocalTom, username: str, count: int) -> list[TomClient]:
    """Clients with connections of their own that share one login."""
    first = tom.client(username)
    return [first, *(copy.deepcopy(first) for _ in range(count - 1))]


class Putter:
    """Three clients that share the batches to PUT, and remember which were answered."""

    def __init__(self, tom: LocalTom, batches: list[Messages]) -> None:
        self.batches = batches
        self.answered: dict[int, dict[str, Any]] = {}
        self.clients = logged_in(tom, "apibroker", 3)

    def put(self) -> None:
        """PUT what was not answered yet; a client that gets no answer stops."""
        waiting = [number for number in range(len(self.batches)) if number not in self.answered]
        with ThreadPoolExecutor(len(self.clients)) as pool:
            list(pool.map(self.put_share, self.clients, (waiting[start::3] for start in range(3))))

    def put_share(self, client: TomClient, numbers: list[int]) -> None:
        for number in numbers:
            try:
                answer = client.put(PAGE, json=self.batches[number])
            except requests.RequestException:
                return
            assert answer.status_code in (ANSWERED, NO_DATABASE), answer.text
            if answer.status_code == ANSWERED:
                self.answered[number] = answer.json()

    def until_all_is_answered(self) -> None:
        while len(self.answered) < len(self.batches):
            self.put()

    def again_and_again(self, stop: threading.Event) -> None:
        """All batches over and over, and at the end what was not answered last."""
        while not stop.is_set():
            self.answered.clear()
            self.put()
        self.until_all_is_answered()


class Reader:
    """A client that asks for light curves, checks each it is given, and remembers how long it was."""

    def __init__(self, client: TomClient, calm: Uninterrupted) -> None:
        self.client = client
        self.calm = calm
        self.seen: dict[int, int] = {}
        self.states = 0
        self.statuses: Counter[int | str] = Counter()

    def again_and_again(self, stop: threading.Event) -> None:
        """Until stopped, and then until everything was seen to answer once more."""
        while not stop.is_set():
            self.read()
        wait_for(lambda: self.read() == [200, 200])

    def read(self) -> list[int | str]:
        return [
            self.ask("elasticc2/ltcv", {"objectids": sorted(self.calm.points)}),
            self.ask("elasticc2/gethottransients", {"detected_since_mjd": 50_000}),
        ]

    def ask(self, page: str, asked: dict[str, Any]) -> int | str:
        try:
            response = self.client.post(page, json=asked)
        except requests.RequestException:
            status: int | str = "no answer"
        else:
            status = response.status_code
            assert status in (200, NO_DATABASE), response.text
        if status == 200:
            self.check(response.json()["diaobject"])
        self.statuses[status] += 1
        return status

    def check(self, objects: list[dict[str, Any]]) -> None:
        """Each object is as some commit left it, and none has become less than it was."""
        now = {each["objectid"]: each["photometry"]["mjd"] for each in objects}
        for objectid, mjds in now.items():
            assert mjds == self.calm.points[objectid][: len(mjds)]
            assert mjds and mjds[-1] in self.calm.detections[objectid], "half revealed"
            assert len(mjds) >= self.seen.get(objectid, 0)
        assert now.keys() >= self.seen.keys()
        seen = {objectid: len(mjds) for objectid, mjds in now.items()}
        self.states += seen != self.seen
        self.seen = seen


# A transaction of reveal brings an object with its sources, all forced points until the last of them, and
# what is kept of it.
HALF_REVEALED = """
SELECT count(*)
FROM (SELECT diaobject_id, max(midpointtai) AS mjd, count(s.*) AS n
      FROM elasticc2_diaobject LEFT JOIN elasticc2_diasource s USING (diaobject_id)
      GROUP BY diaobject_id) known
LEFT JOIN (SELECT diaobject_id, count(*) AS n
           FROM elasticc2_diaforcedsource GROUP BY diaobject_id) forced USING (diaobject_id)
LEFT JOIN elasticc2_packedlightcurve packed USING (diaobject_id)
LEFT JOIN elasticc2_objectsummary summary USING (diaobject_id)
WHERE (known.n, forced.n, forced.n, forced.n, known.mjd)
      IS DISTINCT FROM (summary.n_sources, summary.n_forced, packed.n,
                        (SELECT count(*) FROM elasticc2_ppdbdiaforcedsource p
                         WHERE p.diaobject_id = known.diaobject_id AND p.midpointtai <= known.mjd),
                        summary.latest_mjd)"""


class SqlReader:
    """Somebody with psql, who sees every object that there is."""

    def __init__(self, tom: LocalTom) -> None:
        self.tom = tom
        self.looks = 0

    def again_and_again(self, stop: threading.Event) -> None:
        connection = psycopg2.connect(self.tom.connection.dsn, password=os.environ["DB_PASS"])
        connection.autocommit = True
        with connection.cursor() as cursor:
            while not stop.is_set():
                cursor.execute(HALF_REVEALED)
                assert cursor.fetchone() == (0,)
                self.looks += 1
        connection.close()


@contextmanager
def going_on(*works: Callable[[threading.Event], None]) -> Iterator[None]:
    """These run beside, are told to stop at the end, and what fails in one of them fails here."""
    stop = threading.Event()
    with ThreadPoolExecutor(len(works)) as pool:
        running = [pool.submit(work, stop) for work in works]
        try:
            yield
        finally:
            stop.set()
    for each in running:
        each.result()

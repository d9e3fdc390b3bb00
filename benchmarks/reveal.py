"""Reveal: a hundred new objects, of which two classifiers have spoken, enter the TOM.

``reveal``: value is the median time of one reveal beside much photometry, limit that beside an eighth of it,
so that the ratio says whether the cost follows the news or what is stored. Each object comes with six
sources, a hundred forced points and twelve messages.

``reveal, time``: the same value beside half a second.
"""

from django.db import connection

from benchmarks import databases
from benchmarks.bench import LARGE, LITTLE, Bench
from benchmarks.measuring import Result, at_most, in_turn, seconds
from benchmarks.messages import messages
from benchmarks.profiling import profile
from benchmarks.skies import sources_of
from elasticc2.ingest import ingest
from elasticc2.reveal import reveal
from tom_desc.streams.classifications import check

OBJECTS = 100
MOST_SECONDS = 0.5
FORCED = "SELECT count(*) FROM elasticc2_ppdbdiaforcedsource"


class Hidden:
    """The objects of a sky that the TOM does not know yet."""

    def __init__(self, database: str, known: int) -> None:
        self.database = database
        self.known = known

    def speak(self) -> None:
        """Brokers answer the alerts of the next hundred."""
        objectids = range(self.known + 1, self.known + 1 + OBJECTS)
        self.known += OBJECTS
        ingest(check(messages([source for objectid in objectids for source in sources_of(objectid)]))[0])

    def seconds_to_reveal(self) -> float:
        """How long reveal takes for them."""
        with databases.using(self.database):
            self.speak()
            return seconds(reveal)

    def profile(self) -> str:
        """Where the time of one reveal goes."""
        with databases.using(self.database):
            self.speak()
            return profile(reveal)


def run(bench: Bench) -> list[Result]:
    """Reveal beside much and beside little."""
    large = Hidden(bench.sky(LARGE), bench.scale.large.objects)
    little = Hidden(bench.sky(LITTLE), bench.scale.little.objects)
    with bench.progress.step("reveal"):
        for sky in (large, little):
            sky.seconds_to_reveal()
        value, limit = in_turn(bench.scale.runs, large.seconds_to_reveal, little.seconds_to_reveal)
    parts = " and ".join(f"{forced_rows(sky.database):,}" for sky in (large, little))
    return [
        Result("reveal", value, "s", limit, at_most(1.2), f"beside {parts} forced rows", large.profile),
        Result("reveal, time", value, "s", MOST_SECONDS, at_most(1), f"{OBJECTS} objects", large.profile),
    ]


def forced_rows(database: str) -> int:
    """How much photometry the sky has."""
    with databases.using(database), connection.cursor() as cursor:
        cursor.execute(FORCED)
        return int(cursor.fetchone()[0])

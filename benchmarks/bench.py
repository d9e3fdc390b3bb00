"""What benchmarks share within a run: its scale, its skies, and words for the terminal."""

import io
import os
from dataclasses import dataclass, field
from pathlib import Path

from django.core.management import call_command

from benchmarks import databases, skies
from benchmarks.scales import Scale
from localservers.home import Home
from localservers.kafka import Kafka
from localservers.progress import Progress
from tom_desc.snana.simulate import simulate_survey

LARGE, LITTLE, LOADED = "large", "little", "loaded_survey"
SEED, LAST_MJD = 1, 60_800.0
WORKERS = os.cpu_count() or 1


@dataclass
class Bench:
    """One run of ``./tom bench``."""

    scale: Scale
    progress: Progress = field(default_factory=Progress)
    _made: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        with self.progress.step("schema"):
            databases.make_template()

    def sky(self, name: str) -> str:
        """The database of the large or the little sky, made when first asked for."""
        sky = {LARGE: self.scale.large, LITTLE: self.scale.little}[name]
        database = f"sky_{name}"
        if self._is_new(database):
            with self.progress.step(f"a sky of {sky.objects:,} objects"):
                skies.make_sky(database, sky, self.progress)
        return database

    def survey(self) -> list[Path]:
        """The model directories of a simulated survey, made when first asked for."""
        base = Home.from_environment().path / "survey"
        if self._is_new("survey"):
            with self.progress.step(f"a simulated survey of {self.scale.survey:,} objects"):
                tick = self.progress.tick
                simulate_survey(
                    base, objects=self.scale.survey, seed=SEED, last_mjd=LAST_MJD, progress=lambda _: tick()
                )
        return sorted(path for path in base.iterdir() if path.is_dir())

    def loaded_survey(self) -> str:
        """A database with the simulated survey, made when first asked for."""
        directories = self.survey()
        if self._is_new(LOADED):
            databases.make(LOADED)
            with self.progress.step("the survey, loaded"), databases.using(LOADED):
                load_survey(directories)
        return LOADED

    def kafka(self) -> str:
        """Address of a Kafka of the run's own, started when first asked for."""
        kafka = Kafka(Home.from_environment(), tied=True)
        if self._is_new("Kafka"):
            with self.progress.step("Kafka"):
                kafka.up()
        return kafka.server

    def _is_new(self, what: str) -> bool:
        """Whether this is asked of the thing for the first time."""
        is_new = what not in self._made
        self._made.add(what)
        return is_new


def load_survey(directories: list[Path]) -> None:
    """As the operator does it, with a worker for each processor."""
    arguments = ["--ppdb", "--do", "--nprocs", str(WORKERS), "--directories", *map(str, directories)]
    call_command("load_snana_fits", *arguments, stdout=io.StringIO(), stderr=io.StringIO())

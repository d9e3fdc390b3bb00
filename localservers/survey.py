"""The demo's simulated survey: how large, when it ends, and how far the demo has come with it."""

import json
import math
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from localservers import LocalServerError
from localservers.run import DATABASE, Command, Demo

OBJECTS = 500
# With fewer there may be none with a light curve to show.
FEWEST_OBJECTS = 10
SEED = 1
# Days before tonight, which are answered at once, and after it, which pass a night a minute. The simulated
# sky is liveliest in its last month; with many more days to come tonight's would be the other half of it.
SEASON_DAYS = 400
DAYS_TO_COME = 90
# Nights end at this part of the day (UTC): in Chile before dawn.
DAWN = 0.4

COMMENT = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"


@dataclass
class State:
    """How far the demo's database has come, kept as its comment: with the data, or gone with them."""

    last_mjd: float
    objects: int = OBJECTS
    loaded: bool = False
    answered: bool = False
    good_object: str = ""
    # What the names of its Kafka topics end with; None: it has none.
    topic_suffix: str | None = None

    @classmethod
    def of(cls, demo: Demo, *, objects: int | None = None) -> "State":
        """As the database says; a new one gets a survey around tonight.

        Raises
        ------
        LocalServerError
            Where another number of objects is asked for than is there.
        """
        comment = demo.query(COMMENT)
        if not comment.startswith("{"):
            return cls(last_mjd=tonight() + DAYS_TO_COME, objects=objects or OBJECTS)
        state = cls(**json.loads(comment))
        if objects not in (None, state.objects):
            raise LocalServerError(other_sky(demo, there=state.objects, asked=objects))
        return state

    @property
    def noon(self) -> float:
        """MJD of the noon after tonight: what came before it the demo shows at once."""
        return math.floor(self.last_mjd) - DAYS_TO_COME + 0.5

    def save(self, demo: Demo) -> None:
        """Write it to the database."""
        demo.query(f"COMMENT ON DATABASE \"{DATABASE}\" IS '{json.dumps(vars(self))}'")


def tonight() -> float:
    """When the last night that is over ended, MJD; 40587 is 1970-01-01."""
    return math.floor(40587 + time.time() / 86400 - DAWN) + DAWN


def other_sky(demo: Demo, *, there: int, asked: int | None) -> str:
    """Why a sky of another size is not shown, and how to get it."""
    again = f"./tom demo --objects {asked}"
    return (
        f"the demo below {demo.home.path} has a sky of {there} objects, not {asked}.\n"
        f"  To see it: ./tom demo\n"
        f"  To have the other beside it: TOM_HOME=ANOTHER_DIRECTORY {again}\n"
        f"  To replace it: {start_over(again)}"
    )


def start_over(again: str) -> str:
    """The shell's commands that remove the demo's database, then show a new one."""
    return f'./tom servers up && eval "$(./tom servers env)" && dropdb {DATABASE} && {again}'


@dataclass
class Simulation:
    """The survey's files and, while they are being made, the command that makes them."""

    state: State
    directory: Path
    draft: Path | None = None
    command: Command | None = None

    def wait(self, demo: Demo) -> list[str]:
        """The model directories, once they are whole."""
        if self.command and self.draft:
            demo.finish(f"a simulated survey of {self.state.objects} objects", self.command)
            self.draft.rename(self.directory)
        return [str(path) for path in sorted(self.directory.iterdir()) if path.is_dir()]


def simulation(demo: Demo, state: State) -> Simulation:
    """The survey of an earlier run, else one that is made while the database gets its tables."""
    base = demo.home.directory("demo")
    directory = base / f"survey-{state.last_mjd}-{state.objects}"
    if state.loaded or directory.exists():
        return Simulation(state, directory)
    draft = base / "survey.new"
    shutil.rmtree(draft, ignore_errors=True)
    return Simulation(state, directory, draft, demo.manage("simulate_snana", str(draft), *arguments(state)))


def arguments(state: State) -> list[str]:
    """What simulate_snana is asked for."""
    first_mjd = state.last_mjd - DAYS_TO_COME - SEASON_DAYS
    asked = {
        "objects": state.objects,
        "seed": SEED,
        "first-mjd": f"{first_mjd:.1f}",
        "last-mjd": f"{state.last_mjd:.1f}",
    }
    return [word for name, value in asked.items() for word in (f"--{name}", str(value))]


def load(demo: Demo, state: State, survey: Simulation) -> None:
    """The survey's rows into the PPDB, unless they are there."""
    if state.loaded:
        return
    # Before the first row: tomorrow's run completes this night's survey instead of mixing two.
    state.save(demo)
    directories = survey.wait(demo)
    demo.run("the survey loaded", "load_snana_fits", "--ppdb", "--do", "-d", *directories)
    state.loaded = True
    state.save(demo)

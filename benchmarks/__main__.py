"""``./tom bench``: measure on a PostgreSQL of the run's own, print a table, write JSON."""

import argparse
import importlib
import json
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

import django

from benchmarks.measuring import Result
from benchmarks.report import missed, table
from benchmarks.scales import SCALES, Scale
from benchmarks.server import own_server
from localservers import LocalServerError
from localservers.home import Home
from localservers.kafka import Kafka
from localservers.progress import Progress

NAMES = ("load", "assemble", "ingest", "send", "reveal", "put", "ltcv", "hot")
NEED_KAFKA = {"ingest", "send"}
FAILED, INTERRUPTED = 1, 130


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, write; the exit code."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        results = measure(options.names or NAMES, SCALES[options.scale], write_to=options.json)
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted\n")
        return INTERRUPTED
    except LocalServerError as error:
        sys.stderr.write(f"tom: {error}\n")
        return FAILED
    return FAILED if options.check and any(result.holds is False for result in results) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tom bench", description=__doc__)
    known = ", ".join(NAMES)
    parser.add_argument("names", nargs="*", type=_name, metavar="NAME", help=f"some of {known} (all)")
    parser.add_argument("--scale", choices=sorted(SCALES), default="small", help="how much data (small)")
    parser.add_argument("--json", type=_new_file, metavar="FILE", help="write the results there, too")
    parser.add_argument("--check", action="store_true", help="exit with 1 where a goal is missed")
    return parser


def _name(text: str) -> str:
    if text not in NAMES:
        raise argparse.ArgumentTypeError(f"{text} is none of {', '.join(NAMES)}")
    return text


def _new_file(text: str) -> Path:
    """A place to write to, found out before an hour of measuring."""
    if not Path(text).absolute().parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no directory for {text}")
    return Path(text)


def measure(names: Sequence[str], scale: Scale, *, write_to: Path | None) -> list[Result]:
    """The results of the named benchmarks, printed and written."""
    progress = Progress()
    if NEED_KAFKA & set(names):
        Kafka(Home.from_environment()).bring()
    with ExitStack() as until_measured:
        with progress.step("PostgreSQL"):
            until_measured.enter_context(own_server(Home.from_environment()))
        os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
        django.setup()
        # Imports models, which nobody may before.
        from benchmarks.bench import Bench

        bench = Bench(scale, progress)
        results: list[Result] = []
        profiles = ""
        for name in (name for name in NAMES if name in names):
            found = importlib.import_module(f"benchmarks.{name}").run(bench)
            # A profile does what is profiled once more, before others change the data.
            profiles += missed(found)
            results += found
    progress.say(table(results) + profiles)
    if write_to is not None:
        write_to.write_text(json.dumps([result.as_json() for result in results], indent=1) + "\n")
    return results


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())

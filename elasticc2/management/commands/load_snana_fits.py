"""Survey files into the database."""

import argparse
import sys
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from elasticc2 import load
from elasticc2.campaign import ALERT_ZEROPOINT, DEFAULT_SIMVERSION, SNANA_ZEROPOINT
from tom_desc.progress import progress
from tom_desc.stopping import TERMINATED, sigterm_asks


class Command(BaseCommand):
    help = (
        "Load SNANA HEAD/PHOT/DUMP files. Loading again adds what is missing and nothing else; without --do"
        " the files are read and nothing is stored."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.formatter_class = argparse.ArgumentDefaultsHelpFormatter
        parser.add_argument("-n", "--nprocs", type=int, default=5, help="worker processes")
        parser.add_argument(
            "-d", "--directories", type=Path, nargs="+", required=True, help="model directories"
        )
        parser.add_argument("-f", "--files", nargs="+", help="HEAD files in each directory (default: all)")
        parser.add_argument("--verbose", action="store_true", help="one line a file")
        parser.add_argument("-s", "--simversion", default=DEFAULT_SIMVERSION, help="tag of the simulation")
        parser.add_argument("-m", "--max-sources-per-object", type=int, default=100_000, help="id arithmetic")
        parser.add_argument(
            "-p", "--photflag-detect", type=int, default=4096, help="PHOTFLAG bit of a detection"
        )
        parser.add_argument(
            "-z", "--snana-zeropoint", type=float, default=SNANA_ZEROPOINT, help="of the files"
        )
        parser.add_argument(
            "-a", "--alert-zeropoint", type=float, default=ALERT_ZEROPOINT, help="to store in"
        )
        kind = parser.add_mutually_exclusive_group(required=True)
        kind.add_argument(
            "--ppdb", action="store_const", dest="kind", const=load.PPDB, help="the survey itself"
        )
        kind.add_argument(
            "--train", action="store_const", dest="kind", const=load.TRAINING, help="training set"
        )
        parser.add_argument(
            "--dont-disable-indexes-fks",
            action="store_true",
            help="accepted for old scripts; keys and indexes always stay in place",
        )
        parser.add_argument("--do", action="store_true", help="store; otherwise only read the files")

    def handle(self, *args: Any, **options: Any) -> None:
        how = load.LoadOptions(
            kind=options["kind"],
            simversion=options["simversion"],
            max_sources_per_object=options["max_sources_per_object"],
            photflag_detect=options["photflag_detect"],
            snana_zeropoint=options["snana_zeropoint"],
            alert_zeropoint=options["alert_zeropoint"],
            store=options["do"],
        )
        if options["nprocs"] < 1:
            raise CommandError("--nprocs must be at least 1")
        try:
            heads = load.head_files(options["directories"], options["files"])
            if how.store:
                load.remember_units(how)
        except load.LoadError as error:
            raise CommandError(str(error)) from error
        with sigterm_asks() as stopping:
            loading = load.load_files(heads, options=how, processes=options["nprocs"])
            outcomes = self.follow(loading, len(heads), stopping, verbose=options["verbose"])
            if not stopping():
                outcomes += [load.load_truth(directory, options=how) for directory in options["directories"]]
            self.conclude(outcomes, how)
            if stopping():
                raise CommandError("stopped; load again to go on", returncode=TERMINATED)

    def follow(
        self,
        loading: Generator[load.Outcome],
        files: int,
        stopping: Callable[[], bool],
        *,
        verbose: bool,
    ) -> list[load.Outcome]:
        """What came of each file, until all are loaded or SIGTERM asks to stop after those in hand."""
        outcomes = []
        with closing(loading):
            for outcome in progress(loading, total=files, what="survey files", stream=sys.stderr):
                outcomes.append(outcome)
                if verbose:
                    self.stdout.write(f"{outcome.path}: {outcome.error or outcome.counts}")
                if stopping():
                    break
        return outcomes

    def conclude(self, outcomes: list[load.Outcome], how: load.LoadOptions) -> None:
        """One summary line; failed files are named and make the command fail."""
        counts = sum((outcome.counts for outcome in outcomes), load.Counts())
        if how.store:
            load.refresh_statistics(counts, how)
        verb = "loaded" if how.store else "read, nothing stored (--do stores):"
        self.stdout.write(f"{verb} {counts}")
        failed = [outcome for outcome in outcomes if outcome.error]
        if failed:
            lines = "".join(f"\n  {outcome.path}: {outcome.error}" for outcome in failed)
            raise CommandError(f"{len(failed)} of {len(outcomes)} files failed:{lines}")

"""manage.py simulate_snana: a seeded simulated survey as SNANA files, ready for load_snana_fits."""

import sys
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from tom_desc.mjd import mjd_tai
from tom_desc.snana.simulate import finished_simulation, read_manifest, simulate_survey, simulation_arguments


class Command(BaseCommand):
    help = "Simulate a survey (all classes of the taxonomy, WFD and DDF) and write it as SNANA files."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("outdir", type=Path, help="new or empty directory for one directory per class")
        parser.add_argument("--objects", type=int, default=500, help="how many objects (500)")
        parser.add_argument("--seed", type=int, default=1, help="the same arguments make the same survey (1)")
        parser.add_argument("--last-mjd", type=float, help="when the last night ends (now)")
        parser.add_argument(
            "--first-mjd", type=float, help="when the survey begins (400 days before its end)"
        )
        parser.add_argument("--ddf-fraction", type=float, default=0.02, help="part in deep fields (0.02)")

    def handle(self, *, outdir: Path, last_mjd: float | None, **options: Any) -> None:
        chosen = {name: options[name] for name in ("objects", "seed", "first_mjd", "ddf_fraction")}
        chosen["last_mjd"] = round(mjd_tai(datetime.now(tz=UTC)), 4) if last_mjd is None else last_mjd
        try:
            wanted = simulation_arguments(**chosen)
            if last_mjd is None:
                _accept_any_end(wanted, first_mjd=chosen["first_mjd"])
            done = finished_simulation(outdir, wanted)
            if not done:
                simulate_survey(outdir, **chosen, progress=progress_of(chosen["objects"]))
        except (ValueError, FileExistsError, RuntimeError) as problem:
            raise CommandError(str(problem)) from problem
        self.stdout.write(("Already there: " if done else "") + summary(outdir))


def _accept_any_end(wanted: dict[str, Any], *, first_mjd: float | None) -> None:
    """Who does not say when the survey ends takes the one that is there."""
    del wanted["last_mjd"]
    if first_mjd is None:
        del wanted["first_mjd"]


def summary(outdir: Path) -> str:
    """One line about the finished simulation of a directory."""
    manifest = read_manifest(outdir) or {}
    counts = ", ".join(f"{manifest[what]} {what}" for what in ("objects", "detections", "points"))
    end = manifest["arguments"]["last_mjd"]
    return f"{counts} through MJD {end}, in {len(manifest['directories'])} directories below {outdir}"


def progress_of(total: int) -> Callable[[int], object]:
    """A bar on a terminal; elsewhere a line for every tenth."""
    if sys.stderr.isatty():
        return tqdm(total=total, unit=" objects").update
    done = 0

    def advance(more: int) -> None:
        nonlocal done
        tenths, done = done * 10 // total, done + more
        if done * 10 // total > tenths:
            sys.stderr.write(f"simulated {done} of {total} objects\n")

    return advance

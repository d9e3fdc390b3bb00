"""Alerts into tar files."""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from elasticc2.alerts import AlertAssembler
from elasticc2.sendruns import finite_mjd
from elasticc2.tars import days_with_alerts, refuse_existing, write_tar
from tom_desc.progress import progress
from tom_desc.stopping import TERMINATED, sigterm_asks

OLD = "accepted for old scripts, without effect:"


class Command(BaseCommand):
    help = (
        "Write the alerts of each day (whole MJD), sent or not, to DIR/<mjd>.tar, one <alert_id>.avro each:"
        " schemaless, with 365 days of history. Without --do, say what would be written."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--start-day", type=finite_mjd, required=True, metavar="MJD", help="first day (TAI)")
        add("-d", "--through-day", type=finite_mjd, required=True, metavar="MJD", help="last day, included")
        add("-o", "--outdir", type=Path, default=Path(), metavar="DIR", help="default: the current one")
        add("-c", "--clobber", action="store_true", help="replace files that are there")
        add("--do", action="store_true", help="write; otherwise only say what would be written")
        add("-g", "--gentype", help="not implemented, as in the original")
        add("-s", "--alert-schema", help=f"{OLD} it is v0_9_1")
        add("-l", "--log-every", type=int, help=f"{OLD} progress comes by time")
        add("-n", "--num-reconstruct-processes", type=int, help=f"{OLD} one is enough")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["gentype"] is not None:
            raise CommandError("--gentype is not implemented")
        directory: Path = options["outdir"]
        with connection.cursor() as cursor, sigterm_asks() as stopping:
            bounds = {name: options[name] for name in ("start_day", "through_day")}
            days = days_with_alerts(cursor, **bounds)
            try:
                if not options["clobber"]:
                    refuse_existing(directory, days)
                if not options["do"]:
                    self.say_plan(days)
                    return
                directory.mkdir(parents=True, exist_ok=True)
                assembler, done = AlertAssembler(), 0
                for day, alerts in days.items():
                    writing = write_tar(cursor, assembler, directory, day)
                    for _ in progress(writing, total=alerts, what=f"alerts of {day}", stream=sys.stderr):
                        done += 1
                    if stopping():
                        raise CommandError(f"stopped after the day {day}", returncode=TERMINATED)
            except OSError as error:
                raise CommandError(str(error)) from error
        self.stdout.write(f"wrote {done} alerts of {len(days)} days to {directory}")

    def say_plan(self, days: dict[int, int]) -> None:
        lines = [f"{day}.tar: {alerts} alerts" for day, alerts in days.items()] or ["no alerts"]
        self.stdout.write("\n".join([*lines, "nothing was written (--do writes)"]))

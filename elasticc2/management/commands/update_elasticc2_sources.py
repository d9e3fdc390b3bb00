"""Reveal what brokers spoke of."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from elasticc2.renewal import AlreadyRunning
from elasticc2.reveal import Revealed, reveal
from tom_desc.stopping import TERMINATED, sigterm_asks


class Command(BaseCommand):
    help = "Bring the objects that brokers spoke of, and their photometry so far, from the PPDB to the TOM."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--doall", action="store_true", help="look at every source of every message, not only at news"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        with sigterm_asks() as stopping:
            try:
                total = reveal(do_all=options["doall"], on_chunk=self.report, stopping=stopping)
            except AlreadyRunning as error:
                raise CommandError(str(error)) from error
            self.stdout.write(str(total))
            if stopping():
                raise CommandError("stopped; the next run goes on", returncode=TERMINATED)

    def report(self, total: Revealed) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"so far: {total}")

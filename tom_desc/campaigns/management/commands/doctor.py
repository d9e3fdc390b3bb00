"""Say whether the TOM is well, and what to do where it is not."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tom_desc.campaigns.checkup import checkup


class Command(BaseCommand):
    help = "Check versions, schema, disk, SQL roles, sequences, clocks, and what is kept of objects."
    # A schema that is not up to date is a finding, not a reason to say nothing.
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--sample",
            type=int,
            default=1000,
            metavar="N",
            help="compare what is kept of N objects at random with a recomputation (1000)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["sample"] < 0:
            raise CommandError("--sample must not be negative")
        wrong = 0
        for finding in checkup(sample=options["sample"]):
            self.stdout.write(str(finding))
            self.stdout.flush()
            wrong += not finding.ok
        if wrong:
            raise CommandError(f"{wrong} not ok")

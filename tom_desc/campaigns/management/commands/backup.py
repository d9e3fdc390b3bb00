"""Back up the TOM's database."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tom_desc.backup import BackupError, back_up, verify


class Command(BaseCommand):
    help = (
        "Write the whole database, as of one moment, into a new directory; `restore` makes a database of it."
        " Secrets are not in it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("directory", type=Path)
        parser.add_argument("-j", "--jobs", type=int, default=2, help="tables at the same time (%(default)s)")
        parser.add_argument(
            "--verify",
            action="store_true",
            help="restore it into a database of its own, compare, and remove that database",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            manifest = back_up(options["directory"], jobs=options["jobs"], say=self.stderr.write)
            if options["verify"]:
                verify(options["directory"], jobs=options["jobs"], say=self.stderr.write)
        except BackupError as error:
            raise CommandError(str(error)) from error
        verified = " and could be restored" if options["verify"] else ""
        self.stdout.write(f"{manifest} in {options['directory']}{verified}")

"""Restore a backup."""

from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from tom_desc.backup import BackupError, restore


class Command(BaseCommand):
    help = (
        "Restore what `backup` wrote into a database, which is made if it is missing and refused if it holds"
        " rows; then bring it up to this version's schema and make groups, roles and grants."
    )
    # The database need not be there yet.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("directory", type=Path)
        parser.add_argument("--into", metavar="DATABASE", help="its name (default: $DB_NAME)")
        parser.add_argument("-j", "--jobs", type=int, default=2, help="tables at the same time (%(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        into = options["into"] or str(connection.settings_dict["NAME"])
        try:
            manifest = restore(options["directory"], into=into, jobs=options["jobs"], say=self.stderr.write)
        except BackupError as error:
            raise CommandError(str(error)) from error
        connection.close()
        connection.settings_dict["NAME"] = into
        call_command("migrate", verbosity=0)
        call_command("bootstrap", stdout=self.stderr)
        self.stdout.write(f"{into} holds {manifest}, as many as there were")

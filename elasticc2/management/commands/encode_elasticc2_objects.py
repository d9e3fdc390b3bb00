"""Keep the PPDB's objects encoded, for alerts."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from elasticc2.histories import OBJECTS_AT_ONCE
from elasticc2.keptobjects import encode_objects, forget_all, not_kept
from tom_desc.progress import progress
from tom_desc.stopping import TERMINATED, sigterm_asks


class Command(BaseCommand):
    help = (
        "Encode the objects of the PPDB that are not kept encoded, so that their alerts are put together"
        " faster. A load does so itself; a restore, or whoever adds photometry by SQL, does not."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--anew", action="store_true", help="forget first what is kept")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["anew"]:
            forget_all()
        with connection.cursor() as cursor:
            objectids = not_kept(cursor)
        chunks = -(-len(objectids) // OBJECTS_AT_ONCE)
        encoded = 0
        with sigterm_asks() as stopping:
            for objects in progress(
                encode_objects(objectids), total=chunks, what="chunks of objects", stream=sys.stderr
            ):
                encoded += objects
                if stopping():
                    raise CommandError(f"stopped after {encoded} objects", returncode=TERMINATED)
        self.stdout.write(f"encoded {encoded} of {len(objectids)} objects that were not kept")

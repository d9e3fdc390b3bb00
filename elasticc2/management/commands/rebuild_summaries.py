"""Recompute what is kept of every object."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from elasticc2.counts import exact
from elasticc2.renewal import OBJECTS_AT_ONCE, AlreadyRunning, rebuild
from tom_desc.progress import progress
from tom_desc.stopping import TERMINATED, sigterm_asks


class Command(BaseCommand):
    help = "Recompute summaries, classifications and packed light curves of all objects from their rows."

    def handle(self, *args: Any, **options: Any) -> None:
        chunks = -(-exact("elasticc2_diaobject", "true") // OBJECTS_AT_ONCE)
        rebuilt = 0
        with sigterm_asks() as stopping:
            try:
                for objects in progress(rebuild(), total=chunks, what="chunks of objects", stream=sys.stderr):
                    rebuilt += objects
                    if stopping():
                        raise CommandError(f"stopped after {rebuilt} objects", returncode=TERMINATED)
            except AlreadyRunning as error:
                raise CommandError(str(error)) from error
        self.stdout.write(f"rebuilt what is kept of {rebuilt} objects")

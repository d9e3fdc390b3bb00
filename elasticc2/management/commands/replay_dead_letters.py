"""Look at dead letters again, or delete old ones."""

import math
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from elasticc2.poll import decode
from tom_desc.progress import progress
from tom_desc.stopping import TERMINATED, sigterm_asks
from tom_desc.streams import deadletters
from tom_desc.streams.deadletters import AlreadyRunning, Choice, Replayed


class Command(BaseCommand):
    help = (
        "Look at dead letters again, the oldest first: store those that are valid now, and say of the others"
        " why they are not. Or delete old ones. Without --do nothing is changed, only counted what would be."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--source", help="those of this consumer")
        parser.add_argument("--topic", help="those of this topic")
        parser.add_argument("--id", type=int, nargs="+", metavar="N", help="these")
        parser.add_argument("--reason", metavar="TEXT", help="those with this somewhere in the reason")
        parser.add_argument(
            "--delete-older-than", type=days, metavar="DAYS", help="delete letters that came before"
        )
        parser.add_argument("--do", action="store_true", help="do it")

    def handle(self, *args: Any, **options: Any) -> None:
        choice = Choice(options["source"], options["topic"], options["id"], options["reason"])
        age = options["delete_older_than"]
        if age is None:
            self.replay(choice, do=options["do"])
        elif choice != Choice():
            raise CommandError("--delete-older-than goes by age alone; give it by itself, or with --do")
        else:
            self.delete(datetime.now(UTC) - age, do=options["do"])

    def replay(self, choice: Choice, *, do: bool) -> None:
        """Chunk after chunk, until all are done or SIGTERM asks to stop after the one in hand."""
        done = Replayed()
        chunks = -(-deadletters.count(choice) // deadletters.REPLAYED_AT_ONCE)
        try:
            with (
                sigterm_asks() as stopping,
                closing(deadletters.replay(decode, choice, store=do)) as replayed,
            ):
                for chunk in progress(replayed, total=chunks, what="chunks of letters", stream=sys.stderr):
                    done += chunk
                    if stopping():
                        raise CommandError("stopped; again goes on", returncode=TERMINATED)
        except AlreadyRunning as error:
            raise CommandError(str(error)) from error
        finally:
            verb = "replayed" if do else "looked at, nothing stored (--do stores):"
            self.stdout.write(f"{verb} {done}")

    def delete(self, before: datetime, *, do: bool) -> None:
        """Letters that were received before."""
        if do:
            self.stdout.write(f"deleted {deadletters.delete_older(before)} letters")
        else:
            self.stdout.write(f"{deadletters.count_older(before)} letters, not deleted (--do deletes)")


def days(text: str) -> timedelta:
    """A number of days that is not negative."""
    value = float(text)
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{text} is no number of days")
    return timedelta(days=value)

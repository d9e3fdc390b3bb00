"""What was sent, for the histograms."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import connection, transaction

from elasticc2.sendrecord import record_sent


class Command(BaseCommand):
    help = (
        "The histograms of sent alerts need no update: they are made from what sending records. This records,"
        " by hour, alerts that are marked sent and of which nobody did, as after restoring a dump."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--start", type=date.fromisoformat, default="2023-07-05", help="first day (%(default)s)")
        add("--end", type=date.fromisoformat, metavar="DATE", help="last day (default: today)")
        add("--endrel", type=int, default=0, metavar="DAYS", help="last day from today; -1 is yesterday (0)")
        add("--hour", type=int, default=0, metavar="HOUR", help="at which days begin, UTC (0)")
        add("--scorched-earth", action="store_true", help="forget first what was recorded without a run")

    def handle(self, *args: Any, **options: Any) -> None:
        begins = time(options["hour"], tzinfo=UTC)
        last = options["end"] or datetime.now(UTC).date() + timedelta(options["endrel"])
        with transaction.atomic(), connection.cursor() as cursor:
            recorded = record_sent(
                cursor,
                start=datetime.combine(options["start"], begins),
                end=datetime.combine(last + timedelta(1), begins),
                anew=options["scorched_earth"],
            )
        self.stdout.write(f"recorded {recorded} alerts that were sent without a record")

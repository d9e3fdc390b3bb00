"""Alerts from tar files or directories to Kafka."""

import math
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from elasticc2.alertfiles import NotAnAlert, Streamed, alerts_of, days_of, stream
from elasticc2.send import SendingFailed
from elasticc2.sendruns import finite_mjd
from tom_desc.progress import progress
from tom_desc.stopping import TERMINATED, sigterm_asks
from tom_desc.streams.produce import Outbox, kafka_server

SERVER = "brahms.lbl.gov:9092"


class Command(BaseCommand):
    help = (
        "Send the alerts of tars <mjd>.tar, or of directories of <alert_id>.avro, to a topic: day after day,"
        " and in order of survey time within each. Nothing is marked in the database."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("paths", type=Path, nargs="+", metavar="PATH", help="tars, or directories of tars or of alerts")
        add("--start-day", type=finite_mjd, default=0.0, metavar="MJD", help="first source (TAI)")
        add("-d", "--through-day", type=finite_mjd, default=1e6, metavar="MJD", help="last day, to its end")
        add("-k", "--kafka-server", help=f"host:port (default: $KAFKA_SERVER, else {SERVER})")
        add("-t", "--topic", required=True, help="where to")
        add("--rate", type=float, default=math.inf, metavar="N", help="no more than N alerts a second")
        add("--do", action="store_true", help="send; otherwise only say what would be sent")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["rate"] > 0:
            raise CommandError("--rate must be greater than 0")
        try:
            with sigterm_asks() as stopping:
                self.stdout.write(self.send(options, stopping))
                if stopping():
                    raise CommandError("stopped", returncode=TERMINATED)
        except (OSError, NotAnAlert, SendingFailed) as error:
            raise CommandError(str(error)) from error

    def send(self, options: dict[str, Any], stopping: Callable[[], bool]) -> str:
        """Send day after day; the summary."""
        bounds = {name: options[name] for name in ("start_day", "through_day")}
        days = days_of(options["paths"], **bounds)
        outbox = Outbox(kafka_server(options["kafka_server"], otherwise=SERVER)) if options["do"] else None
        total = Streamed()
        for places in progress(days.values(), total=len(days), what="days", stream=sys.stderr):
            alerts = alerts_of(places, **bounds)
            if outbox is None:
                total += Streamed(len(alerts), sum(len(alert.value) for alert in alerts))
                continue
            how = {"alerts_per_second": options["rate"], "now": partial(datetime.now, UTC)}
            total += stream(outbox, alerts, topic=options["topic"], stopping=stopping, **how)
            if stopping():
                break
        return f"{'sent' if outbox else 'nothing was sent (--do sends):'} {total} to {options['topic']}"

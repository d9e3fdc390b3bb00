"""Alerts to Kafka."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, InterfaceError, connection
from tqdm import tqdm

from elasticc2.models import SendRun
from elasticc2.send import How, Order, SendingFailed, Sent, Stopped, planned, send
from elasticc2.sendruns import AlertTopics, finite_mjd
from tom_desc.stopping import TERMINATED, sigterm_asks
from tom_desc.streams.produce import kafka_server

SERVER = "brahms.lbl.gov:9092"
ONE_OF_BOTH = "Must give exactly one of -d or -a..."
OLD = "accepted for old scripts, without effect:"


class Command(BaseCommand):
    help = (
        "Send unsent alerts to Kafka in order of survey time and mark each when Kafka has confirmed it. A run"
        " that was cut short is completed first. Without --do, say what would be sent where."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--start-day", type=finite_mjd, metavar="MJD", help="first source, inclusive (TAI)")
        add("-d", "--through-day", type=finite_mjd, metavar="MJD", help="last source, inclusive (TAI)")
        add(
            "-a",
            "--added-days",
            type=finite_mjd,
            metavar="DAYS",
            help="instead: so many nights after that of the last alert sent",
        )
        add("--resend", type=int, metavar="NIGHT", help="instead: once more what was sent of a night (MJD)")
        add("-k", "--kafka-server", help=f"host:port (default: $KAFKA_SERVER, else {SERVER})")
        add("--wfd-topic", default="alerts-wfd", help="default: %(default)s")
        add("--ddf-full-topic", default="alerts-ddf-full", help="default: %(default)s")
        add("--ddf-limited-topic", default="alerts-ddf-limited", help="default: %(default)s")
        add("-l", "--log-every", type=int, default=10_000, metavar="ALERTS", help="a line (%(default)s)")
        add(
            "-n",
            "--num-reconstruct-processes",
            type=int,
            default=3,
            help="threads that put alerts together (%(default)s)",
        )
        add("--do", action="store_true", help="send; otherwise only say what would be sent")
        add("-s", "--alert-schema", help=f"{OLD} it is v0_9_1")
        add("-f", "--flush-every", type=int, help=f"{OLD} slices have the size that suits")
        add("-r", "--runningfile", help=f"{OLD} an advisory lock keeps others out")

    def handle(self, *args: Any, **options: Any) -> None:
        order = order_of(options)
        if not options["do"]:
            self.say_plan(order)
            return
        if options["log_every"] < 1 or options["num_reconstruct_processes"] < 1:
            raise CommandError("-l and -n must be at least 1")
        with sigterm_asks() as stopping, Progress(options["log_every"], self.stdout.write) as progress:
            how = How(
                threads=options["num_reconstruct_processes"],
                now=partial(datetime.now, UTC),
                stopping=stopping,
                report=progress,
            )
            try:
                sent = send(order, how)
            except SendingFailed as error:
                status = TERMINATED if isinstance(error, Stopped) else 1
                raise CommandError(f"sent {progress.sent}; {error}", returncode=status) from error
            except (DatabaseError, InterfaceError) as error:
                raise CommandError(
                    f"sent {progress.sent}; the database: {error}; what is not marked is looked for on the"
                    " topics by the next run"
                ) from error
        self.stdout.write(f"sent {sent}" if sent != Sent() else "no alerts to send")

    def say_plan(self, order: Order) -> None:
        """What would be sent of which night, and where to."""
        with connection.cursor() as cursor:
            lines = planned(cursor, order)
        self.stdout.write(
            "\n".join([*lines, "nothing was sent (--do sends)"] if lines else ["no alerts to send"])
        )


class Progress:
    """A bar on a terminal; elsewhere a line every so many alerts.

    Attributes
    ----------
    sent
        All that was confirmed so far.
    """

    def __init__(self, every: int, say: Callable[[str], object]) -> None:
        self.every = every
        self.say = say
        self.sent = Sent()
        self.bar = tqdm(unit=" alerts", file=sys.stderr, disable=not sys.stderr.isatty(), leave=False)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *exception: object) -> None:
        self.bar.close()

    def __call__(self, run: SendRun, more: Sent) -> None:
        before, self.sent = self.sent, self.sent + more
        self.bar.total = run.alerts_to_send
        self.bar.update(more.alerts)
        if self.bar.disable and self.sent.alerts // self.every > before.alerts // self.every:
            self.say(f"{datetime.now(UTC):%H:%M:%S} sent {self.sent}")


def order_of(options: dict[str, Any]) -> Order:
    """What is asked for; CommandError where that makes no sense."""
    asked = [options[name] is not None for name in ("through_day", "added_days")]
    if options["resend"] is not None and (any(asked) or options["start_day"] is not None):
        raise CommandError("--resend goes with none of --start-day, -d and -a")
    if options["resend"] is None and sum(asked) != 1:
        raise CommandError(ONE_OF_BOTH)
    return Order(
        server=kafka_server(options["kafka_server"], otherwise=SERVER),
        topics=AlertTopics(options["wfd_topic"], options["ddf_full_topic"], options["ddf_limited_topic"]),
        **{name: options[name] for name in ("start_day", "through_day", "added_days", "resend")},
    )

"""Pretend brokers that answer over REST, or between two Kafka servers."""

import math
import os
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import requests
from confluent_kafka import KafkaException
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from elasticc2.alerts import count_unsent
from elasticc2.answers import Answered, Receipt, answer_sent, answer_unsent, count_unanswered
from elasticc2.kafkabroker import KafkaBroker, Relayed, Route
from tom_client import TomClient
from tom_desc.progress import progress
from tom_desc.stopping import TERMINATED, sigterm_asks
from tom_desc.streams.fakebroker import ALWAYS_THE_SAME, CLASSIFIERS, PretendClassifier

PAGE = "elasticc2/brokermessage/"
API = "api"
# Alerts in a request, alerts in a transaction.
REST_BATCH, KAFKA_BATCH = 100, 1000
SERVERS = "give --rest URL, or --source and --dest (default: $KAFKA_SERVER)"
STOPPED = "stopped before all alerts were answered"
ONE_OF_BOTH = "give either --rest, or --source and --dest"


class Command(BaseCommand):
    help = (
        "With --source and --dest, read alerts from one Kafka server and put the answers on another, until"
        " told to stop. With --rest, answer the unsent alerts in order of survey time and mark them sent once"
        " the answers are accepted; with --classifiers api, answer those already sent that this classifier"
        " has not answered."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--source", metavar="SERVER", help="Kafka with alerts (default: $KAFKA_SERVER)")
        parser.add_argument("--dest", metavar="SERVER", help="Kafka for answers (default: $KAFKA_SERVER)")
        parser.add_argument(
            "--source-topics",
            nargs="+",
            default=["alerts-wfd", "alerts-ddf-full"],
            metavar="TOPIC",
            help="default: alerts-wfd alerts-ddf-full",
        )
        parser.add_argument(
            "--dest-topic", default="classifications", metavar="TOPIC", help="default: %(default)s"
        )
        parser.add_argument(
            "-g", "--group", default="rknop-test", help="answers each alert once (default: %(default)s)"
        )
        parser.add_argument(
            "--once", action="store_true", help="stop when all alerts there are were answered"
        )
        parser.add_argument("--rest", metavar="URL", help="the TOM, e.g. http://localhost:8080")
        parser.add_argument("--through-day", type=mjd, metavar="MJD", help="latest source, inclusive (TAI)")
        parser.add_argument("--username", default="apibroker", help="default: %(default)s")
        parser.add_argument("--password", default="testing", help="default: that of the test account")
        parser.add_argument(
            "--classifiers",
            default="nugent,random",
            help="some of nugent,random, or api with --rest (default: %(default)s)",
        )
        parser.add_argument(
            "--batch",
            type=int,
            help=f"alerts a request (default: {REST_BATCH}) or transaction (default: {KAFKA_BATCH})",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        options["classifiers"] = chosen(options["classifiers"])
        if options["batch"] is not None and options["batch"] < 1:
            raise CommandError("--batch must be at least 1")
        if options["rest"] is None:
            self.answer_over_kafka(**options)
        elif options["source"] or options["dest"]:
            raise CommandError(ONE_OF_BOTH)
        elif options["through_day"] is None:
            raise CommandError("--rest needs --through-day")
        else:
            self.answer_over_rest(**options)

    def answer_over_kafka(
        self, *, classifiers: list[PretendClassifier], batch: int | None, once: bool, **options: Any
    ) -> None:
        if ALWAYS_THE_SAME in classifiers:
            raise CommandError("api answers over REST only")
        broker = partial(KafkaBroker, route(options), classifiers=classifiers, now=partial(datetime.now, UTC))
        try:
            with sigterm_asks() as stopping, broker() as answering:
                self.run_until(stopping, answering.batches(batch or KAFKA_BATCH, once=once), once=once)
        except KafkaException as error:
            raise CommandError(f"Kafka: {error.args[0]}") from error

    def run_until(self, stopping: Callable[[], bool], tallies: Iterator[Relayed], *, once: bool) -> None:
        """Add up the batches until SIGTERM asks to stop, which is no failure unless an end was in sight."""
        done = Relayed()
        try:
            for tally in tallies:
                done += tally
                if stopping() and once:
                    raise CommandError(STOPPED, returncode=TERMINATED)
                if stopping():
                    return
        finally:
            self.stdout.write(f"answered {done}")

    def answer_over_rest(
        self, *, classifiers: list[PretendClassifier], batch: int | None, **options: Any
    ) -> None:
        size = batch or REST_BATCH
        put = partial(put_messages, log_in(options["rest"], options["username"], options["password"]))
        how = {
            "through_mjd": options["through_day"],
            "batch": size,
            "now": partial(datetime.now, UTC),
        }
        with connection.cursor() as cursor:
            if classifiers == [ALWAYS_THE_SAME]:
                waiting = count_unanswered(cursor, classifier=ALWAYS_THE_SAME, through_mjd=how["through_mjd"])
                tallies = answer_sent(cursor, put, classifier=ALWAYS_THE_SAME, **how)
            else:
                waiting = count_unsent(cursor, through_mjd=how["through_mjd"])
                tallies = answer_unsent(cursor, put, classifiers=classifiers, **how)
            self.run_through(tallies, batches=-(-waiting // size))

    def run_through(self, tallies: Iterator[Answered], *, batches: int) -> None:
        """Add up the batches, until there are no more or SIGTERM asks to stop after the one in hand."""
        done = Answered()
        try:
            with sigterm_asks() as stopping:
                for tally in progress(tallies, total=batches, what="batches answered", stream=sys.stderr):
                    done += tally
                    if stopping():
                        raise CommandError(STOPPED, returncode=TERMINATED)
        finally:
            self.stdout.write(f"answered {done}")


def route(options: dict[str, Any]) -> Route:
    """From where to where; CommandError where a server is not named."""
    source, dest = (options[name] or os.environ.get("KAFKA_SERVER") for name in ("source", "dest"))
    if not source or not dest:
        raise CommandError(SERVERS)
    return Route(source, dest, options["source_topics"], options["dest_topic"], options["group"])


def mjd(text: str) -> float:
    """A finite number of days."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no MJD")
    return value


def chosen(names: str) -> list[PretendClassifier]:
    """The classifiers by name; CommandError where there is no such one, or they cannot go together."""
    asked = [name.strip() for name in names.split(",")]
    unknown = [name for name in asked if name not in CLASSIFIERS]
    if unknown:
        raise CommandError(f"no classifier {', '.join(unknown)}; there are {', '.join(CLASSIFIERS)}")
    if API in asked and len(asked) > 1:
        raise CommandError("api answers alerts that were sent already; run it by itself")
    return [CLASSIFIERS[name] for name in asked]


def log_in(url: str, username: str, password: str) -> TomClient:
    try:
        return TomClient(url=url, username=username, password=password)
    except (RuntimeError, requests.RequestException) as error:
        raise CommandError(f"cannot log in at {url}: {error}") from error


def put_messages(client: TomClient, messages: list[dict[str, Any]]) -> Receipt:
    """PUT a batch; CommandError with the TOM's own words where it did not take all of it."""
    try:
        answer = client.put(PAGE, json=messages)
    except requests.RequestException as error:
        raise CommandError(f"PUT {PAGE} failed: {error}") from error
    if answer.status_code != 201 or answer.json().get("num_rejected"):
        raise CommandError(f"PUT {PAGE} was answered {answer.status_code}: {answer.text}")
    counts = answer.json()
    return Receipt(stored=counts["num_loaded"], duplicates=counts["num_duplicates"])

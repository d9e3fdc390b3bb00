"""Pretend brokers that answer over REST."""

import math
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import requests
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from elasticc2.alerts import count_unsent
from elasticc2.answers import Answered, Receipt, answer_sent, answer_unsent, count_unanswered
from tom_client import TomClient
from tom_desc.progress import progress
from tom_desc.stopping import TERMINATED, sigterm_asks
from tom_desc.streams.fakebroker import ALWAYS_THE_SAME, CLASSIFIERS, PretendClassifier

PAGE = "elasticc2/brokermessage/"
API = "api"


class Command(BaseCommand):
    help = (
        "Answer the unsent alerts in order of survey time and mark them sent once the answers are accepted."
        " With --classifiers api, answer those already sent that this classifier has not answered."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--rest", required=True, metavar="URL", help="the TOM, e.g. http://localhost:8080"
        )
        parser.add_argument(
            "--through-day", type=mjd, required=True, metavar="MJD", help="latest source, inclusive (TAI)"
        )
        parser.add_argument("--username", default="apibroker", help="default: %(default)s")
        parser.add_argument("--password", default="testing", help="default: that of the test account")
        parser.add_argument(
            "--classifiers",
            default="nugent,random",
            help="some of nugent,random, or api (default: %(default)s)",
        )
        parser.add_argument("--batch", type=int, default=100, help="alerts a request (default: %(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        classifiers = chosen(options["classifiers"])
        if options["batch"] < 1:
            raise CommandError("--batch must be at least 1")
        put = partial(put_messages, log_in(options["rest"], options["username"], options["password"]))
        how = {
            "through_mjd": options["through_day"],
            "batch": options["batch"],
            "now": partial(datetime.now, UTC),
        }
        with connection.cursor() as cursor:
            if classifiers == [ALWAYS_THE_SAME]:
                waiting = count_unanswered(cursor, classifier=ALWAYS_THE_SAME, through_mjd=how["through_mjd"])
                tallies = answer_sent(cursor, put, classifier=ALWAYS_THE_SAME, **how)
            else:
                waiting = count_unsent(cursor, through_mjd=how["through_mjd"])
                tallies = answer_unsent(cursor, put, classifiers=classifiers, **how)
            self.run_through(tallies, batches=-(-waiting // options["batch"]))

    def run_through(self, tallies: Iterator[Answered], *, batches: int) -> None:
        """Add up the batches, until there are no more or SIGTERM asks to stop after the one in hand."""
        done = Answered()
        try:
            with sigterm_asks() as stopping:
                for tally in progress(tallies, total=batches, what="batches answered", stream=sys.stderr):
                    done += tally
                    if stopping():
                        raise CommandError("stopped before all alerts were answered", returncode=TERMINATED)
        finally:
            self.stdout.write(f"answered {done}")


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

"""Read what brokers say on Kafka."""

from collections.abc import Iterator
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from elasticc2.poll import decode
from tom_desc.streams.brokers import KINDS, Broker, Kind
from tom_desc.streams.supervise import asked_to_stop, supervise

PITT = "pitt is on Google Pub/Sub, which brokerpoll2 does not read; let it PUT to brokermessage/ instead."


class Command(BaseCommand):
    help = (
        "Read broker messages from Kafka into the database, each exactly once, until SIGTERM, SIGINT or"
        " SIGUSR1: a process for each broker, which is started again when it dies."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        for kind in KINDS.values():
            add_broker(parser, kind)
        parser.add_argument("--do-pitt", action="store_true", help="refused: it is not on Kafka")
        for name in ("--pitt-topic", "--pitt-project"):
            parser.add_argument(name, help="accepted for old scripts")
        parser.add_argument(
            "-g",
            "--grouptag",
            default="",
            metavar="TAG",
            help="read as another group, with its own positions",
        )
        parser.add_argument(
            "-r",
            "--reset",
            action="store_true",
            help="begin every topic from its first message again, once; what is stored already is not stored"
            " again",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["do_pitt"]:
            raise CommandError(PITT)
        brokers = list(chosen(options))
        if not brokers:
            raise CommandError("No brokers given to listen to.")
        try:
            for broker in brokers:
                broker.settings()
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from error
        with asked_to_stop() as stopping:
            counts = supervise(brokers, decode, rewind=options["reset"], stopping=stopping)
        self.stdout.write(f"stopped: {counts}")


def add_broker(parser: CommandParser, kind: Kind) -> None:
    """The options of one broker; those of brokers that we have here say where the server is, too."""
    parser.add_argument(f"--do-{kind.name}", action="store_true", help=f"listen to {kind.name}")
    option = f"--{kind.name}-topic-pattern" if kind.window else f"--{kind.name}-topic"
    parser.add_argument(
        option,
        dest=f"{kind.name}_topics",
        nargs="+",
        default=list(kind.topics),
        metavar="TOPIC",
        help="names, or patterns that begin with ^; there need not be such topics yet"
        + (f" (default: {' '.join(kind.topics)})" if kind.topics else ""),
    )
    if "KAFKA_SERVER" in kind.server_variables:
        parser.add_argument(
            f"--{kind.name}-server",
            metavar="HOST:PORT",
            help=f"default: $KAFKA_SERVER, else {kind.server}",
        )


def chosen(options: dict[str, Any]) -> Iterator[Broker]:
    """The brokers to listen to."""
    for name, kind in KINDS.items():
        if not options[f"do_{name}"]:
            continue
        topics = options[f"{name}_topics"]
        if not topics:
            raise CommandError(f"--do-{name} needs --{name}-topic")
        yield kind.broker(topics=topics, server=options.get(f"{name}_server"), grouptag=options["grouptag"])

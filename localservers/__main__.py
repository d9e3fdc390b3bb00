"""The door: reads ``./tom``'s arguments and calls what does the work."""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import NoReturn

from localservers import LocalServerError
from localservers.environment import export_lines, full_environment, settings
from localservers.home import CHECKOUT, Home
from localservers.kafka import Kafka
from localservers.postgres import HOST, KINDS, Postgres

USAGE = Path(__file__).with_name("usage.txt")
NOT_RUNNING = 3


class Parser(argparse.ArgumentParser):
    """Answers a wrong command line with the whole usage text."""

    def error(self, message: str) -> NoReturn:
        """Say what was wrong and how to call us."""
        sys.stderr.write(f"tom: {message}\n\n{USAGE.read_text()}")
        raise SystemExit(2)

    def format_help(self) -> str:
        """The text that ./tom prints too."""
        return USAGE.read_text()


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line asks; the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        return _command(given)
    except LocalServerError as error:
        sys.stderr.write(f"tom: {error}\n")
        return 1


def _command(given: list[str]) -> int:
    # The arguments of these belong to somebody else's parser.
    if given[:1] == ["manage"]:
        return manage(given[1:])
    if given[:1] == ["bench"]:
        os.execv(sys.executable, [sys.executable, "-P", "-m", "benchmarks", *given[1:]])
    if given[:1] == ["test"]:
        from localservers.checks import run_tests

        return run_tests(given[1:], home=Home.from_environment())
    parser = _parser()
    options = parser.parse_args(given)
    if options.command == "servers" and options.kafka and options.what != "up":
        parser.error("--kafka goes with servers up; the others take what there is")
    return _parsed(options)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="tom")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    servers = commands.add_parser("servers")
    servers.add_argument("what", choices=("up", "down", "status", "env"))
    servers.add_argument("--kafka", action="store_true")
    web = commands.add_parser("serve")
    web.add_argument("--port", type=int)
    web.add_argument("--workers", type=int)
    web.add_argument("--threads", type=int)
    demo = commands.add_parser("demo")
    demo.add_argument("--objects", type=number_of_objects)
    demo.add_argument("--kafka", action="store_true")
    for name in ("bench", "manage", "test"):
        commands.add_parser(name)
    return parser


def number_of_objects(text: str) -> int:
    """How large a sky the demo simulates."""
    from localservers.survey import FEWEST_OBJECTS

    if not text.isdecimal() or int(text) < FEWEST_OBJECTS:
        raise argparse.ArgumentTypeError(f"{text} is not a number of at least {FEWEST_OBJECTS}")
    return int(text)


def _parsed(options: argparse.Namespace) -> int:
    server = Postgres.from_environment(Home.from_environment())
    if options.command == "serve":
        from localservers.serve import serve

        serve(server, port=options.port, workers=options.workers, threads=options.threads)
    if options.command == "demo":
        from localservers.demo import run_demo

        if options.kafka:
            Kafka(server.home).bring()
        return run_demo(server, objects=options.objects, kafka=options.kafka)
    if options.what == "up":
        return servers_up(server, kafka=options.kafka)
    actions = {"down": servers_down, "status": servers_status, "env": servers_env}
    return actions[options.what](server)


def servers_up(server: Postgres, *, kafka: bool) -> int:
    """Start what does not run; return when it is ready."""
    if kafka:
        Kafka(server.home).bring()
    started = server.up()
    settings(server)
    # Somebody asked for it by name: a demo that started it leaves it running.
    server.claim.unlink(missing_ok=True)
    sys.stdout.write(f"{'started' if started else 'running'}: {describe(server)}\n")
    sys.stdout.flush()
    if kafka:
        kafka_up(Kafka(server.home))
    return 0


def kafka_up(kafka: Kafka) -> None:
    """The same for Kafka."""
    began = time.monotonic()
    if kafka.up():
        kafka.claim.unlink(missing_ok=True)
        seconds = time.monotonic() - began
        sys.stdout.write(f"started: {describe_kafka(kafka)}, ready after {seconds:.1f} s\n")
    else:
        sys.stdout.write(f"running: {describe_kafka(kafka)}\n")


def servers_down(server: Postgres) -> int:
    """Stop what was started below this home: Kafka, and PostgreSQL of either kind."""
    if (kafka := Kafka(server.home)).data.exists() and kafka.down():
        sys.stdout.write("stopped: Kafka\n")
    for each in (Postgres(kind, server.home) for kind in KINDS):
        if each.data.exists() and each.down():
            sys.stdout.write(f"stopped: PostgreSQL ({each.kind})\n")
    return 0


def servers_status(server: Postgres) -> int:
    """Say what runs; 0 when something does, 3 otherwise."""
    running = [describe(each) for kind in KINDS if (each := Postgres(kind, server.home)).is_ready()]
    if (kafka := Kafka(server.home)).is_ready():
        running.append(describe_kafka(kafka))
    for what in running:
        sys.stdout.write(f"running: {what}\n")
    if not running:
        sys.stdout.write(f"nothing runs below {server.home.path}\n")
    return 0 if running else NOT_RUNNING


def servers_env(server: Postgres) -> int:
    """Print the settings of the running servers as lines for a shell."""
    if not server.is_ready():
        raise LocalServerError(f"PostgreSQL ({server.kind}) does not run; start it with ./tom servers up")
    sys.stdout.write(export_lines(settings(server)))
    return 0


def manage(arguments: list[str]) -> int:
    """Become manage.py, with the servers up and their settings in the environment."""
    server = Postgres.from_environment(Home.from_environment())
    if not server.is_ready():
        server.up()
        sys.stderr.write(f"tom: started {describe(server)}\n")
    command = [sys.executable, str(CHECKOUT / "manage.py"), *arguments]
    os.execve(sys.executable, command, full_environment(server))


def describe(server: Postgres) -> str:
    """The server in one line."""
    name = f"PostgreSQL {server.version} ({server.kind})"
    return f"{name} on {HOST}:{server.port}, pid {server.pid}, data in {server.data}"


def describe_kafka(kafka: Kafka) -> str:
    """The same of Kafka."""
    from localservers.demo import is_claimed

    text = f"Kafka {kafka.version} on {kafka.server}, pid {kafka.pid}, data in {kafka.data}"
    return f"{text} (ends with the demo that started it)" if is_claimed(kafka) else text


if __name__ == "__main__":
    sys.exit(main())

"""A private Apache Kafka on loopback: made, started, recognised and stopped without touching any other."""

import base64
import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from localservers import LocalServerError, debian
from localservers.home import Home
from localservers.java import OLDEST, fetch_jars, java, missing_packages
from localservers.postgres import HOST, free_port, is_free
from localservers.processes import find, start_apart, stop, tied

if TYPE_CHECKING:
    from confluent_kafka.admin._metadata import ClusterMetadata

POM = Path(__file__).with_name("kafka.pom.xml")
VERSION = re.findall(r"<artifactId>kafka_[\d.]+</artifactId>\s*<version>(.+)</version>", POM.read_text())[0]
MEMORY = ("-Xmx1g", "-XX:+UseSerialGC")
START_SECONDS = 120.0
# A server that was killed holds its ports for a moment after its process has lost its name.
LINGER_SECONDS = 5.0
# SIGTERM: Kafka hands over and flushes, which takes it two seconds.
STOP_SIGNALS = ((signal.SIGTERM, 60.0), (signal.SIGKILL, 5.0))
# A port may go to somebody else meanwhile; a server whose starter was killed just now may hold the data.
TRANSIENT = re.compile(r"Address already in use|Failed to acquire lock on file")

# The directory of the data is relative to where the server runs: it may not contain a comma. After kill -9
# the controller keeps a broker out until the session of its forerunner is over, by default for 9 seconds.
SETTINGS = """\
# Written at each start.
process.roles=broker,controller
node.id=1
listeners={listeners}
advertised.listeners={advertised}
listener.security.protocol.map={protocols}
inter.broker.listener.name=CLIENT
controller.listener.names=CONTROLLER
controller.quorum.voters=1@{host}:{controller}
log.dirs={directory}/data
num.partitions=1
auto.create.topics.enable=true
broker.heartbeat.interval.ms=1000
broker.session.timeout.ms=3000
group.initial.rebalance.delay.ms=0
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.min.isr=1
"""
# Warnings, when the server starts and stops, and who joins and leaves a group.
LOGGING = {
    "showDateTime": "true",
    "dateTimeFormat": "yyyy-MM-dd HH:mm:ss.SSS",
    "defaultLogLevel": "warn",
    "log.kafka.server.KafkaRaftServer": "info",
    "log.org.apache.kafka.coordinator.group": "info",
}


@dataclass(frozen=True)
class Kafka:
    """The one node, broker and controller, below one home.

    Attributes
    ----------
    tied
        The server ends with the process that started it, even if that is killed with -9. ``up`` must then be
        called by the main thread. Where the system has no such signal, whoever removes or takes over the
        home has to stop it.
    advertised_port
        Ask for a second listener, on ``cut_port``, that sends clients back to this loopback port: who comes
        through a proxy that listens there stays on it.
    extra_settings
        Lines of configuration that come last.
    jars
        A directory of the jars that is there; by default ``$TOM_KAFKA_JARS``, else one of our own.
    """

    home: Home
    tied: bool = False
    advertised_port: int | None = None
    extra_settings: str = ""
    jars: Path | None = None

    @property
    def data(self) -> Path:
        """The directory of settings and data."""
        return self.home.path / "kafka"

    @property
    def log(self) -> Path:
        """Where the server writes what it has to say."""
        return self.home.path / "logs" / "kafka.log"

    @property
    def claim(self) -> Path:
        """Holds the process id of a server that the demo started, and stops; ``servers up`` removes it."""
        return self.home.path / "kafka.demo"

    @property
    def jar_directory(self) -> Path:
        """Where the jars are, or will be once they are needed."""
        elsewhere = self.jars or os.environ.get("TOM_KAFKA_JARS")
        return Path(elsewhere or self.home.path / f"kafka-jars-{VERSION}").absolute()

    @property
    def version(self) -> str:
        """As the jars have it: ``4.2.0``."""
        return VERSION

    @property
    def pid(self) -> int | None:
        """Process id of the running server; None unless it is the one of our data directory."""
        if not self.data.exists():
            return None
        ours = rf"(\S*/)?java .* kafka\.Kafka {re.escape(str(self._settings))}"
        return find(re.compile(ours, re.DOTALL))

    @property
    def port(self) -> int:
        """The port of the running server, else the one of the last start."""
        return self._port("CLIENT")

    @property
    def cut_port(self) -> int:
        """Where a proxy on ``advertised_port`` must forward to."""
        return self._port("CUT")

    @property
    def server(self) -> str:
        """What clients call bootstrap servers: ``127.0.0.1:PORT``."""
        return f"{HOST}:{self.port}"

    @property
    def cluster_id(self) -> str:
        """By which the server says who it is; it stays with the data."""
        return re.findall(r"^cluster\.id=(.+)$", self._meta.read_text(), re.MULTILINE)[0]

    def missing_packages(self) -> list[str]:
        """Debian's packages that it takes to start and that the system lacks."""
        return missing_packages(self.jar_directory)

    def bring(self) -> None:
        """Have what it takes to start: installed where root runs Debian, then downloaded; say so.

        Raises
        ------
        LocalServerError
            As :meth:`fetch` does.
        """
        if self.pid is not None:
            return
        if debian.can_install():
            debian.install_for_kafka(self.missing_packages())
        if not self.jar_directory.exists() and not self.missing_packages():
            sys.stdout.write(f"tom: Maven brings Apache Kafka {self.version} (about 65 MB to download)\n")
            sys.stdout.flush()
        self.fetch()

    def fetch(self) -> None:
        """Have the jars.

        Raises
        ------
        LocalServerError
            Where Java or Maven is missing, or Maven fails.
        """
        if self.missing_packages():
            raise LocalServerError(
                f"Kafka needs Java {OLDEST} or newer, and Maven the first time. "
                "On Debian: apt-get install default-jre-headless maven"
            )
        fetch_jars(POM, self.jar_directory)

    def is_ready(self) -> bool:
        """Whether the server runs and answers."""
        return self.pid is not None and self._answers()

    def topics(self) -> set[str]:
        """The names of the topics there are, on the running server."""
        return set(self._metadata(timeout=START_SECONDS).topics)

    def up(self) -> bool:
        """Return when the server is ready; true where it had to be started.

        Raises
        ------
        LocalServerError
            Where Java or the jars cannot be had, or the server does not start.
        """
        with self.home.lock("kafka"):
            started = self.pid is None
            if started:
                if self.tied and threading.current_thread() is not threading.main_thread():
                    raise RuntimeError("a tied server ends with the thread that starts it: take the main one")
                self.fetch()
                self._make_data()
                self._start()
            self._await_ready()
        return started

    def down(self) -> bool:
        """Stop the server; false where it did not run."""
        with self.home.lock("kafka"):
            pid = self.pid
            if pid is None:
                return False
            try:
                stopped = stop(pid, signals=STOP_SIGNALS)
            except PermissionError as error:
                raise LocalServerError(f"Kafka (pid {pid}) was started by another user.") from error
        if not stopped:
            raise LocalServerError(f"Kafka (pid {pid}) does not stop; its log is {self.log}")
        return True

    @property
    def _settings(self) -> Path:
        return self.data / "server.properties"

    @property
    def _meta(self) -> Path:
        return self.data / "data" / "meta.properties"

    def _port(self, listener: str) -> int:
        try:
            return self._ports()[listener]
        except KeyError:
            raise LocalServerError(f"Kafka below {self.home.path} has no listener {listener}") from None

    def _ports(self) -> dict[str, int]:
        """The port of each listener at the last start."""
        text = self._settings.read_text() if self._settings.exists() else ""
        listeners = re.search(r"^listeners=.*$", text, re.MULTILINE)
        found = re.findall(r"(\w+)://[\d.]+:(\d+)", listeners[0] if listeners else "")
        return {name: int(port) for name, port in found}

    def _make_data(self) -> None:
        """Format a directory beside the final place and move it, so that a killed run leaves no half."""
        if self.data.exists():
            if self.data.stat().st_uid != os.geteuid():
                raise LocalServerError(f"{self.data} belongs to another user; take a TOM_HOME of your own.")
            return
        draft = self.data.with_name(self.data.name + ".new")
        shutil.rmtree(draft, ignore_errors=True)
        self.home.directory(draft.name)
        self._write_settings(draft, self._free_ports())
        settings = str(draft / "server.properties")
        self._run("kafka.tools.StorageTool", "format", "-t", new_cluster_id(), "-c", settings)
        draft.rename(self.data)

    def _run(self, *arguments: str) -> None:
        done = subprocess.run(
            tied([*self._machine(), *arguments]),
            env=_bare_environment(),
            cwd=self.home.path,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode != 0:
            raise LocalServerError(f"Kafka's {arguments[0]} failed:\n{done.stdout}{done.stderr}".rstrip())

    def _machine(self) -> list[str]:
        """Java with the jars, leaving nothing outside of the home."""
        return [
            java() or "java",
            *MEMORY,
            "-XX:-UsePerfData",
            f"-Djava.io.tmpdir={self.home.directory('kafka.tmp')}",
            *(f"-Dorg.slf4j.simpleLogger.{name}={value}" for name, value in LOGGING.items()),
            "-cp",
            str(self.jar_directory / "*"),
        ]

    def _free_ports(self) -> dict[str, int]:
        """The ports of the last start where they are free still, and others where not."""
        names = ["CLIENT", "CONTROLLER"] + ["CUT"] * (self.advertised_port is not None)
        before = self._ports()
        deadline = time.monotonic() + LINGER_SECONDS
        ports: dict[str, int] = {}
        for name in names:
            port = before.get(name, 0)
            while port and not is_free(port) and time.monotonic() < deadline:
                time.sleep(0.02)
            while not port or port in {*ports.values(), self.advertised_port} or not is_free(port):
                port = free_port()
            ports[name] = port
        return ports

    def _write_settings(self, directory: Path, ports: Mapping[str, int]) -> None:
        told = {name: port for name, port in ports.items() if name != "CONTROLLER"}
        if self.advertised_port is not None:
            told["CUT"] = self.advertised_port
        text = SETTINGS.format(
            host=HOST,
            listeners=_addresses(ports),
            advertised=_addresses(told),
            protocols=",".join(f"{name}:PLAINTEXT" for name in ports),
            controller=ports["CONTROLLER"],
            directory=directory.name,
        )
        draft = directory / "server.properties.new"
        draft.write_text(text + self.extra_settings)
        draft.rename(directory / "server.properties")

    def _start(self) -> None:
        """Start until it stays: on other ports where ours are taken, again where an old server still ends."""
        deadline = time.monotonic() + START_SECONDS
        # There may be one by now whose starter was killed a moment ago.
        while self.pid is None:
            self._write_settings(self.data, self._free_ports())
            said = self._try_start(deadline)
            if said is None:
                return
            if not TRANSIENT.search(said) or time.monotonic() > deadline:
                raise LocalServerError(f"Kafka did not start:\n{said}\nIts log is {self.log}")
            time.sleep(0.5)

    def _try_start(self, deadline: float) -> str | None:
        """Start the server and wait; None when it is ready, what it said where it ended."""
        command = [*self._machine(), "kafka.Kafka", str(self._settings)]
        self.home.directory("logs")
        with self.log.open("ab") as log:
            start = log.tell()
            server = start_apart(
                tied(command) if self.tied else command, log=log, env=_bare_environment(), cwd=self.home.path
            )
        try:
            while server.poll() is None and time.monotonic() < deadline:
                if self._answers():
                    # Ours to leave behind: no warning that it still runs.
                    server.returncode = 0
                    return None
                time.sleep(0.02)
        except KeyboardInterrupt:
            stop(server.pid, signals=STOP_SIGNALS)
            raise
        stop(server.pid, signals=STOP_SIGNALS)
        return self.log.read_bytes()[start:].decode(errors="replace").strip()

    def _await_ready(self) -> None:
        """Wait for a server whose starter was killed while it started."""
        deadline = time.monotonic() + START_SECONDS
        while not self.is_ready():
            if self.pid is None or time.monotonic() > deadline:
                raise LocalServerError(f"Kafka does not become ready; its log is {self.log}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        """Whether the server on our port is the one of our data, and takes messages."""
        from confluent_kafka import KafkaException

        if not _listens(self.port):
            return False
        try:
            seen = self._metadata(timeout=2.0)
        except KafkaException:
            return False
        return seen.cluster_id == self.cluster_id and bool(seen.brokers)

    def _metadata(self, *, timeout: float) -> "ClusterMetadata":
        # Takes a twentieth of a second, which commands without Kafka need not wait.
        from confluent_kafka.admin import AdminClient

        # What it would log while the server starts is no news.
        return AdminClient({"bootstrap.servers": self.server, "log_level": 0}).list_topics(timeout=timeout)


def new_cluster_id() -> str:
    """A random id as Kafka writes them: its first sign is no dash, which a command takes for an option."""
    ids = (base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=") for _ in itertools.count())
    return next(found for found in ids if not found.startswith("-"))


def _addresses(ports: Mapping[str, int]) -> str:
    return ",".join(f"{name}://{HOST}:{port}" for name, port in ports.items())


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((HOST, port)) == 0


def _bare_environment() -> Mapping[str, str]:
    """Nothing of the caller's but the search path; file names are UTF-8."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}

"""The private Kafka, which is a real one."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.cimpl import NewTopic

from localservers import LocalServerError
from localservers.environment import kafka_settings
from localservers.home import CHECKOUT, Home
from localservers.kafka import VERSION, Kafka, new_cluster_id
from localservers.postgres import HOST
from localservers.processes import command_line, is_alive, wait_for_end
from tests.crashes.proxy import Proxy
from tests.localservers.conftest import outer_environment

KILLED_AFTER_START = """
import os, signal
from localservers.home import Home
from localservers.kafka import Kafka
server = Kafka(Home.from_environment(), tied=True)
server.up()
print(server.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def server(home: Home, kafka_jars: Path) -> Iterator[Kafka]:
    """A server that is not tied to these tests: whatever they do, it is stopped at their end."""
    kafka = Kafka(home, jars=kafka_jars)
    yield kafka
    if kafka.data.exists():
        kafka.down()


@pytest.fixture(scope="module")
def running(kafka_jars: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """One for all tests that leave it as it is: with all there is, in a home with a difficult name."""
    home = Home(tmp_path_factory.mktemp("kafka") / "ein, Höme")
    left_by_a_killed_run = home.directory("kafka.new", "data") / "meta.properties"
    left_by_a_killed_run.write_text("cluster.id=")
    with Proxy() as proxy:
        kafka = Kafka(home, True, proxy.listen, "group.max.size=7\n", kafka_jars)
        kafka.up()
        proxy.target = kafka.cut_port
        yield kafka
        kafka.down()


def send(server: str, topic: str, *values: bytes) -> None:
    producer = Producer({"bootstrap.servers": server, "acks": "all", "message.timeout.ms": 60_000})
    failed: list[KafkaError] = []
    for value in values:
        producer.produce(topic, value, on_delivery=lambda error, _: failed.append(error) if error else None)
    assert producer.flush(60) == 0
    assert failed == []


def receive(server: str, topic: str, count: int) -> list[bytes | None]:
    """The first messages of the topic, waited for."""
    consumer = Consumer(
        {"bootstrap.servers": server, "group.id": topic, "auto.offset.reset": "earliest"}, logger=None
    )
    consumer.subscribe([topic])
    deadline = time.monotonic() + 60
    values: list[bytes | None] = []
    while len(values) < count and time.monotonic() < deadline:
        message = consumer.poll(0.2)
        if message is not None and message.error() is None:
            values.append(message.value())
    consumer.close()
    return values


def test_a_server_is_ready_when_up_returns(running):
    assert running.is_ready()
    seen = AdminClient({"bootstrap.servers": running.server}).list_topics(timeout=10)
    assert [f"{broker.host}:{broker.port}" for broker in seen.brokers.values()] == [running.server]


def test_what_is_sent_is_received_from_a_topic_made_when_first_used(running):
    send(running.server, "first-used", b"one", b"two")
    assert receive(running.server, "first-used", 2) == [b"one", b"two"]
    topic = AdminClient({"bootstrap.servers": running.server}).list_topics(timeout=10).topics["first-used"]
    assert len(topic.partitions) == 1


def test_a_topic_may_have_more_partitions_and_larger_messages_where_asked_for(running):
    admin = AdminClient({"bootstrap.servers": running.server})
    large = NewTopic("large", 3, 1, config={"max.message.bytes": "12000000"})
    admin.create_topics([large])["large"].result(timeout=30)
    assert len(admin.list_topics(timeout=10).topics["large"].partitions) == 3
    producer = Producer({"bootstrap.servers": running.server, "message.max.bytes": 12_000_000})
    errors: list[KafkaError | None] = []
    for topic in ("large", "first-used"):
        producer.produce(topic, bytes(11_000_000), on_delivery=lambda error, _: errors.append(error))
        producer.flush(60)
    assert errors[0] is None
    assert errors[1] is not None
    assert errors[1].code() == KafkaError.MSG_SIZE_TOO_LARGE


def open_by(pid: int | None) -> list[str]:
    """What the process has open: paths of files, and sockets as ``socket:[INODE]``."""
    found = []
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        # It may have been closed since.
        with contextlib.suppress(FileNotFoundError):
            found.append(str(descriptor.readlink()))
    return found


def test_half_made_data_of_a_killed_run_were_made_anew(running):
    assert running.cluster_id != ""
    assert not running.data.with_name("kafka.new").exists()


def test_who_comes_through_the_proxy_stays_on_it(running):
    through_proxy = f"{HOST}:{running.advertised_port}"
    seen = AdminClient({"bootstrap.servers": through_proxy}).list_topics(timeout=60)
    assert [broker.port for broker in seen.brokers.values()] == [running.advertised_port]
    send(through_proxy, "proxy", b"x")
    assert receive(through_proxy, "proxy", 1) == [b"x"]


def test_settings_of_the_caller_come_last(running):
    node = ConfigResource(ConfigResource.Type.BROKER, "1")
    admin = AdminClient({"bootstrap.servers": running.server})
    assert admin.describe_configs([node])[node].result(timeout=30)["group.max.size"].value == "7"


def test_nothing_of_it_listens_but_on_loopback(running):
    inodes = {name[8:-1] for name in open_by(running.pid) if name.startswith("socket:[")}
    tables = [Path("/proc/net", name).read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    sockets = [line.split() for table in tables for line in table]
    listening = [words[1] for words in sockets if words[3] == "0A" and words[9] in inodes]
    assert len(listening) == 3
    assert all(address.partition(":")[0].endswith("0100007F") for address in listening)


def test_it_leaves_nothing_outside_of_its_home(running):
    send(running.server, "compressed", b"x")
    files = [name for name in open_by(running.pid) if name.startswith("/")]
    assert any(name.startswith(str(running.data)) for name in files)
    known = (str(running.home.path), str(running.jar_directory), "/dev/", "/proc/", "/sys/", "/usr/")
    assert [name for name in files if not name.startswith(known)] == []
    assert list(Path("/tmp").glob(f"hsperfdata_*/{running.pid}")) == []


def test_the_settings_name_a_server_while_it_runs(running, tmp_path):
    assert kafka_settings(running.home) == {"KAFKA_SERVER": running.server}
    assert kafka_settings(Home(tmp_path)) == {}
    assert not (tmp_path / "kafka.lock").exists()


def test_up_leaves_a_running_server_alone(running):
    pid, port = running.pid, running.port
    assert not running.up()
    assert (running.pid, running.port) == (pid, port)


def test_a_tied_server_is_started_by_the_main_thread_only(server):
    with ThreadPoolExecutor(1) as other, pytest.raises(RuntimeError, match="take the main one"):
        other.submit(replace(server, tied=True).up).result()
    assert server.pid is None


def test_it_says_what_is_missing_and_how_to_have_it(home, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(LocalServerError, match="apt-get install default-jre-headless maven"):
        Kafka(home).up()


def test_jars_are_below_the_home_unless_they_are_elsewhere(home, monkeypatch, tmp_path):
    monkeypatch.delenv("TOM_KAFKA_JARS", raising=False)
    assert Kafka(home).jar_directory == home.path / f"kafka-jars-{VERSION}"
    monkeypatch.setenv("TOM_KAFKA_JARS", str(tmp_path / "here"))
    assert Kafka(home).jar_directory == tmp_path / "here"
    assert Kafka(home, jars=tmp_path / "there").jar_directory == tmp_path / "there"


def test_the_jars_are_those_of_the_version(kafka_jars):
    assert (kafka_jars / f"kafka-server-{VERSION}.jar").exists()


@pytest.mark.full
def test_data_and_port_survive_a_stop_and_a_kill(server):
    assert server.up()
    port, cluster = server.port, server.cluster_id
    send(server.server, "kept", b"before the stop")
    assert server.down()
    assert not server.down()
    assert not server.is_ready()
    server.up()
    send(server.server, "kept", b"before the kill")
    pid = server.pid
    os.kill(pid, signal.SIGKILL)
    assert wait_for_end(pid, seconds=10)
    assert server.pid is None
    assert server.up()
    assert (server.port, server.cluster_id) == (port, cluster)
    assert receive(server.server, "kept", 2) == [b"before the stop", b"before the kill"]
    seen = AdminClient({"bootstrap.servers": server.server}).list_topics(timeout=10)
    assert seen.cluster_id == cluster


@pytest.mark.full
def test_it_takes_other_ports_when_its_own_are_taken(server):
    server.up()
    ports = server._ports()
    server.down()
    with contextlib.ExitStack() as strangers:
        for port in ports.values():
            strangers.enter_context(socket.create_server((HOST, port)))
        server.up()
        assert not set(ports.values()) & set(server._ports().values())
        send(server.server, "elsewhere", b"x")


@pytest.mark.full
def test_no_cluster_id_looks_like_an_option():
    ids = {new_cluster_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(re.fullmatch(r"[\w][\w-]{21}", each) for each in ids)


def test_two_who_start_it_at_once_get_one_server(server):
    with ThreadPoolExecutor(2) as both:
        started = list(both.map(lambda _: server.up(), range(2)))
    assert sorted(started) == [False, True]


@pytest.mark.full
def test_a_stranger_whose_command_line_names_the_server_is_spared(server):
    server.home.directory("kafka")
    (server.data / "server.properties").touch()
    words = [
        sys.executable,
        "-c",
        "import time; time.sleep(600)",
        "kafka.Kafka",
        str(server.data / "server.properties"),
    ]
    with subprocess.Popen(words) as stranger:
        assert not server.down()
        assert server.pid is None
        assert stranger.poll() is None
        stranger.kill()


@pytest.mark.full
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="without setpriv nothing ties a process")
def test_a_tied_server_ends_with_its_parent_that_is_killed(server):
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_AFTER_START],
        cwd=CHECKOUT,
        env=outer_environment(server.home) | {"TOM_KAFKA_JARS": str(server.jar_directory)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert wait_for_end(int(killed.stdout), seconds=60)
    assert server.pid is None


@pytest.mark.full
@pytest.mark.parametrize("goes_on", ["up", "down"])
def test_a_server_whose_starter_was_killed_meanwhile_is_adopted_or_stopped(server, goes_on):
    with subprocess.Popen(
        [sys.executable, "-m", "localservers", "servers", "up", "--kafka"],
        cwd=CHECKOUT,
        env=outer_environment(server.home) | {"TOM_KAFKA_JARS": str(server.jar_directory)},
        stdout=subprocess.DEVNULL,
    ) as starter:
        while server.pid is None:
            assert starter.poll() is None
            time.sleep(0.01)
        starter.send_signal(signal.SIGKILL)
    pid = server.pid
    assert pid is not None
    assert re.match(r"\S*java ", command_line(pid))
    if goes_on == "up":
        assert not server.up()
        assert server.pid == pid
        send(server.server, "adopted", b"x")
    else:
        assert server.down()
        assert not is_alive(pid)
    subprocess.run(
        [sys.executable, "-m", "localservers", "servers", "down"],
        cwd=CHECKOUT,
        env=outer_environment(server.home),
        check=True,
    )
    assert server.pid is None

"""The programs of the stream page, run as they are printed: against a real Kafka and a real TOM."""

import html
import io
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fastavro
import pytest
from django.db import connection
from django.test import Client

from elasticc2.alerts import AlertAssembler
from elasticc2.samples import samples
from tests.elasticc2.sky import add_object
from tests.kafkalog import KafkaLog, topic_name
from tests.localtom import CHECKOUT, LocalTom
from tom_desc.accounts.models import BrokerAccount
from tom_desc.streams.models import Position
from tom_desc.streams.schemas import BROKER_CLASSIFICATION, schema

# Far more than a busy machine needs: what is waited for in vain fails in the end.
PATIENCE_S = 120
ANSWERED = schema(BROKER_CLASSIFICATION)


def printed(content: str, name: str) -> str:
    """A program as a reader of the page sees it."""
    found = re.search(rf'<pre id="{name}"[^>]*><code>(.*?)</code></pre>', content, re.DOTALL)
    assert found
    return html.unescape(found[1])


def wait_for(what: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while not (found := what()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


class Program:
    """A program that runs beside the schemas until the test ends; what it printed is in a file."""

    def __init__(self, directory: Path, text: str) -> None:
        (directory / "program.py").write_text(text)
        self.output = directory / "output"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "program.py"], cwd=directory, stdout=output, stderr=subprocess.STDOUT
            )

    def printed(self) -> str:
        assert self.process.poll() is None, self.output.read_text()
        return self.output.read_text()

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def log(kafka: str, settings: Any) -> KafkaLog:
    settings.KAFKA_PUBLIC_SERVER = kafka
    settings.ALERTS_TEST_TOPIC = topic_name("practice")
    return KafkaLog(kafka)


@pytest.fixture
def alerts(db: None, log: KafkaLog, settings: Any) -> list[int]:
    """Ids of two alerts on the topic for tests, as the survey sends them."""
    ids = add_object(7, [(60001.0, "g", 90.0, True), (60002.0, "r", 880.0, True)])
    with connection.cursor() as cursor:
        values = [alert for _, alert in AlertAssembler().assemble(cursor, ids)]
    headers = {"schema": "elasticc.v0_9_1.alert", "sent": datetime.now(UTC).isoformat()}
    log.put(settings.ALERTS_TEST_TOPIC, values, key=b"7", headers=headers)
    return ids


@pytest.fixture
def answers_topic(db: None) -> str:
    """A topic on which we listen for the answers of FakeBroker."""
    topic = topic_name("fakebroker")
    Position.objects.create(
        source="test",
        cluster_id="c",
        consumer_group="g",
        topic=topic,
        topic_id="1",
        partition=0,
        next_offset=0,
    )
    return topic


@pytest.fixture
def run(broker: Any, answers_topic: str, tmp_path: Path) -> Iterator[Callable[[str], Program]]:
    """Starts a program of the page, as FakeBroker's team sees it, in a directory with the schemas."""
    BrokerAccount.objects.create(user=broker, brokername="FakeBroker")
    # A group of its own, which has no member that was killed and is waited for.
    broker.username = topic_name("team")
    broker.save()
    client = Client()
    client.force_login(broker)
    with zipfile.ZipFile(io.BytesIO(client.get("/streams/schemas.zip").content)) as archive:
        archive.extractall(tmp_path)
    started: list[Program] = []

    def start(name: str) -> Program:
        started.append(Program(tmp_path, printed(client.get("/elasticc2/stream").content.decode(), name)))
        return started[-1]

    yield start
    for program in started:
        program.stop()


def test_the_program_that_reads_prints_every_alert(alerts: list[int], run: Callable[[str], Program]) -> None:
    reader = run("read")
    wait_for(lambda: len(reader.printed().splitlines()) == 2)
    assert reader.printed() == f"{alerts[0]} 60001.0 90.0\n{alerts[1]} 60002.0 880.0\n"


def test_the_program_that_answers_sends_what_we_take_in(
    alerts: list[int], log: KafkaLog, answers_topic: str, run: Callable[[str], Program]
) -> None:
    answerer = run("answer")

    def answers() -> list[bytes]:
        answerer.printed()
        return [message.value() or b"" for message in log.read(answers_topic)]

    wait_for(lambda: len(answers()) == 2)
    found: list[Any] = [
        fastavro.schemaless_reader(io.BytesIO(value), ANSWERED, ANSWERED) for value in answers()
    ]
    assert [answer["alertId"] for answer in found] == alerts
    assert {answer["brokerName"] for answer in found} == {"FakeBroker"}


@pytest.mark.full
def test_the_program_for_rest_is_told_that_its_answer_is_valid(tom: LocalTom, tmp_path: Path) -> None:
    content = tom.client("apibroker").get("elasticc2/stream").text
    (tmp_path / "secret.txt").write_text("testing\n")
    (tmp_path / "tom_client.py").write_text((CHECKOUT / "tom_client.py").read_text())
    (tmp_path / "program.py").write_text(printed(content, "put"))
    done = subprocess.run(
        [sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("200 ")
    assert '"num_valid":1' in done.stdout
    assert tom.counts("brokermessage") == (0,)


def test_names_that_are_no_python_stay_texts(settings: Any) -> None:
    made = samples(url='http://a"b', username="o'Neil\\", brokers={'"'}, topics=["$x"])
    for program in (made.read, made.answer, made.put):
        compile(program, "program", "exec")
    assert '"group.id": "o\'Neil\\\\-test"' in made.read
    assert 'producer.produce("$x",' in made.answer

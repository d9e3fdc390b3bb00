"""Whatever fails while alerts are sent: those on the topics are those that are marked, in order."""

import os
import random
import signal
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from confluent_kafka import Message

from elasticc2.encoding import alert_id_of
from tests.conftest import drop_database
from tests.crashes.calm import copied, database
from tests.crashes.clients import wait_for, wait_until
from tests.crashes.rounds import rounds
from tests.crashes.servers import Database, Streams, reconnect
from tests.kafkalog import KafkaLog, topic_name
from tests.localtom import LocalTom, database_name
from tom_desc.snana.simulate import simulate_survey

pytestmark = pytest.mark.full

OBJECTS, DDF_FRACTION = 120, 0.3
FIRST_MJD, LAST_MJD = 60600.7, 61000.7
# Some alerts are not meant: they come after.
THROUGH_MJD = 60950.5
FAULTS_A_ROUND = 15
LONGEST_CUT_SECONDS = 4.0

MARKED = """
SELECT count(*) FROM elasticc2_ppdbalert WHERE alertsenttimestamp IS NOT NULL"""
ALERTS = """
SELECT alert_id, midpointtai, isddf, alertsenttimestamp IS NOT NULL
FROM elasticc2_ppdbalert
JOIN elasticc2_ppdbdiasource USING (diasource_id)
JOIN elasticc2_ppdbdiaobject o ON o.diaobject_id = elasticc2_ppdbdiasource.diaobject_id"""
BATCHES = "SELECT coalesce(sum(alerts), 0) FROM elasticc2_sendbatch"
UNFINISHED = "SELECT count(*) FROM elasticc2_sendrun WHERE finished IS NULL"


@pytest.fixture(scope="module")
def loaded_here(migrated_here: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database with a survey of 400 nights, of whose objects every third is in a deep-drilling field."""
    directory = tmp_path_factory.mktemp("survey")
    survey = simulate_survey(
        directory / "survey",
        objects=OBJECTS,
        seed=5,
        first_mjd=FIRST_MJD,
        last_mjd=LAST_MJD,
        ddf_fraction=DDF_FRACTION,
    )
    name = database_name("loaded")
    with database(name, template=migrated_here, directory=directory) as tom:
        tom.manage("load_snana_fits", "--ppdb", "--do", "-d", *survey)
    yield name
    drop_database(name)


@pytest.fixture
def tom(loaded_here: str, tmp_path: Path) -> Iterator[LocalTom]:
    with copied(loaded_here, tmp_path) as tom:
        yield tom


class Alert(NamedTuple):
    alert_id: int
    mjd: float
    isddf: bool
    is_marked: bool


class Campaign:
    """Somebody sends until all is sent, and starts again whatever ends too early."""

    def __init__(self, tom: LocalTom, postgres: Database, streams: Streams, dice: random.Random) -> None:
        self.tom = tom
        self.streams = streams
        self.dice = dice
        self.log = KafkaLog(streams.straight)
        # The others are made by what is sent.
        self.wfd = self.log.make(topic_name("wfd"), partitions=3)
        self.full, self.limited = topic_name("ddf-full"), topic_name("ddf-limited")
        self.meant = self.tom.one(
            "SELECT count(*) FROM elasticc2_ppdbdiasource WHERE midpointtai <= %s", THROUGH_MJD
        )
        self.process: subprocess.Popen[bytes] | None = None
        self.kills = 0
        self.faults: dict[str, Callable[[], None]] = {
            "kill the sender": self.kill_sender,
            "kill PostgreSQL": lambda: postgres.restart("kill"),
            "crash PostgreSQL": lambda: postgres.restart("immediate"),
            "kill Kafka": streams.restart,
            "cut the wire": lambda: self.lose_the_wire(streams.proxy.cut),
            "hold the wire": lambda: self.lose_the_wire(streams.proxy.hold),
            "kill the sender behind a wire that stands still": self.kill_behind_the_wire,
            "stop the sender": self.stop_sender,
        }

    @property
    def command(self) -> list[object]:
        topics = ["--wfd-topic", self.wfd, "--ddf-full-topic", self.full, "--ddf-limited-topic", self.limited]
        return ["send_elasticc2_alerts", "-d", THROUGH_MJD, "-k", self.streams.through_proxy, *topics, "--do"]

    def marked(self) -> float:
        """The part of what is meant that is marked."""
        return float(self.tom.one(MARKED)) / self.meant

    def has_ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def send_on(self, part: float) -> None:
        """Send until this part of what was left is marked; whoever ends too early is started again."""
        before = self.marked()
        wait_until(lambda: self.is_marked(before + part * (1 - before)))

    def is_marked(self, part: float) -> bool:
        if self.has_ended() and self.marked() < part:
            self.process = self.tom.start(*self.command)
        return self.marked() >= part

    def kill_sender(self) -> None:
        """Unless it was faster."""
        if self.process and not self.has_ended():
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.kills += 1

    def kill_behind_the_wire(self) -> None:
        """What it had handed over arrives later."""
        self.streams.proxy.hold()
        time.sleep(self.dice.random())
        self.kill_sender()
        self.process = self.tom.start(*self.command)
        time.sleep(LONGEST_CUT_SECONDS * self.dice.random())
        self.streams.proxy.mend()

    def stop_sender(self) -> None:
        assert self.process
        self.process.terminate()
        self.process.wait()

    def lose_the_wire(self, lose: Callable[[], None]) -> None:
        lose()
        time.sleep(LONGEST_CUT_SECONDS * self.dice.random())
        self.streams.proxy.mend()

    def happen(self, fault: str, *, part: float) -> None:
        self.send_on(part)
        time.sleep(self.dice.random() / 20)
        self.faults[fault]()
        reconnect(self.tom)

    def to_the_end(self) -> None:
        wait_for(self.has_ended)
        while self.tom.one(UNFINISHED) or self.marked() < 1:
            self.tom.manage(*self.command)
        assert self.tom.manage(*self.command) == "no alerts to send\n"

    def clean(self) -> None:
        self.streams.proxy.mend()
        self.kill_sender()

    def check(self) -> int:
        """All that is meant is marked and on its topics; how many copies came besides."""
        alerts = {row[0]: Alert(*row) for row in self.tom.sql(ALERTS)}
        meant = {alert.alert_id for alert in alerts.values() if alert.mjd <= THROUGH_MJD}
        deep = {alert_id for alert_id in meant if alerts[alert_id].isddf}
        assert {alert_id for alert_id, alert in alerts.items() if alert.is_marked} == meant
        assert self.tom.one(BATCHES) == len(meant)
        on_topics = {topic: self.log.read(topic) for topic in (self.wfd, self.full, self.limited)}
        assert {topic: ids(messages) for topic, messages in on_topics.items()} == {
            self.wfd: meant - deep,
            self.full: deep,
            self.limited: deep,
        }
        for messages in on_topics.values():
            check_copies(messages)
            check_order(messages, alerts)
        return sum(len(messages) - len(ids(messages)) for messages in on_topics.values())

    def most_in_flight(self) -> int:
        """Messages of the largest night: a night is marked before the next one begins."""
        nights = "SELECT sum(messages) FROM elasticc2_sendbatch GROUP BY night ORDER BY 1 DESC LIMIT 1"
        return int(self.tom.one(nights))


def id_of(message: Message) -> int:
    found = alert_id_of(message.value() or b"")
    assert found is not None
    return found


def ids(messages: list[Message]) -> set[int]:
    return {id_of(message) for message in messages}


def check_copies(messages: list[Message]) -> None:
    """What comes again is the same."""
    values: dict[int, set[bytes | None]] = defaultdict(set)
    for message in messages:
        values[id_of(message)].add(message.value())
    assert Counter(map(len, values.values())).keys() == {1}


def check_order(messages: list[Message], alerts: dict[int, Alert]) -> None:
    """First copies of an object's alerts are in one partition, in order of survey time."""
    seen: set[int] = set()
    latest: dict[bytes | None, float] = {}
    partition: dict[bytes | None, int | None] = {}
    for message in messages:
        alert = alerts[id_of(message)]
        if alert.alert_id in seen:
            continue
        seen.add(alert.alert_id)
        key = message.key()
        assert partition.setdefault(key, message.partition()) == message.partition()
        assert latest.get(key, 0.0) <= alert.mjd
        latest[key] = alert.mjd


@pytest.fixture
def campaign(tom: LocalTom, postgres: Database, streams: Streams, dice: random.Random) -> Iterator[Campaign]:
    campaign = Campaign(tom, postgres, streams, dice)
    yield campaign
    campaign.clean()


def drawn(campaign: Campaign, round_: int) -> list[str]:
    if round_ == 0:
        names = ["kill the sender", "kill PostgreSQL", "kill Kafka", "cut the wire"]
        campaign.dice.shuffle(names)
        return names
    return campaign.dice.choices([*campaign.faults], k=FAULTS_A_ROUND)


@pytest.mark.parametrize("round_", rounds(21))
def test_the_alerts_on_the_topics_are_those_that_are_marked_whatever_fails(
    campaign: Campaign, say: Callable[[str], None], round_: int
) -> None:
    faults = drawn(campaign, round_)
    for fault in faults:
        if round_:
            say(f"round {round_}: {fault}")
        campaign.happen(fault, part=campaign.dice.random() / len(faults))
    campaign.to_the_end()
    copies = campaign.check()
    say(f"round {round_}: {copies} messages came again after {campaign.kills} kills of the sender\n")
    assert copies <= campaign.most_in_flight() * len(faults)
    campaign.tom.manage("doctor")

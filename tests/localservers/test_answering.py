"""The demo's brokers, on a small survey of their own."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from localservers import LocalServerError, answering
from localservers.answering import KafkaBrokers, RestBrokers, brokers_of, topic_names, unused_suffix
from localservers.home import CHECKOUT, Home
from localservers.kafka import Kafka
from localservers.postgres import Postgres
from localservers.processes import Children, wait_for_end
from localservers.run import DATABASE, Demo
from localservers.survey import State, load, simulation

pytestmark = pytest.mark.full

ALERTS = "SELECT count(*) FROM elasticc2_ppdbalert JOIN elasticc2_ppdbdiasource USING (diasource_id)"
ANSWERED = """
SELECT count(*) FROM (SELECT FROM elasticc2_brokermessage m JOIN elasticc2_ppdbalert a USING (alert_id)
                       WHERE a.alertsenttimestamp IS NOT NULL
                       GROUP BY m.alert_id HAVING count(DISTINCT m.classifier_id) = 2) twice
"""
CUTS = (
    "SELECT round(percentile_cont({share}) WITHIN GROUP (ORDER BY midpointtai)) FROM elasticc2_ppdbdiasource"
)

KILLED_DEMO = """
import os, signal, sys
from pathlib import Path
from localservers.home import Home
from localservers.postgres import Postgres
from localservers.processes import Children
from localservers.run import Demo
home = Home(Path(sys.argv[1]))
demo = Demo(Postgres("wheel", home), Children(home.directory("killed")))
print(demo.start("sleep", ["sleep", "600"]).process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@dataclass
class Stage:
    """A demo before its first alert, and a Kafka."""

    demo: Demo
    kafka: Kafka
    state: State

    def day(self, share: float) -> str:
        """MJD by which this share of the alerts is there."""
        return self.demo.query(CUTS.format(share=share))

    def number(self, sql: str) -> int:
        return int(self.demo.query(sql))

    def all_answered(self, *, through: str) -> bool:
        """Whether the alerts so far, and only those, were sent and answered twice."""
        due = self.number(f"{ALERTS} WHERE midpointtai <= {through}")
        sent = self.number(f"{ALERTS} WHERE alertsenttimestamp IS NOT NULL")
        return due == sent == self.number(ANSWERED)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, kafka_jars: Path) -> Iterator[Stage]:
    home = Home(Path(tmp_path_factory.mktemp("answering")) / "home")
    demo = Demo(Postgres("wheel", home, scratch=True), Children(home.directory("children")))
    kafka = Kafka(home, tied=True, jars=kafka_jars)
    demo.server.up(database=DATABASE)
    kafka.up()
    try:
        state = State.of(demo, objects=12)
        survey = simulation(demo, state)
        demo.run("tables", "migrate", "--no-input")
        load(demo, state, survey)
        yield Stage(demo, kafka, state)
    finally:
        demo.children.stop_all()
        kafka.down()
        demo.server.down()


@pytest.fixture(scope="module")
def brokers(stage: Stage) -> KafkaBrokers:
    brokers = brokers_of(stage.demo, stage.state, kafka=stage.kafka, url="")
    assert isinstance(brokers, KafkaBrokers)
    return brokers


def test_a_demo_keeps_its_topics_and_another_one_takes_others(stage, brokers):
    assert brokers.topics == ["alerts-wfd", "alerts-ddf-full", "alerts-ddf-limited", "classifications"]
    brokers.answer(through=stage.day(0.2))
    assert unused_suffix(stage.kafka) == "-2"
    again = brokers_of(stage.demo, State.of(stage.demo), kafka=stage.kafka, url="")
    assert isinstance(again, KafkaBrokers)
    assert again.topics == brokers.topics
    assert f"{stage.kafka.server}: alerts-wfd, " in again.described


def test_alerts_are_sent_and_their_answers_stored_when_a_verb_returns(stage, brokers):
    for share in (0.4, 0.5):
        brokers.answer_silently(through=stage.day(share))
        assert stage.all_answered(through=stage.day(share))


def test_what_was_sent_is_not_sent_again(stage, brokers):
    before = stage.number("SELECT count(*) FROM elasticc2_brokermessage")
    brokers.answer(through=stage.day(0.5))
    assert stage.number("SELECT count(*) FROM elasticc2_brokermessage") == before
    assert stage.number("SELECT sum(seen) FROM streams_ledger") == before


def test_brokers_and_poller_that_were_killed_are_there_again_for_the_next_night(stage, brokers):
    killed = [command.process for command in brokers.running.values()]
    assert len(killed) == 2
    for process in killed:
        process.kill()
        process.wait()
    brokers.answer(through=stage.day(0.6))
    assert stage.all_answered(through=stage.day(0.6))


def test_answers_that_do_not_come_are_said_and_found_by_the_next_run(stage, brokers, monkeypatch):
    monkeypatch.setattr(answering, "PATIENCE_SECONDS", 3.0)
    broker = brokers.running["fakebroker"].process
    broker.send_signal(signal.SIGSTOP)
    with pytest.raises(LocalServerError, match=r"\d+ answers do not come; see .*demo-fakebroker\.log"):
        brokers.answer_silently(through=stage.day(0.8))
    stage.demo.children.stop_all(signals=((signal.SIGKILL, 60.0),))
    monkeypatch.undo()
    KafkaBrokers(stage.demo, stage.kafka, brokers.suffix).catch_up()
    assert stage.all_answered(through=stage.day(0.8))


def test_a_poller_that_ends_is_named_with_its_words(stage):
    broken = KafkaBrokers(stage.demo, stage.kafka, "-2")
    broken._keep_running("brokerpoll2", "--do-pitt")
    stage.demo.query("UPDATE elasticc2_ppdbalert SET alertsenttimestamp = now()")
    with pytest.raises(LocalServerError, match=r"(?s)brokerpoll2 ended:.*pitt is on Google"):
        broken._await_answers(lambda said: None)


def test_without_kafka_they_answer_over_rest(stage):
    brokers = brokers_of(stage.demo, stage.state, kafka=None, url="http://localhost:8080/")
    assert isinstance(brokers, RestBrokers)
    assert brokers.described == ""


def test_children_of_a_demo_that_is_killed_end_with_it(stage):
    program = [sys.executable, "-c", KILLED_DEMO, str(stage.demo.home.path)]
    killed = subprocess.run(program, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert wait_for_end(int(killed.stdout), seconds=60)


def test_topics_have_the_names_that_scripts_expect_unless_a_suffix_is_asked_for():
    assert topic_names("")[0] == "alerts-wfd"
    assert topic_names("-2")[3] == "classifications-2"

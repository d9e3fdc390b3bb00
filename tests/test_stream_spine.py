"""The alert cycle through a real Kafka: load, send, classify, poll, reveal, with the numbers of the original.

Every stage is the real command, as a process, and is run again: the second time it changes nothing.
"""

import io
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastavro
import pytest
from confluent_kafka import Message

from tests.kafkalog import KafkaLog, topic_name
from tests.localtom import LocalTom
from tom_desc.streams.schemas import ALERT, schema

pytestmark = pytest.mark.full

DEADLINE_SECONDS = 120.0

MESSAGES = "SELECT count(*), sum(cardinality(probability)) FROM elasticc2_brokermessage"
FIRST_SEEN = "SELECT count(*) FROM elasticc2_diaobjectinfo WHERE firstsource_id IS NOT NULL"
REVEALED = ("brokersourceids", "diaobject", "diasource", "diaforcedsource")
SENT = "SELECT count(*) FROM elasticc2_ppdbalert WHERE alertsenttimestamp IS NOT NULL"
LEDGER = "SELECT coalesce(sum(seen), 0), coalesce(sum(stored), 0) FROM streams_ledger"
ADDS_UP = "SELECT coalesce(bool_and(seen = stored + duplicate + dead), true) FROM streams_ledger"
# What polling must not change when there is nothing new.
POLLED = {
    "elasticc2_brokermessage": "*",
    "elasticc2_brokerclassifier": "*",
    "elasticc2_brokersourceids": "*",
    "elasticc2_brokernews": "*",
    "streams_ledger": "*",
    "streams_gap": "*",
    "streams_deadletter": "*",
    "streams_position": "topic, topic_id, partition, next_offset",
}
API_TIMES = """
SELECT count(*) FROM elasticc2_brokermessage JOIN elasticc2_brokerclassifier USING (classifier_id)
WHERE brokername = 'apiclassifier' AND classid = '{111,112}' AND probability = '{0.25,0.75}'
  AND msghdrtimestamp >= brokeringesttimestamp
  AND descingesttimestamp - msghdrtimestamp BETWEEN '0 s' AND '5 s'"""


class Campaign:
    """A TOM, its alert topics, and the topic on which brokers answer."""

    def __init__(self, tom: LocalTom, log: KafkaLog) -> None:
        self.tom = tom
        self.log = log
        self.wfd, self.full, self.limited = (topic_name(name) for name in ("wfd", "ddf-full", "ddf-limited"))
        self.answers = topic_name("classifications")
        self.group = topic_name("group")

    def send(self, *window: object) -> None:
        topics = ("--wfd-topic", self.wfd, "--ddf-full-topic", self.full, "--ddf-limited-topic", self.limited)
        self.tom.manage("send_elasticc2_alerts", *window, "-k", self.log.server, *topics, "--do")

    def classify(self) -> str:
        between = ("--source", self.log.server, "--dest", self.log.server)
        topics = ("--source-topics", self.wfd, self.full, "--dest-topic", self.answers)
        return self.tom.manage("fakebroker", *between, *topics, "--group", self.group, "--once")

    def poll(self) -> None:
        """Poll until everything is read, and stop in order."""
        self.polling_until(lambda: self.position() == self.end())

    def poll_again(self) -> None:
        """Poll for so long that the poller has seen that there is nothing."""
        looked = "SELECT min(updated) FROM streams_position"
        before = self.tom.one(looked)
        self.polling_until(lambda: self.tom.one(looked) > before)

    def polling_until(self, done: Callable[[], bool]) -> None:
        server = ("--test-topic", self.answers, "--test-server", self.log.server)
        poller = self.tom.start("brokerpoll2", "--do-test", *server, "-g", self.group)
        deadline = time.monotonic() + DEADLINE_SECONDS
        try:
            while not done():
                assert poller.poll() is None, "brokerpoll2 has ended"
                assert time.monotonic() < deadline, "brokerpoll2 does not come to the end"
                time.sleep(0.1)
        finally:
            poller.send_signal(signal.SIGTERM)
            assert poller.wait(DEADLINE_SECONDS) == 0

    def position(self) -> int | None:
        found = self.tom.sql("SELECT next_offset FROM streams_position")
        return found[0][0] if found else None

    def end(self) -> int:
        return self.log.end(self.answers)

    def alerts(self) -> int:
        return sum(len(self.log.read(topic)) for topic in (self.wfd, self.full, self.limited))

    def polled(self) -> dict[str, str]:
        return {table: self.tom.contents(table, columns) for table, columns in POLLED.items()}

    def check_stage(self, *, sent: int, messages: int, probabilities: int, news: int) -> None:
        """All that comes before reveal: on the topics, in the tables, in the ledger."""
        assert (self.alerts(), self.tom.one(SENT)) == (sent, sent)
        assert len(self.log.read(self.answers)) == messages
        assert self.tom.sql(MESSAGES) == [(messages, probabilities)]
        assert self.tom.counts("brokerclassifier", "brokersourceids") == (2, news)
        assert self.tom.sql(LEDGER) == [(messages, messages)]
        assert self.tom.one(ADDS_UP)


@pytest.fixture
def campaign(tom: LocalTom, kafka: str, real_survey_directories: list[Path]) -> Campaign:
    tom.manage("load_snana_fits", "--ppdb", "--do", "-d", *real_survey_directories)
    return Campaign(tom, KafkaLog(kafka))


def test_the_alert_cycle_through_kafka_has_the_numbers_of_the_original(campaign: Campaign) -> None:
    tom = campaign.tom

    campaign.send("-d", 60578)
    assert campaign.classify() == "answered 545 alerts, 1090 messages, 0 unreadable\n"
    campaign.poll()
    campaign.check_stage(sent=545, messages=1090, probabilities=11445, news=545)
    check_that_all_again_changes_nothing(campaign, "-d", 60578)
    tom.manage("update_elasticc2_sources")
    assert tom.counts(*REVEALED) == (0, 102, 545, 4242)
    assert tom.one(FIRST_SEEN) == 216

    campaign.send("-a", 100)
    assert campaign.classify() == "answered 105 alerts, 210 messages, 0 unreadable\n"
    campaign.poll()
    campaign.check_stage(sent=650, messages=1300, probabilities=13650, news=105)
    check_that_all_again_changes_nothing(campaign, "-d", 60675.5)
    tom.manage("update_elasticc2_sources")
    assert tom.counts(*REVEALED) == (0, 131, 650, 5765)
    assert tom.one(FIRST_SEEN) == 268

    tom.manage("fakebroker", "--rest", tom.url, "--through-day", 60675.5, "--classifiers", "api")
    assert tom.sql(MESSAGES) == [(1950, 14950)]
    assert tom.counts("brokerclassifier", *REVEALED[1:]) == (3, 131, 650, 5765)
    assert tom.one(API_TIMES) == 650
    # What came over REST is no message of a stream.
    assert tom.sql(LEDGER) == [(1300, 1300)]
    tom.manage("doctor")


def check_that_all_again_changes_nothing(campaign: Campaign, *window: object) -> None:
    before = campaign.polled()
    on_topics = campaign.alerts(), campaign.end()
    campaign.send(*window)
    assert campaign.classify() == "answered 0 alerts, 0 messages, 0 unreadable\n"
    campaign.poll_again()
    assert (campaign.alerts(), campaign.end()) == on_topics
    assert campaign.polled() == before


def source_of(message: Message) -> int:
    alert: Any = fastavro.schemaless_reader(io.BytesIO(message.value() or b""), schema(ALERT), schema(ALERT))
    return int(alert["diaSource"]["diaSourceId"])


def test_an_alert_keeps_its_key_order_and_sending_time_on_the_way(campaign: Campaign) -> None:
    """Alerts of an object are in order of time, and no answer claims to be older than its alert."""
    campaign.send("-d", 60578)
    campaign.classify()
    campaign.poll()
    sources = dict(campaign.tom.sql("SELECT diasource_id, midpointtai FROM elasticc2_ppdbdiasource"))
    latest: dict[bytes | None, float] = {}
    for message in campaign.log.read(campaign.wfd):
        mjd = sources[source_of(message)]
        assert latest.get(message.key(), 0) <= mjd
        latest[message.key()] = mjd
    assert len(latest) == 102
    in_order = (
        "SELECT bool_and(elasticcpublishtimestamp <= brokeringesttimestamp"
        " AND brokeringesttimestamp <= msghdrtimestamp AND msghdrtimestamp <= descingesttimestamp)"
        " FROM elasticc2_brokermessage"
    )
    assert campaign.tom.one(in_order)

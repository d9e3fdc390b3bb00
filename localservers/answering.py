"""How the demo's pretend brokers get alerts and answer: over REST, or through a real Kafka."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

from localservers import LocalServerError
from localservers.kafka import Kafka
from localservers.run import Command, Demo
from localservers.survey import State

SECONDS_BETWEEN_LOOKS = 0.5
# Answers that have not become more for so long do not come any more.
PATIENCE_SECONDS = 120.0

ALERTS_LEFT = """
SELECT count(*) FROM elasticc2_ppdbalert a
 WHERE alertsenttimestamp IS NOT NULL
   AND (SELECT count(DISTINCT classifier_id) FROM elasticc2_brokermessage m
         WHERE m.diasource_id = a.diasource_id AND m.alert_id = a.alert_id) < {classifiers}
"""
# Quick where there are many, and right unless an alert was sent or answered twice.
ANSWERS_LEFT = """
SELECT {classifiers} * (SELECT count(*) FROM elasticc2_ppdbalert WHERE alertsenttimestamp IS NOT NULL)
       - (SELECT count(*) FROM elasticc2_brokermessage)
"""
CLASSIFIERS = 2

ALERT_TOPICS = ("alerts-wfd", "alerts-ddf-full", "alerts-ddf-limited")
ANSWER_TOPIC = "classifications"


class Brokers(Protocol):
    """Two classifiers that answer every alert; when a verb returns, the TOM has stored all answers."""

    @property
    def described(self) -> str:
        """What the farewell says of them."""

    def catch_up(self) -> None:
        """See to what was sent and not answered when an earlier run was stopped."""

    def answer(self, *, through: str) -> None:
        """Alerts up to this MJD (inclusive), with a line for each step."""

    def answer_silently(self, *, through: str) -> None:
        """The same without lines."""


@dataclass(frozen=True)
class RestBrokers:
    """They take alerts from the TOM's tables and PUT their answers, which is also what marks alerts sent."""

    demo: Demo
    url: str
    described: str = ""

    def catch_up(self) -> None:
        """Nothing is on the way: an alert is marked once its answers are accepted."""

    def answer(self, *, through: str) -> None:
        self.demo.run(f"brokers answer alerts through MJD {through}", *self._command(through))

    def answer_silently(self, *, through: str) -> None:
        self.demo.run_silently(*self._command(through))

    def _command(self, through: str) -> list[str]:
        return ["fakebroker", "--rest", self.url.rstrip("/"), "--through-day", through]


@dataclass
class KafkaBrokers:
    """They read the alert topics; the TOM sends alerts to these and polls the topic with the answers.

    Attributes
    ----------
    suffix
        What the topics' names end with, so that another demo's alerts on the same Kafka are not taken for
        ours.
    """

    demo: Demo
    kafka: Kafka
    suffix: str
    running: dict[str, Command] = field(default_factory=dict)

    @property
    def described(self) -> str:
        return f"\n  Kafka              {self.kafka.server}: {', '.join(self.topics)}"

    @property
    def topics(self) -> list[str]:
        """Of alerts, then of answers."""
        return topic_names(self.suffix)

    def catch_up(self) -> None:
        self._start()
        if self._left():
            with self.demo.progress.step("answers to what was sent before"):
                self._await_answers(self.demo.progress.tick)

    def answer(self, *, through: str) -> None:
        self._start()
        self.demo.run(f"alerts through MJD {through} go to Kafka", *self._send(through))
        with self.demo.progress.step("brokers answer them, the TOM polls"):
            self._await_answers(self.demo.progress.tick)

    def answer_silently(self, *, through: str) -> None:
        self._start()
        self.demo.run_silently(*self._send(through))
        self._await_answers(lambda said: None)

    def _send(self, through: str) -> list[str]:
        wfd, full, limited, _ = self.topics
        topics = ["--wfd-topic", wfd, "--ddf-full-topic", full, "--ddf-limited-topic", limited]
        return ["send_elasticc2_alerts", "-d", through, "-k", self.kafka.server, *topics, "--do"]

    def _start(self) -> None:
        """Have the brokers and the TOM's poller running."""
        wfd, full, _, answers = self.topics
        between = ["--source", self.kafka.server, "--dest", self.kafka.server]
        topics = ["--source-topics", wfd, full, "--dest-topic", answers, "--group", f"demo{self.suffix}"]
        self._keep_running("fakebroker", *between, *topics)
        server = ["--test-topic", answers, "--test-server", self.kafka.server]
        self._keep_running("brokerpoll2", "--do-test", *server)

    def _keep_running(self, name: str, *arguments: str) -> None:
        before = self.running.get(name)
        if before is None or before.process.poll() is not None:
            self.running[name] = self.demo.manage(name, *arguments)

    def _await_answers(self, tell: Callable[[str], None]) -> None:
        """Wait until every alert that was sent is answered and the answers are stored.

        Raises
        ------
        LocalServerError
            Where brokers or poller end, or nothing comes any more.
        """
        left, since = self._left(), time.monotonic()
        while left:
            for name, command in self.running.items():
                if command.process.poll() is not None:
                    raise LocalServerError(f"{name} ended:\n{command.tail()}")
            if time.monotonic() - since > PATIENCE_SECONDS:
                raise LocalServerError(f"{left} answers do not come; see {self._logs()}")
            tell(f"{left} answers to come")
            time.sleep(SECONDS_BETWEEN_LOOKS)
            before, left = left, self._left()
            since = since if left == before else time.monotonic()

    def _left(self) -> int:
        """How many answers are still to come; at least 1 while an alert lacks one."""
        answers = int(self.demo.query(ANSWERS_LEFT.format(classifiers=CLASSIFIERS)))
        return answers if answers > 0 else int(self.demo.query(ALERTS_LEFT.format(classifiers=CLASSIFIERS)))

    def _logs(self) -> str:
        return " and ".join(str(command.log) for command in self.running.values())


def brokers_of(demo: Demo, state: State, *, kafka: Kafka | None, url: str) -> Brokers:
    """Those that answer through the Kafka; over REST where there is none."""
    if kafka is None:
        return RestBrokers(demo, url)
    if state.topic_suffix is None:
        state.topic_suffix = unused_suffix(kafka)
        state.save(demo)
    return KafkaBrokers(demo, kafka, state.topic_suffix)


def topic_names(suffix: str) -> list[str]:
    """Topics of alerts (WFD, DDF full, DDF limited), then that of answers."""
    return [f"{topic}{suffix}" for topic in (*ALERT_TOPICS, ANSWER_TOPIC)]


def unused_suffix(kafka: Kafka) -> str:
    """Empty unless the topics are there already; then a number that none of them has."""
    there = kafka.topics()
    suffixes = ("" if number == 1 else f"-{number}" for number in count(1))
    return next(suffix for suffix in suffixes if there.isdisjoint(topic_names(suffix)))

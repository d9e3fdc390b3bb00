"""Pretend brokers: classifiers that need no data and have an answer for every alert (spec 4.3).

They stand in for real brokers in the demo and in tests. The same alert always gets the same classes and
probabilities, so that answering it again says nothing new.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Opinion = list[tuple[int, float]]

IA = 2222
SLSN = 2242
# All exact classes of the taxonomy but the one that gets what is left.
SPLIT_CLASSES = (*range(2222, 2227), *range(2232, 2236), *range(2243, 2247), *range(2322, 2327), 2332)


@dataclass(frozen=True)
class PretendClassifier:
    """A classifier under the four names by which the TOM knows it.

    Attributes
    ----------
    opinion : callable
        (class id, probability) pairs, adding up to 1, of an alert id.
    says_when : bool
        Whether its answer over REST carries its own time. That time is part of a message's identity: with it,
        answering an alert again is a new message; without, it is the same one.
    """

    broker: str
    version: str
    name: str
    params: str
    opinion: Callable[[int], Opinion]
    says_when: bool = False

    @property
    def names(self) -> tuple[str, str, str, str]:
        return self.broker, self.version, self.name, self.params

    def answer(self, *, alert_id: int, diasource_id: int, published_ms: int, now_ms: int) -> dict[str, Any]:
        """The brokerClassification v0.9.1 record that ``PUT brokermessage/`` takes.

        Parameters
        ----------
        published_ms
            When the alert was published, milliseconds since 1970 (UTC).
        now_ms
            When the broker has the alert, and answers.
        """
        answer: dict[str, Any] = {
            "alertId": alert_id,
            "diaSourceId": diasource_id,
            "elasticcPublishTimestamp": published_ms,
            "brokerIngestTimestamp": now_ms,
            "brokerName": self.broker,
            "brokerVersion": self.version,
            "classifierName": self.name,
            "classifierParams": self.params,
            "classifications": [{"classId": c, "probability": p} for c, p in self.opinion(alert_id)],
        }
        return answer | {"brokerPublishTimestamp": now_ms} if self.says_when else answer


def certainly_ia(alert_id: int) -> Opinion:
    """Everything is a Type Ia supernova."""
    return [(IA, 1.0)]


def broken_stick(alert_id: int) -> Opinion:
    """A stick of length 1 broken at random: each class, in random order, takes a part of what is left."""
    dice = random.Random(alert_id)
    opinion, left = [], 1.0
    for classid in dice.sample(SPLIT_CLASSES, len(SPLIT_CLASSES)):
        part = left * dice.random()
        opinion.append((classid, part))
        left -= part
    return [*opinion, (SLSN, left)]


def quarter_and_rest(alert_id: int) -> Opinion:
    """Two classes that no taxonomy has, which must not stop anything."""
    return [(111, 0.25), (112, 0.75)]


NUGENT = PretendClassifier("FakeBroker", "v1.0", "NugentClassifier", "100%", certainly_ia)
RANDOM_SN_TYPE = PretendClassifier("FakeBroker", "v1.0", "RandomSNType", "Perfect", broken_stick)
ALWAYS_THE_SAME = PretendClassifier(
    "apiclassifier", "1.0", "AlwaysTheSame", "0.5 111, 0.75 112", quarter_and_rest, says_when=True
)
CLASSIFIERS = {"nugent": NUGENT, "random": RANDOM_SN_TYPE, "api": ALWAYS_THE_SAME}

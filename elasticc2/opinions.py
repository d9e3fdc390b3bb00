"""Each classifier's latest view of objects, as reveal keeps it, in words."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from elasticc2.models import DiaObjectClassification, GentypeOfClassId

RANKS = range(1, 5)
CLASSIFIER = tuple(
    f"classifier__{name}" for name in ("brokername", "brokerversion", "classifiername", "classifierparams")
)
CLASSES = tuple(f"latestclass{rank}{name}" for rank in RANKS for name in ("id", "prob"))


@dataclass(frozen=True)
class ProbableClass:
    """``description`` is empty for a class id outside the taxonomy."""

    classid: int
    description: str
    probability: float

    @property
    def percent(self) -> int:
        return round(100 * self.probability)


@dataclass(frozen=True)
class Opinion:
    """What a classifier last said of an object: its up to four best classes, the best first."""

    broker: str
    brokerversion: str
    classifier: str
    params: str
    classes: list[ProbableClass]

    @property
    def best(self) -> ProbableClass:
        return self.classes[0]


def latest_opinions(objectids: Sequence[int]) -> dict[int, list[Opinion]]:
    """By object, the opinions in order of broker and classifier; objects without any have no key."""
    names = class_names()
    rows = DiaObjectClassification.objects.filter(diaobject_id__in=objectids)
    found = defaultdict(list)
    for objectid, *row in rows.order_by(*CLASSIFIER, "classifier_id").values_list(
        "diaobject_id", *CLASSIFIER, *CLASSES
    ):
        found[objectid].append(opinion(row, names))
    return dict(found)


def opinion(row: list[Any], names: dict[int, str]) -> Opinion:
    broker, brokerversion, classifier, params, *classes = row
    pairs = zip(classes[::2], classes[1::2], strict=True)
    return Opinion(
        broker=broker,
        brokerversion=brokerversion or "",
        classifier=classifier,
        params=params or "",
        classes=[ProbableClass(key, names.get(key, ""), prob) for key, prob in pairs if key is not None],
    )


def class_names() -> dict[int, str]:
    """Description of every class id of the taxonomy."""
    return dict(GentypeOfClassId.objects.values_list("classid", "description").distinct())

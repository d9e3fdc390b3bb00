"""How the classifiers' opinions of an object changed: the probability of one class, source by source."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection

from elasticc2.dossier import rounded
from elasticc2.models import BrokerClassifier
from elasticc2.opinions import class_names
from elasticc2.taxonomy import IA

# One answer a source and classifier: of several the one that came last, as the summaries have it.
ANSWERS = """
SELECT DISTINCT ON (s.midpointtai, s.diasource_id, m.classifier_id)
       s.diasource_id, s.midpointtai, s.filtername, m.classifier_id, m.classid, m.probability
FROM elasticc2_diasource s
JOIN elasticc2_brokermessage m USING (diasource_id)
WHERE s.diaobject_id = %s AND cardinality(m.classid) > 0
ORDER BY s.midpointtai, s.diasource_id, m.classifier_id, m.descingesttimestamp DESC,
         m.brokermessage_id DESC"""


@dataclass(frozen=True)
class Source:
    """A source that a classifier answered; MJD (TAI)."""

    sourceid: int
    mjd: float
    band: str


@dataclass(frozen=True)
class Answer:
    """What one classifier said of one source: probabilities of the class ids, in parallel."""

    source: Source
    classifier_id: int
    classids: list[int]
    probabilities: list[float]

    def probability(self, classid: int) -> float:
        """0 of a class that the answer does not name; the greatest where it names one twice."""
        pairs = zip(self.classids, self.probabilities, strict=True)
        return max((probability for named, probability in pairs if named == classid), default=0.0)


@dataclass(frozen=True)
class ClassName:
    """``description`` is empty for a class id outside the taxonomy."""

    classid: int
    description: str

    def __str__(self) -> str:
        return f"{self.description or 'not in the taxonomy'} ({self.classid})"


@dataclass(frozen=True)
class History:
    """One classifier's probabilities of the chosen class, by source, in ascending time."""

    broker: str
    classifier: str
    probabilities: dict[Source, float]

    @property
    def label(self) -> str:
        return f"{self.broker} · {self.classifier}"


@dataclass(frozen=True)
class OpinionsOverTime:
    """All answers about an object, seen from one class.

    Attributes
    ----------
    chosen
        None where nobody has answered.
    choices
        The classes that some answer names, and the chosen one, by class id.
    histories
        Classifiers that named the chosen class at least once, by broker and classifier.
    silent
        Labels of those that answered and never named it.
    """

    chosen: ClassName | None
    choices: list[ClassName]
    histories: list[History]
    silent: list[str]

    @property
    def sources(self) -> list[Source]:
        """The sources that somebody in ``histories`` answered, in ascending time."""
        answered = {source for history in self.histories for source in history.probabilities}
        return sorted(answered, key=lambda source: (source.mjd, source.sourceid))

    @property
    def rows(self) -> Iterator[tuple[Source, list[float | None]]]:
        """The same as a table: a probability each of ``histories``, None where it did not answer."""
        for source in self.sources:
            yield source, [history.probabilities.get(source) for history in self.histories]

    @property
    def plot(self) -> list[dict[str, Any]]:
        """The same for the plot module, ready for JSON."""
        return [
            {
                "label": history.label,
                "mjd": [source.mjd for source in history.probabilities],
                "band": [source.band for source in history.probabilities],
                "probability": [rounded(value, 6) for value in history.probabilities.values()],
            }
            for history in self.histories
        ]


def opinions_over_time(objectid: int, *, classid: int | None) -> OpinionsOverTime:
    """What classifiers said of the object's sources about a class; of None, about the default class."""
    answers = answers_about(objectid)
    chosen = default_class(answers) if classid is None else classid
    if not answers or chosen is None:
        return OpinionsOverTime(None, [], [], [])
    descriptions = class_names()
    named = sorted({chosen}.union(*(answer.classids for answer in answers)))
    histories = histories_of(answers, chosen)
    naming = {answer.classifier_id for answer in answers if chosen in answer.classids}
    return OpinionsOverTime(
        chosen=ClassName(chosen, descriptions.get(chosen, "")),
        choices=[ClassName(classid, descriptions.get(classid, "")) for classid in named],
        histories=[history for classifier_id, history in histories.items() if classifier_id in naming],
        silent=[history.label for classifier_id, history in histories.items() if classifier_id not in naming],
    )


def answers_about(objectid: int) -> list[Answer]:
    """The answers that count, in ascending time of their sources."""
    with connection.cursor() as cursor:
        cursor.execute(ANSWERS, (objectid,))
        return [Answer(Source(*row[:3]), *row[3:]) for row in cursor.fetchall()]


def default_class(answers: list[Answer]) -> int | None:
    """Ia if any answer names it, else the likeliest class on the latest source that was answered."""
    if any(IA in answer.classids for answer in answers):
        return IA
    latest = [answer for answer in answers if answer.source == answers[-1].source]
    pairs = [pair for answer in latest for pair in zip(answer.probabilities, answer.classids, strict=True)]
    return max(pairs)[1] if pairs else None


def histories_of(answers: Iterable[Answer], classid: int) -> dict[int, History]:
    """By classifier id, in order of broker and classifier."""
    histories = classifiers({answer.classifier_id for answer in answers})
    for answer in answers:
        if answer.classifier_id in histories:
            histories[answer.classifier_id].probabilities[answer.source] = answer.probability(classid)
    return histories


def classifiers(ids: Iterable[int]) -> dict[int, History]:
    """Histories without any answer yet."""
    rows = BrokerClassifier.objects.filter(pk__in=ids).order_by(
        "brokername", "brokerversion", "classifiername", "classifierparams", "classifier_id"
    )
    return {
        row.pk: History(
            broker=f"{row.brokername} {row.brokerversion or ''}".strip(),
            classifier=f"{row.classifiername} {row.classifierparams or ''}".strip(),
            probabilities={},
        )
        for row in rows
    }

"""One pretend broker's pass over the survey's alerts: take a batch, answer it, go on once it is accepted.

Until alerts travel through Kafka, answering them is also what marks them sent and moves the clock.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import fastavro
from numpy.typing import NDArray

from elasticc2.alerts import AlertAssembler, mark_sent, unsent_slices
from tom_desc import bulkcopy
from tom_desc.streams.fakebroker import PretendClassifier
from tom_desc.streams.schemas import ALERT, schema
from tom_desc.tally import Tally

# The rows of elasticc2_brokermessage have an index by source; the classifier's id is looked up beforehand.
UNANSWERED = """
FROM elasticc2_ppdbalert a JOIN elasticc2_ppdbdiasource s USING (diasource_id)
WHERE a.alertsenttimestamp IS NOT NULL
  AND s.midpointtai <= %(through)s
  AND (s.midpointtai, s.diasource_id) > (%(after_mjd)s, %(after_id)s)
  AND NOT EXISTS (SELECT FROM elasticc2_brokermessage m
                  WHERE m.diasource_id = s.diasource_id AND m.alert_id = a.alert_id
                    AND m.classifier_id = %(classifier)s)"""
UNANSWERED_SLICE = f"""
SELECT a.alert_id, s.diasource_id, s.midpointtai, (extract(epoch FROM a.alertsenttimestamp) * 1000)::bigint
{UNANSWERED}
ORDER BY s.midpointtai, s.diasource_id
LIMIT %(limit)s"""
UNANSWERED_DTYPE = [
    ("alert_id", "i8"),
    ("diasource_id", "i8"),
    ("midpointtai", "f8"),
    ("published_ms", "i8"),
]
COUNT_UNANSWERED = f"SELECT count(*) {UNANSWERED}"
CLASSIFIER_ID = """
SELECT classifier_id FROM elasticc2_brokerclassifier
WHERE (brokername, brokerversion, classifiername, classifierparams) = (%s, %s, %s, %s)"""


@dataclass(frozen=True)
class Receipt:
    """What became of the messages of a request that was accepted."""

    stored: int
    duplicates: int


@dataclass(frozen=True)
class Answered(Tally):
    """What a pass has done so far."""

    alerts: int = 0
    messages: int = 0
    stored: int = 0
    duplicates: int = 0

    def __str__(self) -> str:
        counts = [f"{count} {name}" for name, count in asdict(self).items()]
        return ", ".join(counts)


# Hands messages to the TOM; raises where they were not accepted.
Put = Callable[[list[dict[str, Any]]], Receipt]


def milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def answer_unsent(
    cursor: Any,
    put: Put,
    *,
    classifiers: Sequence[PretendClassifier],
    through_mjd: float,
    batch: int,
    now: Callable[[], datetime],
) -> Iterator[Answered]:
    """Answer the unsent alerts in order of time, marking each batch sent once its answers are accepted.

    A pass that ends between the two answers that batch again the next time: the same messages, which the
    TOM has already.

    Parameters
    ----------
    through_mjd
        Time of the latest source, MJD (TAI), inclusive.
    batch
        Alerts a request.
    now
        The wall clock: what an alert is published at.
    """
    assembler = AlertAssembler()
    for alert_ids in unsent_slices(cursor, through_mjd=through_mjd, size=batch):
        moment = now()
        sources = [read_source(alert) for _, alert in assembler.assemble(cursor, alert_ids)]
        messages = answers(classifiers, [(*ids, milliseconds(moment)) for ids in sources], moment)
        receipt = put(messages)
        mark_sent(cursor, alert_ids, moment)
        yield Answered(len(alert_ids), len(messages), receipt.stored, receipt.duplicates)


def read_source(alert: bytes) -> tuple[int, int]:
    """Ids of alert and source, read as a broker reads an alert: against the schema, and whole."""
    content: Any = fastavro.schemaless_reader(io.BytesIO(alert), schema(ALERT), schema(ALERT))
    return content["alertId"], content["diaSource"]["diaSourceId"]


def answers(
    classifiers: Sequence[PretendClassifier], alerts: Sequence[tuple[int, int, int]], moment: datetime
) -> list[dict[str, Any]]:
    """Every classifier's answer to each (alert id, source id, time published in ms)."""
    return [
        classifier.answer(
            alert_id=alert_id,
            diasource_id=sourceid,
            published_ms=published_ms,
            now_ms=max(milliseconds(moment), published_ms),
        )
        for alert_id, sourceid, published_ms in alerts
        for classifier in classifiers
    ]


def answer_sent(
    cursor: Any,
    put: Put,
    *,
    classifier: PretendClassifier,
    through_mjd: float,
    batch: int,
    now: Callable[[], datetime],
) -> Iterator[Answered]:
    """Answer the alerts that were sent and that this classifier has not answered yet; marks nothing."""
    bounds = unanswered_bounds(cursor, classifier, through_mjd) | {"limit": batch}
    while len(rows := unanswered(cursor, bounds)):
        moment = now()
        alerts = rows[["alert_id", "diasource_id", "published_ms"]].tolist()
        messages = answers([classifier], alerts, moment)
        receipt = put(messages)
        yield Answered(len(alerts), len(messages), receipt.stored, receipt.duplicates)
        bounds |= {"after_mjd": float(rows[-1]["midpointtai"]), "after_id": int(rows[-1]["diasource_id"])}


def unanswered(cursor: Any, bounds: dict[str, Any]) -> NDArray[Any]:
    """The next sent alerts that the classifier has not answered, by time and then source id."""
    return bulkcopy.read(cursor, cursor.mogrify(UNANSWERED_SLICE, bounds).decode(), UNANSWERED_DTYPE)


def unanswered_bounds(cursor: Any, classifier: PretendClassifier, through_mjd: float) -> dict[str, Any]:
    """Where a pass over unanswered alerts begins and ends, and for which classifier (None: not known yet)."""
    cursor.execute(CLASSIFIER_ID, classifier.names)
    known = cursor.fetchone()
    return {
        "through": through_mjd,
        "classifier": known and known[0],
        "after_mjd": float("-inf"),
        "after_id": 0,
    }


def count_unanswered(cursor: Any, *, classifier: PretendClassifier, through_mjd: float) -> int:
    """How many sent alerts the classifier has not answered."""
    cursor.execute(COUNT_UNANSWERED, unanswered_bounds(cursor, classifier, through_mjd))
    count: int = cursor.fetchone()[0]
    return count

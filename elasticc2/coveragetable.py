"""Coverage as a table: what each classifier answered of the alerts of each night, the latest night first."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from elasticc2.classifierlist import name_of
from elasticc2.coverage import Coverage, coverage, nights_sent
from elasticc2.models import BrokerClassifier
from tom_desc.mjd import utc

PAGE_NIGHTS = 7
# What each classifier answered is looked up alert by alert: so many take about half a second.
PAGE_ALERTS = 20_000


@dataclass(frozen=True)
class NightSent:
    """A night of the survey, called by the MJD between its noons, and how many alerts were sent of it."""

    night: int
    sent: int

    @property
    def evening(self) -> date:
        """The date in Chile when it began."""
        return utc(self.night - 0.5).date()


@dataclass(frozen=True)
class CoverageRow:
    """What a classifier answered, by night."""

    classifier: BrokerClassifier
    cells: Sequence[Coverage]

    @property
    def name(self) -> str:
        return name_of(self.classifier)


@dataclass(frozen=True)
class CoverageTable:
    """Nights and classifiers; ``older`` is the key of the table after this one, None at the end."""

    nights: Sequence[NightSent]
    rows: Sequence[CoverageRow]
    older: int | None


def coverage_table(
    classifiers: Sequence[BrokerClassifier],
    *,
    before: int | None,
    nights: int = PAGE_NIGHTS,
    alerts: int = PAGE_ALERTS,
) -> CoverageTable:
    """What these classifiers answered of the latest nights before ``before`` (None: of all).

    Parameters
    ----------
    alerts
        Take so few nights that they have no more alerts than this, but one at least.
    """
    found = [NightSent(*row) for row in nights_sent(limit=nights + 1, before=before)]
    sums = itertools.accumulate(night.sent for night in found)
    fitting = sum(total <= alerts for total in sums)
    shown = found[: min(max(fitting, 1), nights)]
    ids = [classifier.pk for classifier in classifiers]
    cells = coverage(nights=[night.night for night in shown], classifier_ids=ids) if ids else []
    by_place = {(cell.classifier_id, cell.night): cell for cell in cells}
    rows = [
        CoverageRow(classifier, [by_place[classifier.pk, night.night] for night in shown])
        for classifier in classifiers
    ]
    return CoverageTable(shown, rows, shown[-1].night if len(found) > len(shown) else None)

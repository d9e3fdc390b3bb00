"""The columns of the hot list, and the orders it can be sorted in."""

from collections.abc import Sequence
from dataclasses import dataclass

from elasticc2.models import BrokerClassifier


def by_magnitude(flux: str) -> str:
    """What an SQL flux is sorted by so that magnitudes are in order; NULL where it has no magnitude."""
    return f"CASE WHEN {flux} > 0 AND {flux} < 'Infinity' THEN -{flux} END"


# What each column is sorted by, in the words of hotlist.HOT_PAGE.
SORT_KEYS = {
    "object": "diaobject_id",
    "ra": "ra",
    "dec": "decl",
    "detections": "n_sources",
    "latest": "latest_mjd",
    "mag": by_magnitude("latest_flux"),
    "peak": by_magnitude("peak_flux"),
    "z": "coalesce(spectrum_z, host_zspec, host_zphot)",
}
# The sort key of a classifier's column: this and the classifier's id.
IA = "ia"
# Where more is more interesting, the first click on a column shows the most.
GREATEST_FIRST = ("detections", "latest")


@dataclass(frozen=True)
class Sort:
    """By which column, and whether the greatest value comes first. A magnitude's greatest is the faintest."""

    key: str
    descending: bool = False

    @classmethod
    def first(cls, key: str) -> "Sort":
        """The direction that one wants to see first."""
        return cls(key, descending=key in GREATEST_FIRST or key.startswith(IA))

    @classmethod
    def parse(cls, text: str, keys: Sequence[str]) -> "Sort":
        """``peak`` or ``-peak``; ValueError where it is none of the keys."""
        key = text.removeprefix("-")
        if key not in keys:
            raise ValueError(f"sort must be one of {', '.join(keys)}, with or without a -, not {text[:60]!r}")
        return cls(key, descending=text.startswith("-"))

    @property
    def reverse(self) -> "Sort":
        return Sort(self.key, not self.descending)

    @property
    def classifier_id(self) -> int | None:
        """The classifier whose opinion it sorts by, if it does."""
        return None if self.key in SORT_KEYS else int(self.key.removeprefix(IA))

    @property
    def aria(self) -> str:
        """The value of a column head's ``aria-sort``."""
        return "descending" if self.descending else "ascending"

    def __str__(self) -> str:
        return f"-{self.key}" if self.descending else self.key


LATEST_FIRST = Sort.first("latest")


@dataclass(frozen=True)
class Column:
    """A column's sort key, what its head says, and what its two orders are called."""

    key: str
    label: str
    unit: str = ""
    ascending: str = "lowest first"
    descending: str = "highest first"

    def order(self, sort: Sort) -> str:
        """The order in words."""
        return f"{self.label}, {self.descending if sort.descending else self.ascending}"


COLUMNS = (
    Column("object", "Object"),
    Column("ra", "RA", "deg"),
    Column("dec", "Dec", "deg"),
    Column("detections", "Detections", ascending="fewest first", descending="most first"),
    Column("latest", "Latest detection", "MJD", ascending="oldest first", descending="newest first"),
    Column("mag", "Last", "AB mag", ascending="brightest first", descending="faintest first"),
    Column("peak", "Peak", "AB mag", ascending="brightest first", descending="faintest first"),
    Column("z", "z"),
)


@dataclass(frozen=True)
class Classifier:
    """A classifier, whose column is its probability of class Ia."""

    classifier_id: int
    broker: str
    name: str
    params: str

    @property
    def column(self) -> Column:
        return Column(
            f"{IA}{self.classifier_id}", f"p(Ia) {self.name}", f"{self.broker} {self.params}".strip()
        )


def classifiers() -> list[Classifier]:
    """All that the TOM knows, in order of broker and name."""
    rows = BrokerClassifier.objects.order_by(
        "brokername", "brokerversion", "classifiername", "classifierparams", "classifier_id"
    ).values_list("classifier_id", "brokername", "brokerversion", "classifiername", "classifierparams")
    return [
        Classifier(classifier_id, f"{broker} {version or ''}".strip(), name, params or "")
        for classifier_id, broker, version, name, params in rows
    ]

"""The hot list: objects detected of late, in the order that is asked for, a page at a time."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from elasticc2.dossier import NO_REDSHIFT, magnitude
from elasticc2.hotcolumns import LATEST_FIRST, SORT_KEYS, Classifier, Sort
from elasticc2.hotset import HOT_SET
from elasticc2.models import DiaObjectClassification

PAGE_ROWS = 500


def known(redshift: str) -> str:
    """An SQL redshift, NULL where SNANA writes that it is missing."""
    return f"nullif(nullif({redshift}, {NO_REDSHIFT}), 'NaN')"


# The sort's join and order are filled in from SORT_KEYS and from a whole number, never from a request's text.
HOT_PAGE = f"""
WITH {HOT_SET}, spectra AS (
    SELECT DISTINCT ON (diaobject_id) diaobject_id, z
    FROM elasticc2_spectruminfo
    WHERE z IS NOT NULL AND mjd <= %(until)s
    ORDER BY diaobject_id, mjd DESC, specinfo_id DESC
), described AS (
    SELECT hot.*, ra, decl, z AS spectrum_z,
           {known("hostgal_zspec")} AS host_zspec, {known("hostgal_zphot")} AS host_zphot
    FROM hot JOIN elasticc2_diaobject USING (diaobject_id) LEFT JOIN spectra USING (diaobject_id)
)
SELECT diaobject_id, ra, decl, n_sources, latest_mjd, latest_band, latest_flux, peak_band, peak_flux,
       spectrum_z, host_zspec, host_zphot, count(*) OVER ()
FROM described {{join}}
ORDER BY {{key}} {{direction}} NULLS LAST, diaobject_id
LIMIT %(limit)s OFFSET %(offset)s"""

OF_CLASSIFIER = """
LEFT JOIN (SELECT diaobject_id, probia FROM elasticc2_diaobjectclassification
           WHERE classifier_id = %(classifier)s) opinions USING (diaobject_id)"""


@dataclass(frozen=True)
class Redshift:
    """``source`` says whose: that of a reported spectrum, the host's spectrum, or its colours."""

    value: float
    source: str


@dataclass(frozen=True)
class BandMag:
    """AB magnitude of a detection; None where its flux is not positive."""

    band: str
    mag: float | None


@dataclass(frozen=True)
class HotObject:
    """A row of the hot list: position in degrees, times in MJD (TAI), the latest and brightest detection.

    ``ia`` is each classifier with its probability of class Ia; None where it did not speak of the object.
    """

    objectid: int
    ra: float
    dec: float
    detections: int
    latest_mjd: float
    days_ago: float
    latest: BandMag
    peak: BandMag
    redshift: Redshift | None
    ia: Sequence[tuple[Classifier, float | None]] = ()


@dataclass(frozen=True)
class HotPage:
    """Up to PAGE_ROWS of ``total`` hot objects."""

    objects: list[HotObject]
    total: int
    number: int

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // PAGE_ROWS))


def hot_page(
    *,
    since_mjd: float,
    until_mjd: float,
    zeropoint: float | None,
    classifiers: Sequence[Classifier],
    number: int = 1,
    sort: Sort = LATEST_FIRST,
) -> HotPage:
    """Page ``number`` (from 1) of the objects detected in the window, bounds included; MJD (TAI).

    A number of statements that does not depend on how many objects there are.

    Parameters
    ----------
    classifiers
        Whose opinions are wanted.
    sort
        What the list is sorted by: over all hot objects, equal ones in order of their ids; what is missing
        comes last in either direction.
    """
    rows = hot_rows(since_mjd=since_mjd, until_mjd=until_mjd, number=number, sort=sort)
    opinions = probabilities([row[0] for row in rows])
    objects = [
        hot_object(
            row,
            until_mjd=until_mjd,
            zeropoint=zeropoint,
            ia=[(one, opinions[row[0]].get(one.classifier_id)) for one in classifiers],
        )
        for row in rows
    ]
    return HotPage(objects, total=rows[0][-1] if rows else 0, number=number)


def hot_rows(*, since_mjd: float, until_mjd: float, number: int, sort: Sort) -> list[tuple[Any, ...]]:
    of_classifier = sort.classifier_id is not None
    query = HOT_PAGE.format(
        join=OF_CLASSIFIER if of_classifier else "",
        key="probia" if of_classifier else SORT_KEYS[sort.key],
        direction="DESC" if sort.descending else "ASC",
    )
    window = {"since": since_mjd, "until": until_mjd, "classifier": sort.classifier_id}
    with connection.cursor() as cursor:
        cursor.execute(query, window | {"limit": PAGE_ROWS, "offset": (number - 1) * PAGE_ROWS})
        return cursor.fetchall()


def probabilities(objectids: Sequence[int]) -> dict[int, dict[int, float | None]]:
    """By object and classifier, the probability of class Ia in the latest message that the TOM has."""
    found: dict[int, dict[int, float | None]] = defaultdict(dict)
    rows = DiaObjectClassification.objects.filter(diaobject_id__in=objectids)
    for objectid, classifier_id, probability in rows.values_list("diaobject_id", "classifier_id", "probia"):
        found[objectid][classifier_id] = probability
    return found


def hot_object(
    row: tuple[Any, ...],
    *,
    until_mjd: float,
    zeropoint: float | None,
    ia: Sequence[tuple[Classifier, float | None]],
) -> HotObject:
    """A row of HOT_PAGE in words."""
    objectid, ra, dec, detections, latest_mjd, band, flux, peak_band, peak_flux, *redshifts, _ = row
    return HotObject(
        objectid,
        ra=ra,
        dec=dec,
        detections=detections,
        latest_mjd=latest_mjd,
        days_ago=until_mjd - latest_mjd,
        latest=BandMag(band, magnitude(flux, zeropoint)),
        peak=BandMag(peak_band, magnitude(peak_flux, zeropoint)),
        redshift=best_redshift(*redshifts),
        ia=ia,
    )


def best_redshift(spectrum: float | None, zspec: float | None, zphot: float | None) -> Redshift | None:
    """The redshift to go by: of a spectrum of the object, else of its host, else photometric."""
    candidates = ((spectrum, "spectrum"), (zspec, "host spec"), (zphot, "host phot"))
    return next((Redshift(value, source) for value, source in candidates if value is not None), None)

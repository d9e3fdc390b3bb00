"""The hot list: objects detected of late, the latest first, a page at a time."""

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any

from django.db import connection

from elasticc2.dossier import NO_REDSHIFT, magnitude
from elasticc2.lightcurves import SPECTRA
from elasticc2.opinions import Opinion, latest_opinions
from tom_desc.snana.columns import BANDS

PAGE_ROWS = 500

# Hot is what lightcurves.DETECTED says it is; this is the same with the time of the latest detection.
HOT = """
SELECT s.diaobject_id, max(s.midpointtai), count(*) OVER ()
FROM elasticc2_diasource s
WHERE s.midpointtai >= %(since)s AND s.midpointtai <= %(until)s AND s.diaobject_id IS NOT NULL
GROUP BY s.diaobject_id
ORDER BY max(s.midpointtai) DESC, s.diaobject_id
LIMIT %(limit)s OFFSET %(offset)s"""

# From the rows and not from the summaries, which know nothing of a "now" in the past.
DETECTIONS = """
SELECT DISTINCT ON (diaobject_id, filtername)
       diaobject_id, filtername, midpointtai, psflux,
       count(*) OVER of_band AS detections, max(psflux) OVER of_band AS peakflux
FROM elasticc2_diasource
WHERE diaobject_id = ANY(%(objectids)s::bigint[]) AND midpointtai <= %(until)s
WINDOW of_band AS (PARTITION BY diaobject_id, filtername)
ORDER BY diaobject_id, filtername, midpointtai DESC, diasource_id DESC"""

OBJECTS = """
SELECT diaobject_id, ra, decl, hostgal_zspec, hostgal_zphot
FROM elasticc2_diaobject
WHERE diaobject_id = ANY(%(objectids)s::bigint[])"""


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
    """A row of the hot list. ``latest`` has one entry a band, ``peak`` is the brightest detection."""

    objectid: int
    latest_mjd: float
    days_ago: float
    ra: float = float("nan")
    dec: float = float("nan")
    detections: int = 0
    latest: tuple[BandMag, ...] = ()
    peak: BandMag | None = None
    redshift: Redshift | None = None
    opinions: tuple[Opinion, ...] = ()


@dataclass(frozen=True)
class HotPage:
    """Up to PAGE_ROWS of ``total`` hot objects."""

    objects: list[HotObject]
    total: int
    number: int

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // PAGE_ROWS))


def hot_page(*, since_mjd: float, until_mjd: float, zeropoint: float | None, number: int) -> HotPage:
    """Page ``number`` (from 1) of the objects detected in the window, bounds included; MJD (TAI)."""
    window = {"since": since_mjd, "until": until_mjd, "limit": PAGE_ROWS}
    rows = fetch(HOT, window | {"offset": (number - 1) * PAGE_ROWS})
    hot = [
        HotObject(objectid, latest_mjd=latest, days_ago=until_mjd - latest) for objectid, latest, _ in rows
    ]
    total = rows[0][2] if rows else 0
    return HotPage(described(hot, until_mjd=until_mjd, zeropoint=zeropoint), total=total, number=number)


def described(hot: list[HotObject], *, until_mjd: float, zeropoint: float | None) -> list[HotObject]:
    """The objects with all their columns, in a number of statements that does not depend on how many."""
    ids = [row.objectid for row in hot]
    asked = {"objectids": ids, "until": until_mjd}
    objects = {row[0]: row[1:] for row in fetch(OBJECTS, asked)}
    spectra = {row[0]: row[1] for row in fetch(SPECTRA, asked)}
    bands = defaultdict(list)
    for objectid, *band in fetch(DETECTIONS, asked):
        bands[objectid].append(band)
    opinions = latest_opinions(ids)
    return [
        replace(
            row,
            ra=objects[row.objectid][0],
            dec=objects[row.objectid][1],
            redshift=best_redshift(spectra.get(row.objectid), *objects[row.objectid][2:]),
            opinions=tuple(opinions.get(row.objectid, ())),
            **of_bands(bands[row.objectid], zeropoint),
        )
        for row in hot
    ]


def fetch(query: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return cursor.fetchall()


def of_bands(bands: list[list[Any]], zeropoint: float | None) -> dict[str, Any]:
    """The columns that come from an object's (band, mjd, flux, detections, peakflux) rows."""
    bands = sorted(bands, key=lambda row: (BANDS + row[0]).index(row[0]))
    brightest = max(bands, key=lambda row: row[4])
    return {
        "detections": sum(row[3] for row in bands),
        "latest": tuple(BandMag(row[0], magnitude(row[2], zeropoint)) for row in bands),
        "peak": BandMag(brightest[0], magnitude(brightest[4], zeropoint)),
    }


def best_redshift(spectrum: float | None, zspec: float | None, zphot: float | None) -> Redshift | None:
    """The redshift to go by: of a spectrum of the object, else of its host, else photometric."""
    candidates = ((spectrum, "spectrum"), (zspec, "host spec"), (zphot, "host phot"))
    for value, source in candidates:
        if value is not None and value != NO_REDSHIFT:
            return Redshift(value, source)
    return None

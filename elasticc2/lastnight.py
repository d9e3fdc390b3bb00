"""What changed last night, for the front page."""

import math
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection

from elasticc2.counts import COUNTED_EXACTLY, estimate
from elasticc2.dossier import magnitude
from elasticc2.hotcolumns import by_magnitude
from elasticc2.hotlist import BandMag
from elasticc2.hotset import HOT_SET
from tom_desc.mjd import utc

# A night lasts from noon to noon (UTC), which at Cerro Pachon (70.7 W) is morning all the year.
NOON = 0.5
# Some classifier finds class Ia likelier than all others together.
LIKELY = 0.5
SHOWN_OBJECTS = 8
# Wall time for which the front page counts messages.
LATELY = timedelta(days=1)

LATEST_DETECTION = "SELECT max(midpointtai) FROM elasticc2_diasource WHERE midpointtai <= %(now)s"

CHANGES = f"""
WITH {HOT_SET}, new AS (
    SELECT diaobject_id FROM hot WHERE first_mjd >= %(since)s
)
SELECT (SELECT count(*) FROM elasticc2_diasource WHERE midpointtai BETWEEN %(since)s AND %(until)s),
       (SELECT count(*) FROM hot),
       (SELECT count(*) FROM new),
       (SELECT count(*) FROM new
        WHERE EXISTS (SELECT FROM elasticc2_diaobjectclassification c
                      WHERE c.diaobject_id = new.diaobject_id AND c.probia > {LIKELY}))"""

BRIGHTEST_NEW = f"""
WITH {HOT_SET}, new AS (
    SELECT diaobject_id, n_sources, peak_band, peak_flux FROM hot
    WHERE first_mjd >= %(since)s AND {by_magnitude("peak_flux")} IS NOT NULL
    ORDER BY peak_flux DESC, diaobject_id LIMIT {SHOWN_OBJECTS}
)
SELECT diaobject_id, ra, decl, n_sources, peak_band, peak_flux,
       (SELECT max(probia) FROM elasticc2_diaobjectclassification c WHERE c.diaobject_id = o.diaobject_id)
FROM new JOIN elasticc2_diaobject o USING (diaobject_id)
ORDER BY peak_flux DESC, diaobject_id"""

HOT_OBJECTS = f"WITH {HOT_SET} SELECT count(*) FROM hot"

RECENT = "descingesttimestamp > %(since)s"
HEARD = f"""
SELECT brokername, count(*), sum(messages)::bigint
FROM (SELECT classifier_id, count(*) AS messages FROM elasticc2_brokermessage
      WHERE {RECENT} GROUP BY classifier_id) recent
JOIN elasticc2_brokerclassifier USING (classifier_id)
GROUP BY brokername ORDER BY brokername"""


@dataclass(frozen=True)
class NewObject:
    """An object first detected in the night; degrees, and the greatest p(Ia) of any classifier."""

    objectid: int
    ra: float
    dec: float
    detections: int
    peak: BandMag
    ia: float | None


@dataclass(frozen=True)
class Night:
    """What the TOM learned of a night: bounds in MJD (TAI), the end not after "now".

    Attributes
    ----------
    detections, objects
        Sources of the night, and of how many objects they are.
    new_objects, new_likely_ia
        Objects first detected in the night, and how many of them some classifier holds for a Ia.
    brightest
        The brightest new objects.
    """

    since_mjd: float
    until_mjd: float
    detections: int
    objects: int
    new_objects: int
    new_likely_ia: int
    brightest: list[NewObject]

    @property
    def evening(self) -> date:
        """The date in Chile when it began."""
        return utc(self.since_mjd).date()


def latest_night(*, now_mjd: float, zeropoint: float | None) -> Night | None:
    """The latest night with a detection up to now; None where there is none."""
    [(latest,)] = fetch(LATEST_DETECTION, {"now": now_mjd})
    if latest is None:
        return None
    since = math.ceil(latest - NOON) - NOON
    window = {"since": since, "until": min(since + 1, now_mjd)}
    [(detections, objects, new_objects, new_likely_ia)] = fetch(CHANGES, window)
    brightest = [
        NewObject(objectid, ra, dec, sources, BandMag(band, magnitude(flux, zeropoint)), ia)
        for objectid, ra, dec, sources, band, flux, ia in fetch(BRIGHTEST_NEW, window)
    ]
    return Night(since, window["until"], detections, objects, new_objects, new_likely_ia, brightest)


def count_hot(*, since_mjd: float, until_mjd: float) -> int:
    """How many objects were detected in the window, bounds included; MJD (TAI)."""
    [(count,)] = fetch(HOT_OBJECTS, {"since": since_mjd, "until": until_mjd})
    return int(count)


@dataclass(frozen=True)
class Heard:
    """Messages of a broker, of how many of its classifiers."""

    broker: str
    classifiers: int
    messages: int


@dataclass(frozen=True)
class LatelyHeard:
    """Messages taken in of late: by broker where counting is quick, else about how many."""

    brokers: list[Heard]
    about: int | None = None


def heard_since(moment: datetime) -> LatelyHeard:
    """Messages taken in since then (wall time)."""
    with connection.cursor() as cursor:
        recent = cursor.mogrify(RECENT, {"since": moment}).decode()
    expected = estimate("elasticc2_brokermessage", recent)
    if expected > COUNTED_EXACTLY:
        return LatelyHeard([], about=expected)
    return LatelyHeard([Heard(*row) for row in fetch(HEARD, {"since": moment})])


def fetch(query: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return cursor.fetchall()

"""Light curves: forced photometry of some objects, or of all that are hot, as columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from elasticc2.campaign import HOSTINFO_COLUMNS, NAME
from tom_desc import bulkcopy
from tom_desc.campaigns.models import Campaign

# Nobody reported a spectrum: the documented value of redshift and sncode.
UNKNOWN = -99
HOT_DAYS = 30.0

POINT = [("objectid", "i8"), ("mjd", "f8"), ("band", "S1"), ("flux", "f4"), ("fluxerr", "f4")]
POINTS = """
SELECT diaobject_id, midpointtai, filtername::"char", psflux, psfluxerr
FROM elasticc2_diaforcedsource
WHERE diaobject_id = ANY(%(objectids)s::bigint[]) AND midpointtai <= %(until)s
ORDER BY diaobject_id, midpointtai, diaforcedsource_id"""

OBJECTS = f"""
SELECT diaobject_id, ra, decl, {", ".join(HOSTINFO_COLUMNS)}
FROM elasticc2_diaobject
WHERE diaobject_id = ANY(%(objectids)s::bigint[])
ORDER BY diaobject_id"""

# The latest spectrum says what the object is; one without redshift or class leaves it to those before.
SPECTRA = """
SELECT diaobject_id,
       (array_agg(z ORDER BY mjd DESC, specinfo_id DESC) FILTER (WHERE z IS NOT NULL))[1],
       (array_agg(classid ORDER BY mjd DESC, specinfo_id DESC) FILTER (WHERE classid IS NOT NULL))[1]
FROM elasticc2_spectruminfo
WHERE diaobject_id = ANY(%(objectids)s::bigint[]) AND mjd <= %(until)s
GROUP BY diaobject_id"""

DETECTED = """
SELECT DISTINCT s.diaobject_id
FROM elasticc2_diasource s
WHERE s.midpointtai >= %(since)s AND s.midpointtai <= %(until)s AND s.diaobject_id IS NOT NULL"""
WITH_SNR = """
 AND EXISTS (SELECT FROM elasticc2_diaforcedsource f
             WHERE f.diaobject_id = s.diaobject_id AND f.midpointtai BETWEEN %(since)s AND %(until)s
               AND f.psflux >= %(min_snr)s * f.psfluxerr)"""
WITH_GENTYPE = """
 AND EXISTS (SELECT FROM elasticc2_diaobjecttruth t
             WHERE t.diaobject_id = s.diaobject_id AND t.gentype = ANY(%(gentypes)s::int[]))"""


@dataclass(frozen=True)
class LightCurves:
    """Objects in ascending order of id, and their points, object by object, in ascending time.

    Attributes
    ----------
    objects
        (objectid, ra, decl, host columns ...) of each object; degrees.
    spectra
        Redshift and class of the objects that have a reported spectrum.
    points : structured array
        objectid, mjd (TAI), band, flux, fluxerr (float32, of zeropoint ``zeropoint``).
    bounds : int array, shape (objects + 1,)
        Object i has the points ``bounds[i]`` to ``bounds[i + 1] - 1``.
    zeropoint
        AB magnitude of flux 1; None while nothing is loaded.
    """

    objects: list[tuple[Any, ...]]
    spectra: dict[int, tuple[float | None, int | None]]
    points: NDArray[Any]
    bounds: NDArray[np.int64]
    zeropoint: float | None


def light_curves(
    *, objectids: Sequence[int], until_mjd: float | None, spectra_until_mjd: float
) -> LightCurves:
    """The known ones of these objects, each once, and their points up to ``until_mjd`` (all if None)."""
    # One bound for both: "no limit" is a limit that nothing exceeds.
    until = float("inf") if until_mjd is None else until_mjd
    with connection.cursor() as cursor:
        ids = {"objectids": list(objectids)}
        cursor.execute(OBJECTS, ids)
        objects = cursor.fetchall()
        cursor.execute(SPECTRA, ids | {"until": spectra_until_mjd})
        spectra = {row[0]: row[1:] for row in cursor.fetchall()}
        query = cursor.mogrify(POINTS, {"objectids": [row[0] for row in objects], "until": until})
        points = bulkcopy.read(cursor, query.decode(), POINT)
    known = np.array([row[0] for row in objects], np.int64)
    bounds = np.append(np.searchsorted(points["objectid"], known), len(points))
    zeropoint = Campaign.objects.values_list("zeropoint", flat=True).get(name=NAME)
    return LightCurves(objects, spectra, points, bounds, zeropoint)


def hot_objects(
    *,
    since_mjd: float,
    until_mjd: float,
    min_snr: float | None = None,
    gentypes: Sequence[int] | None = None,
) -> list[int]:
    """Ids of objects of which the TOM has a source in the window, bounds included.

    Parameters
    ----------
    min_snr
        Also asks for a forced point of this S/N in the window.
    gentypes
        Only objects whose true SNANA type is one of these.
    """
    query = (
        DETECTED + (WITH_SNR if min_snr is not None else "") + (WITH_GENTYPE if gentypes is not None else "")
    )
    with connection.cursor() as cursor:
        cursor.execute(
            query,
            {
                "since": since_mjd,
                "until": until_mjd,
                "min_snr": min_snr,
                "gentypes": list(gentypes) if gentypes is not None else None,
            },
        )
        return sorted(row[0] for row in cursor.fetchall())


def with_points(curves: LightCurves) -> list[int]:
    """Which of the objects have a point at all."""
    return np.flatnonzero(np.diff(curves.bounds)).tolist()


def answer(curves: LightCurves, *, rows: Sequence[int], return_format: int, include_hostinfo: bool) -> Any:
    """The documented shape of some of the objects, ready for orjson.

    Format 0: a list of objects with ``photometry`` inside; 1: the same with the points at top level; 2: an
    object of lists, one entry an object, as ``pandas.DataFrame`` takes it.
    """
    photometry = {
        "mjd": np.ascontiguousarray(curves.points["mjd"]),
        "band": curves.points["band"].astype("U1").tolist(),
        "flux": np.ascontiguousarray(curves.points["flux"]),
        "fluxerr": np.ascontiguousarray(curves.points["fluxerr"]),
    }
    entries = [entry(curves, row, photometry, include_hostinfo=include_hostinfo) for row in rows]
    if return_format == 0:
        return entries
    flat = [of_object | of_object.pop("photometry") for of_object in entries]
    if return_format == 1:
        return flat
    keys = ("objectid", "ra", "dec", "zp", "redshift", "sncode", *photometry)
    keys += HOSTINFO_COLUMNS if include_hostinfo else ()
    return {key: [of_object[key] for of_object in flat] for key in keys}


def entry(
    curves: LightCurves, row: int, photometry: dict[str, Any], *, include_hostinfo: bool
) -> dict[str, Any]:
    """One object of format 0."""
    objectid, ra, dec, *host = curves.objects[row]
    start, stop = curves.bounds[row], curves.bounds[row + 1]
    redshift, sncode = curves.spectra.get(objectid, (None, None))
    return {
        "objectid": objectid,
        "ra": ra,
        "dec": dec,
        "zp": curves.zeropoint,
        "redshift": UNKNOWN if redshift is None else redshift,
        "sncode": UNKNOWN if sncode is None else sncode,
        "photometry": {name: values[start:stop] for name, values in photometry.items()},
        **(dict(zip(HOSTINFO_COLUMNS, host, strict=True)) if include_hostinfo else {}),
    }

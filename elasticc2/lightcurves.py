"""Light curves: forced photometry of some objects, or of all that are hot, as columns."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from elasticc2.campaign import HOSTINFO_COLUMNS, NAME
from elasticc2.hotset import HOT_SET
from tom_desc import bulkcopy
from tom_desc.bulkcopy import Buffer

HOT_DAYS = 30.0
# Objects that are read, and answered with, at a time: a large answer never lies in memory whole.
OBJECTS_AT_ONCE = 500

POINT = [("objectid", "i8"), ("mjd", "f8"), ("band", "S1"), ("flux", "f4"), ("fluxerr", "f4")]
POINTS = """
SELECT diaobject_id, midpointtai, filtername::"char", psflux, psfluxerr
FROM elasticc2_diaforcedsource
WHERE diaobject_id = ANY(%(objectids)s::bigint[])
ORDER BY diaobject_id, midpointtai, diaforcedsource_id"""

# Beside every class id that an integer column holds.
NO_CLASS = -1 - 2**31
# One statement, and few fields a row, since each costs: the numbers, the packed light curve (NULL where there
# is none or none to be trusted), the reported spectra (NULL where there are none), and the host's columns.
OBJECTS = f"""
SELECT int8send(o.diaobject_id) || float8send(o.ra) || float8send(o.decl)
           || float8send(coalesce((SELECT zeropoint FROM campaigns_campaign WHERE name = '{NAME}'), 'NaN')),
       p.mjd || p.band || p.flux || p.fluxerr,
       (SELECT string_agg(float8send(mjd) || float4send(coalesce(z, 'NaN'))
                              || int8send(coalesce(classid, {NO_CLASS})), ''
                          ORDER BY mjd, specinfo_id)
        FROM elasticc2_spectruminfo s WHERE s.diaobject_id = o.diaobject_id){{host}}
FROM elasticc2_diaobject o
LEFT JOIN elasticc2_packedlightcurve p
    ON p.diaobject_id = o.diaobject_id
    AND p.diaobject_id <> ALL (ARRAY(SELECT unnest(diaobject_ids) FROM elasticc2_staleobjects))
WHERE o.diaobject_id = ANY(%(objectids)s::bigint[])
ORDER BY o.diaobject_id"""
OBJECT = np.dtype([("objectid", ">i8"), ("ra", ">f8"), ("dec", ">f8"), ("zeropoint", ">f8")])
SPECTRUM = np.dtype([("mjd", ">f8"), ("z", ">f4"), ("classid", ">i8")])
# Where the columns of a packed light curve of n points begin, in units of n, and what they are.
PACKED = {"mjd": (0, ">f8"), "band": (8, "S1"), "flux": (9, ">f4"), "fluxerr": (13, ">f4")}
BYTES_A_POINT = 17

HOT = f"""
WITH {HOT_SET}
SELECT diaobject_id FROM hot s WHERE true"""
WITH_SNR = """
 AND EXISTS (SELECT FROM elasticc2_diaforcedsource f
             WHERE f.diaobject_id = s.diaobject_id AND f.midpointtai BETWEEN %(since)s AND %(until)s
               AND f.psflux >= %(min_snr)s * f.psfluxerr)"""
WITH_GENTYPE = """
 AND EXISTS (SELECT FROM elasticc2_diaobjecttruth t
             WHERE t.diaobject_id = s.diaobject_id AND t.gentype = ANY(%(gentypes)s::int[]))"""


# Redshift and class of objects that have a reported spectrum.
Spectra = dict[int, tuple[np.float32 | None, int | None]]


@dataclass(frozen=True)
class Photometry:
    """Points of several objects in parallel arrays, object by object, in ascending time.

    Attributes
    ----------
    mjd : float64 array
        TAI, days.
    band : bytes array
        One letter.
    flux, fluxerr : float32 arrays
        Of the campaign's zeropoint.
    """

    mjd: NDArray[np.float64]
    band: NDArray[np.bytes_]
    flux: NDArray[np.float32]
    fluxerr: NDArray[np.float32]

    def take(self, rows: NDArray[Any] | slice) -> "Photometry":
        """The points that an index, a mask or a slice names."""
        return Photometry(*(values[rows] for values in vars(self).values()))

    def followed_by(self, other: "Photometry") -> "Photometry":
        """The points of both."""
        both = zip(vars(self).values(), vars(other).values(), strict=True)
        return Photometry(*(np.concatenate(columns) for columns in both))


@dataclass(frozen=True)
class LightCurves:
    """Objects in ascending order of id, and their points.

    Attributes
    ----------
    objects
        (objectid, ra, decl) of each object; degrees.
    hosts
        The values of HOSTINFO_COLUMNS of each object, float32; NaN where NULL. Empty where not asked for.
    spectra
        Redshift and class of the objects that have a reported spectrum.
    points
        Of all objects, one object after the other.
    bounds : int array, shape (objects + 1,)
        Object i has the points ``bounds[i]`` to ``bounds[i + 1] - 1``.
    zeropoint
        AB magnitude of flux 1; None while nothing is loaded.
    """

    objects: list[tuple[int, float, float]]
    hosts: NDArray[np.float32]
    spectra: Spectra
    points: Photometry
    bounds: NDArray[np.int64]
    zeropoint: float | None


def light_curves(
    *,
    objectids: Sequence[int],
    until_mjd: float | None,
    spectra_until: Callable[[], float],
    hostinfo: bool = False,
) -> Iterator[LightCurves]:
    """The known ones of these objects, each once, in ascending order of id, OBJECTS_AT_ONCE at a time.

    No transaction stays open between the pieces. Each object is read as one transaction left it, never half
    of what reveal writes at once.

    Parameters
    ----------
    until_mjd
        Only points up to then, MJD (TAI); all if None.
    spectra_until
        Says up to when spectra count, MJD (TAI); asked only where there are any.
    hostinfo
        Whether the host's columns are wanted.
    """
    ids = sorted(set(objectids))
    for start in range(0, max(len(ids), 1), OBJECTS_AT_ONCE):
        yield piece(ids[start : start + OBJECTS_AT_ONCE], until_mjd, spectra_until, hostinfo=hostinfo)


def piece(
    ids: list[int], until_mjd: float | None, spectra_until: Callable[[], float], *, hostinfo: bool
) -> LightCurves:
    columns = HOSTINFO_COLUMNS if hostinfo else ()
    query = OBJECTS.format(host="".join(f", o.{column}" for column in columns))
    with connection.cursor() as cursor:
        asked = cursor.mogrify(query, {"objectids": ids}).decode()
        numbers, packed, spectra, *hosts = bulkcopy.read_fields(cursor, asked, columns=3 + len(columns))
        objects = np.frombuffer(b"".join(field or b"" for field in numbers), OBJECT)
        points, counts = photometry(cursor, objects["objectid"].astype("i8"), packed)
    if until_mjd is not None:
        points, counts = up_to(until_mjd, points, counts)
    zeropoint = float(objects["zeropoint"][0]) if len(objects) else math.nan
    return LightCurves(
        objects=objects[["objectid", "ra", "dec"]].tolist(),
        hosts=np.stack([floats(values) for values in hosts], axis=1)
        if hosts
        else np.empty((len(objects), 0), np.float32),
        spectra=best_spectra(objects["objectid"].tolist(), spectra, spectra_until),
        points=points,
        bounds=np.append(0, np.cumsum(counts)),
        zeropoint=zeropoint if math.isfinite(zeropoint) else None,
    )


def best_spectra(ids: list[int], fields: Sequence[bytes | None], until: Callable[[], float]) -> Spectra:
    """What the latest spectrum says; one without redshift or class leaves it to those before."""
    reported = {objectid: field for objectid, field in zip(ids, fields, strict=True) if field is not None}
    until_mjd = until() if reported else 0.0
    return {
        objectid: latest(np.frombuffer(field, SPECTRUM), until_mjd) for objectid, field in reported.items()
    }


def latest(spectra: NDArray[Any], until_mjd: float) -> tuple[np.float32 | None, int | None]:
    """Redshift and class of the latest of an object's spectra that have them."""
    seen = spectra[spectra["mjd"] <= until_mjd]
    z = seen["z"][~np.isnan(seen["z"])].astype(np.float32)
    classes = seen["classid"][seen["classid"] != NO_CLASS].tolist()
    return z[-1] if len(z) else None, classes[-1] if classes else None


def floats(fields: Sequence[Buffer | None]) -> NDArray[np.float32]:
    """Fields of float32; NULL is NaN."""
    null = np.array(np.nan, ">f4").tobytes()
    wire = b"".join(null if field is None else field for field in fields)
    return np.frombuffer(wire, ">f4").astype(np.float32)


def photometry(
    cursor: Any, ids: NDArray[np.int64], packed: Sequence[bytes | None]
) -> tuple[Photometry, NDArray[np.int64]]:
    """All points of the objects, and how many each has; from the rows of those that are not packed."""
    points = unpacked([field for field in packed if field is not None])
    there = np.array([field is not None for field in packed], bool)
    counts = np.array([0 if field is None else len(field) // BYTES_A_POINT for field in packed], np.int64)
    if there.all():
        return points, counts
    rows = bulkcopy.read(cursor, cursor.mogrify(POINTS, {"objectids": ids[~there].tolist()}).decode(), POINT)
    owners = np.concatenate([np.repeat(ids, counts), rows["objectid"]])
    points = points.followed_by(Photometry(**{name: rows[name] for name in vars(points)}))
    in_order = np.argsort(owners, kind="stable")
    ends = np.searchsorted(owners[in_order], ids, side="right")
    return points.take(in_order), np.diff(ends, prepend=0)


def unpacked(light_curves: Sequence[bytes]) -> Photometry:
    """The points of packed light curves, one after the other."""
    columns = {}
    counts = [len(packed) // BYTES_A_POINT for packed in light_curves]
    for name, (start, kind) in PACKED.items():
        stop = start + np.dtype(kind).itemsize
        wire = b"".join(
            [packed[start * n : stop * n] for packed, n in zip(light_curves, counts, strict=True)]
        )
        values = np.frombuffer(wire, kind)
        columns[name] = values.astype(values.dtype.newbyteorder("="))
    return Photometry(**columns)


def up_to(mjd: float, points: Photometry, counts: NDArray[np.int64]) -> tuple[Photometry, NDArray[np.int64]]:
    """The points until then, bound included."""
    seen = points.mjd <= mjd
    owners = np.repeat(np.arange(len(counts)), counts)
    return points.take(seen), np.bincount(owners[seen], minlength=len(counts))


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
    query = HOT + (WITH_SNR if min_snr is not None else "") + (WITH_GENTYPE if gentypes is not None else "")
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

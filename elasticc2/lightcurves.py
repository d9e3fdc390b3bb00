"""Light curves: forced photometry of some objects, or of all that are hot, as columns."""

from collections.abc import Iterator, Sequence
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

# A packed light curve of an object that triggers noted is not to be trusted.
OBJECTS = f"""
SELECT o.diaobject_id, o.ra, o.decl,
       (SELECT zeropoint FROM campaigns_campaign WHERE name = '{NAME}'),
       p.mjd, p.band, p.flux, p.fluxerr{{host}}
FROM elasticc2_diaobject o
LEFT JOIN elasticc2_packedlightcurve p
    ON p.diaobject_id = o.diaobject_id
    AND p.diaobject_id <> ALL (ARRAY(SELECT unnest(diaobject_ids) FROM elasticc2_staleobjects))
WHERE o.diaobject_id = ANY(%(objectids)s::bigint[])
ORDER BY o.diaobject_id"""

# The latest spectrum says what the object is; one without redshift or class leaves it to those before.
SPECTRA = """
SELECT diaobject_id,
       (array_agg(z ORDER BY mjd DESC, specinfo_id DESC) FILTER (WHERE z IS NOT NULL))[1],
       (array_agg(classid ORDER BY mjd DESC, specinfo_id DESC) FILTER (WHERE classid IS NOT NULL))[1]
FROM elasticc2_spectruminfo
WHERE diaobject_id = ANY(%(objectids)s::bigint[]) AND mjd <= %(until)s
GROUP BY diaobject_id"""

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
    spectra: dict[int, tuple[float | None, int | None]]
    points: Photometry
    bounds: NDArray[np.int64]
    zeropoint: float | None


def light_curves(
    *,
    objectids: Sequence[int],
    until_mjd: float | None,
    spectra_until_mjd: float,
    hostinfo: bool = False,
) -> LightCurves:
    """The known ones of these objects, each once, and their points up to ``until_mjd`` (all if None).

    Each object is read as one transaction left it, never half of what reveal writes at once.
    """
    with connection.cursor() as cursor:
        ids, (ra, decl, zeropoint), packed, hosts = read_objects(cursor, objectids, hostinfo=hostinfo)
        points, counts = photometry(cursor, ids, packed)
        cursor.execute(SPECTRA, {"objectids": ids.tolist(), "until": spectra_until_mjd})
        spectra = {row[0]: row[1:] for row in cursor.fetchall()}
    if until_mjd is not None:
        points, counts = up_to(until_mjd, points, counts)
    return LightCurves(
        objects=list(zip(ids.tolist(), ra.tolist(), decl.tolist(), strict=True)),
        hosts=np.stack(hosts, axis=1) if hosts else np.empty((len(ids), 0), np.float32),
        spectra=spectra,
        points=points,
        bounds=np.append(0, np.cumsum(counts)),
        zeropoint=float(zeropoint[0]) if np.isfinite(zeropoint[:1]).any() else None,
    )


def read_objects(cursor: Any, objectids: Sequence[int], *, hostinfo: bool) -> tuple[Any, ...]:
    """Ids; position and zeropoint; packed columns; host columns, if asked for."""
    columns = HOSTINFO_COLUMNS if hostinfo else ()
    query = OBJECTS.format(host="".join(f", o.{column}" for column in columns))
    ids, ra, decl, zeropoint, *rest = bulkcopy.read_fields(
        cursor, cursor.mogrify(query, {"objectids": list(objectids)}).decode(), columns=8 + len(columns)
    )
    doubles = tuple(numbers(values, "f8") for values in (ra, decl, zeropoint))
    return numbers(ids, "i8"), doubles, rest[:4], [numbers(values, "f4") for values in rest[4:]]


def numbers(fields: Sequence[Buffer | None], kind: str) -> NDArray[Any]:
    """Fields of one or many big-endian numbers in one array; NULL is NaN."""
    wire = np.dtype(kind).newbyteorder(">")
    null = np.array(np.nan, wire).tobytes() if wire.kind == "f" else b""
    return np.frombuffer(b"".join(null if field is None else field for field in fields), wire).astype(kind)


def photometry(
    cursor: Any, ids: NDArray[np.int64], packed: Sequence[Sequence[Buffer | None]]
) -> tuple[Photometry, NDArray[np.int64]]:
    """All points of the objects, and how many each has; from the rows of those that are not packed."""
    mjd, band, flux, fluxerr = ([field for field in column if field is not None] for column in packed)
    there = np.array([field is not None for field in packed[0]], bool)
    points = Photometry(
        numbers(mjd, "f8"), np.frombuffer(b"".join(band), "S1"), numbers(flux, "f4"), numbers(fluxerr, "f4")
    )
    counts = np.zeros(len(ids), np.int64)
    counts[there] = [len(field) for field in band]
    if there.all():
        return points, counts
    rows = bulkcopy.read(cursor, cursor.mogrify(POINTS, {"objectids": ids[~there].tolist()}).decode(), POINT)
    owners = np.concatenate([np.repeat(ids, counts), rows["objectid"]])
    points = points.followed_by(Photometry(**{name: rows[name] for name in vars(points)}))
    in_order = np.argsort(owners, kind="stable")
    ends = np.searchsorted(owners[in_order], ids, side="right")
    return points.take(in_order), np.diff(ends, prepend=0)


def up_to(mjd: float, points: Photometry, counts: NDArray[np.int64]) -> tuple[Photometry, NDArray[np.int64]]:
    """The points until then, bound included."""
    seen = points.mjd <= mjd
    owners = np.repeat(np.arange(len(counts)), counts)
    return points.take(seen), np.bincount(owners[seen], minlength=len(counts))


def in_pieces(
    *,
    objectids: Sequence[int],
    until_mjd: float | None,
    spectra_until_mjd: float,
    hostinfo: bool,
) -> Iterator[LightCurves]:
    """The same, in ascending order of id, OBJECTS_AT_ONCE at a time; no transaction stays open in between."""
    ids = sorted(set(objectids))
    for start in range(0, max(len(ids), 1), OBJECTS_AT_ONCE):
        yield light_curves(
            objectids=ids[start : start + OBJECTS_AT_ONCE],
            until_mjd=until_mjd,
            spectra_until_mjd=spectra_until_mjd,
            hostinfo=hostinfo,
        )


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

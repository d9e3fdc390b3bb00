"""All that the TOM knows of one object, as its page shows it. None stands for what there is not."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from elasticc2.lightcurves import POINT, LightCurves, Photometry
from elasticc2.models import DiaObject, DiaObjectTruth, GentypeOfClassId, SpectrumInfo
from elasticc2.opinions import class_names
from tom_desc import bulkcopy, photometry, sky
from tom_desc.mjd import TAI_MINUS_UTC_S, utc
from tom_desc.snana.columns import BANDS

SOURCES = """
SELECT diaobject_id, midpointtai, filtername::"char", psflux, psfluxerr
FROM elasticc2_diasource
WHERE diaobject_id = %s
ORDER BY midpointtai, diasource_id"""

# The year 2132; later times are typing errors.
MAX_MJD = 100_000.0
# How SNANA writes that a host, or one of its quantities, is missing (spec 0).
NO_MAG, NO_POSITION, NO_REDSHIFT = 999, -999, -9


@dataclass(frozen=True)
class Points:
    """A light curve in ascending time: parallel arrays, one entry a point.

    Attributes
    ----------
    band
        One letter, bytes.
    flux, fluxerr : float32 arrays
        Of the campaign's zeropoint.
    mag, magerr, limit
        AB; NaN where there is no magnitude. ``limit`` is that of a flux of three sigma.
    detected
        Whether the TOM has a source (alert) of that time and band; the others are forced photometry only.
    """

    mjd: NDArray[np.float64]
    band: NDArray[np.bytes_]
    flux: NDArray[np.float32]
    fluxerr: NDArray[np.float32]
    mag: NDArray[np.float64]
    magerr: NDArray[np.float64]
    limit: NDArray[np.float64]
    significant: NDArray[np.bool_]
    detected: NDArray[np.bool_]


def points_of(objectid: int, curves: LightCurves) -> Points:
    """The forced photometry of ``curves``, and the object's sources that have no forced point."""
    with connection.cursor() as cursor:
        rows = bulkcopy.read(cursor, cursor.mogrify(SOURCES, (objectid,)).decode(), POINT)
    sources = Photometry(**{name: rows[name] for name in vars(curves.points)})
    known, measured = set(times_and_bands(sources)), set(times_and_bands(curves.points))
    alone = np.array([key not in measured for key in times_and_bands(sources)], bool)
    points = curves.points.followed_by(sources.take(alone))
    points = points.take(np.argsort(points.mjd, kind="stable"))
    zeropoint = math.nan if curves.zeropoint is None else curves.zeropoint
    mag, magerr = photometry.magnitudes(points.flux, points.fluxerr, zeropoint=zeropoint)
    return Points(
        **vars(points),
        mag=mag,
        magerr=magerr,
        limit=photometry.limits(points.fluxerr, zeropoint=zeropoint),
        significant=photometry.is_significant(points.flux, points.fluxerr),
        detected=np.array([key in known for key in times_and_bands(points)], bool),
    )


def times_and_bands(points: Photometry) -> list[tuple[float, bytes]]:
    return list(zip(points.mjd.tolist(), points.band.tolist(), strict=True))


def plot_data(points: Points) -> dict[str, Any]:
    """The points for the plot module, ready for JSON: null for what is no number."""
    return {
        "tai_minus_utc_s": TAI_MINUS_UTC_S,
        "mjd": points.mjd.tolist(),
        "band": list(points.band.tobytes().decode("latin-1")),
        "flux": shortest(points.flux),
        "fluxerr": shortest(points.fluxerr),
        "mag": [rounded(value, 4) for value in points.mag],
        "magerr": [rounded(value, 4) for value in points.magerr],
        "limit": [rounded(value, 4) for value in points.limit],
        "significant": points.significant.tolist(),
        "detected": points.detected.tolist(),
    }


def shortest(values: NDArray[np.float32]) -> list[float | None]:
    """float32 as the shortest decimals that mean the same, as the API gives them."""
    return [float(str(value)) if np.isfinite(value) else None for value in values]


def rounded(value: float, places: int) -> float | None:
    return round(float(value), places) if math.isfinite(value) else None


@dataclass(frozen=True)
class TableRow:
    """A point as the table of all points shows it: in words, since templates take long over numbers."""

    mjd: str
    date: str
    band: str
    flux: str
    mag: str
    limit: str
    detected: bool


def table_rows(points: Points) -> list[TableRow]:
    """One a point: a magnitude where the flux is significant, else its limit; empty where there is none."""
    bright = points.significant & np.isfinite(points.mag)
    limited = ~points.significant & np.isfinite(points.limit)
    return [
        TableRow(
            mjd=f"{points.mjd[i]:.4f}",
            date=date(float(points.mjd[i])),
            band=points.band[i].decode("latin-1"),
            flux=with_error(points.flux[i], points.fluxerr[i]),
            mag=f"{points.mag[i]:.3f} ± {points.magerr[i]:.3f}" if bright[i] else "",
            limit=f"{points.limit[i]:.2f}" if limited[i] else "",
            detected=bool(points.detected[i]),
        )
        for i in range(len(points.mjd))
    ]


def date(mjd: float) -> str:
    """UTC of an MJD (TAI); empty where that is no time of any survey."""
    return f"{utc(mjd):%Y-%m-%d %H:%M}" if 0 < mjd < MAX_MJD else ""


def with_error(value: float, error: float) -> str:
    return f"{in_digits_of(value, error)} ± {in_digits_of(error, error)}"


def in_digits_of(value: float, error: float) -> str:
    """The value to the place of the error's second digit."""
    known = math.isfinite(error) and error > 0
    places = 1 - math.floor(math.log10(error)) if known else 3
    return f"{value:.{max(places, 0)}f}"


def magnitude(flux: float | None, zeropoint: float | None) -> float | None:
    """AB magnitude of one flux, or None where it has none."""
    if flux is None or zeropoint is None:
        return None
    return rounded(float(photometry.magnitudes(flux, 0.0, zeropoint=zeropoint)[0]), 4)


@dataclass(frozen=True)
class Position:
    """A place on the sky in the forms that other services take.

    Attributes
    ----------
    degrees
        Right ascension and declination, to 0.004".
    sexagesimal
        Hours and degrees, as SIMBAD and NED take them.
    designation
        J2000 name. Truncated, not rounded, as the IAU asks (Dictionary of Nomenclature, specifications 3.2).
    """

    degrees: str
    sexagesimal: str
    designation: str


def position(ra: float, dec: float) -> Position | None:
    """The position of (ra, dec), degrees; None where they are none."""
    if not sky.position(ra, dec):
        return None
    # Rounded far beyond what is kept, so that 12h that is stored as 179.9999999999 is not 11:59:59.99.
    hours, degrees = sky.right_ascension(ra, places=6), sky.declination(dec, places=6)
    return Position(
        degrees=f"{ra:.6f} {dec:.6f}",
        sexagesimal=sky.position(ra, dec),
        designation=f"J{hours[:11]}{degrees[:11]}".replace(":", ""),
    )


@dataclass(frozen=True)
class Host:
    """A host candidate; position in degrees, separation in arcsec, magnitudes (band, AB, error)."""

    ra: float | None
    dec: float | None
    sexagesimal: str
    separation: float | None
    zspec: float | None
    zspec_err: float | None
    zphot: float | None
    zphot_err: float | None
    mags: list[tuple[str, float, float | None]]


def hosts(of_object: DiaObject) -> list[Host]:
    """The host candidates that there are, the likelier first."""
    found = [host(of_object, name) for name in ("hostgal", "hostgal2")]
    return [candidate for candidate in found if candidate is not None]


def host(of_object: DiaObject, prefix: str) -> Host | None:
    def quantity(name: str, missing: int) -> float | None:
        value = getattr(of_object, f"{prefix}_{name}")
        return None if value is None or value == missing or not math.isfinite(value) else float(value)

    ra, dec = quantity("ra", NO_POSITION), quantity("dec", NO_POSITION)
    if ra is None or dec is None:
        return None
    mags = [
        (band, quantity(f"mag_{band.lower()}", NO_MAG), quantity(f"magerr_{band.lower()}", NO_MAG))
        for band in BANDS
    ]
    redshifts = {name: quantity(name, NO_REDSHIFT) for name in ("zspec", "zspec_err", "zphot", "zphot_err")}
    return Host(
        ra=ra,
        dec=dec,
        sexagesimal=sky.position(ra, dec),
        separation=quantity("snsep", NO_REDSHIFT),
        mags=[(band, mag, magerr) for band, mag, magerr in mags if mag is not None],
        **redshifts,
    )


@dataclass(frozen=True)
class Spectrum:
    """A spectrum that somebody reported."""

    facility: str
    mjd: float
    z: float | None
    classification: str


def spectra(objectid: int, *, until_mjd: float) -> list[Spectrum]:
    """The object's reported spectra up to then, the latest first."""
    rows = SpectrumInfo.objects.filter(diaobject_id=objectid, mjd__lte=until_mjd)
    return reported(rows.order_by("-mjd", "-specinfo_id"))


def reported(rows: Iterable[SpectrumInfo]) -> list[Spectrum]:
    names = class_names()
    return [
        Spectrum(
            facility=row.facility or "",
            mjd=row.mjd,
            z=row.z,
            classification="" if row.classid is None else f"{names.get(row.classid, '')} ({row.classid})",
        )
        for row in rows
    ]


@dataclass(frozen=True)
class Truth:
    """What the simulation knows of the object."""

    gentype: int
    description: str
    z: float
    peak_mjd: float
    peak_mags: list[tuple[str, float]]


def truth(objectid: int) -> Truth | None:
    """The truth; the caller has asked whether the user may see it."""
    row = DiaObjectTruth.objects.filter(pk=objectid).first()
    if row is None:
        return None
    names = GentypeOfClassId.objects.filter(gentype=row.gentype).values_list("description", flat=True)
    mags = [(band, getattr(row, f"peakmag_{band.lower()}")) for band in BANDS]
    return Truth(
        gentype=row.gentype,
        description=names.first() or "",
        z=row.zcmb,
        peak_mjd=row.peakmjd,
        # SNANA writes 99 or 999 where the model has no flux.
        peak_mags=[(band, mag) for band, mag in mags if mag < 90],
    )

"""Survey files to columns: the first step of loading, without a database.

An SNANA survey is pairs of FITS files, HEAD (one row per object) and PHOT (one row per observation, the
objects one after the other with a separator row between them), and a text table DUMP of the simulated truth.
"""

import gzip
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tom_desc.snana.columns import BANDS, NULLABLE_TRUTH_COLUMNS, OPTIONAL_OBJECT_COLUMNS, TRUTH_COLUMNS
from tom_desc.snana.fits_table import GZIP_MAGIC, BadSurveyFile, read_fits_table

__all__ = ["BadSurveyFile", "SurveyFile", "read_survey_file", "read_truth"]

MAX_SOURCES_PER_OBJECT = 100_000
# More points than this make an object one of a deep drilling field.
DDF_POINTS = 1000
NO_PHOTOMETRY = [("MJD", "f8"), ("BAND", "S2"), ("PHOTFLAG", "i4"), ("FLUXCAL", "f4"), ("FLUXCALERR", "f4")]
LAST_MJD = 100_000.0
UNDEFINED = ("NULL", "nan", "NaN", "None")

Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class SurveyFile:
    """One HEAD/PHOT pair as native-endian columns.

    ``objects`` has the names of ``columns.OBJECT_COLUMNS``; a column that the file does not have is None,
    NULL for every object. ``photometry`` has diaforcedsource_id, midpointtai (MJD), filtername ('S1'), psflux
    and psfluxerr (float32, scaled to the alert zeropoint), diaobject_id, detected (bool), snr (float32), ra,
    decl (of the object, degrees), in the order of the objects and, for each, of the file.
    """

    objects: dict[str, NDArray[Any] | None]
    photometry: Columns


def read_survey_file(
    head: Path,
    *,
    max_sources_per_object: int = MAX_SOURCES_PER_OBJECT,
    photflag_detect: int = 4096,
    snana_zeropoint: float = 27.5,
    alert_zeropoint: float = 31.4,
) -> SurveyFile:
    """Read a HEAD file and its PHOT file. Numbers stay what the files hold, SNANA's sentinels included.

    A point's id is ``SNID * max_sources_per_object`` plus its place in its object, from 0. Fluxes are
    multiplied by 10^((alert_zeropoint - snana_zeropoint)/2.5) in float32. Raises BadSurveyFile.
    """
    table = read_fits_table(head)
    _require(head, table.rows, "SNID", "RA", "DEC", "PTROBS_MIN", "PTROBS_MAX")
    objects = _objects(head, table.rows)
    _check_ids(head, objects["diaobject_id"], max_sources_per_object)
    # int64 before the subtraction: the file's pointers are 32 bits wide.
    starts = table.rows["PTROBS_MIN"].astype(np.int64) - 1
    counts = table.rows["PTROBS_MAX"].astype(np.int64) - starts
    _check_counts(head, objects["diaobject_id"], counts, max_sources_per_object)
    objects["isddf"] = counts > DDF_POINTS
    optional = {ours: _column(table.rows, theirs, kind) for ours, theirs, kind in OPTIONAL_OBJECT_COLUMNS}
    phot, rows = _photometry_rows(head, table.header.get("PHOTFILE", ""), starts, counts)
    factor = np.float32(10 ** ((alert_zeropoint - snana_zeropoint) / 2.5))
    photometry = _identified(objects, counts, max_sources_per_object) | _measured(
        phot, rows, factor, photflag_detect
    )
    return SurveyFile({**objects, **optional}, photometry)


def _require(path: Path, rows: NDArray[Any], *names: str) -> None:
    missing = [name for name in names if name not in (rows.dtype.names or ())]
    if missing:
        raise BadSurveyFile(path, f"no column {', '.join(missing)}")


def _native(rows: NDArray[Any], name: str, kind: str) -> NDArray[Any]:
    return rows[name].astype(kind)


def _column(rows: NDArray[Any], name: str, kind: str) -> NDArray[Any] | None:
    return _native(rows, name, kind) if name in (rows.dtype.names or ()) else None


def _objects(head: Path, rows: NDArray[Any]) -> Columns:
    columns = {"diaobject_id": _ids(head, rows["SNID"])}
    for ours, theirs in (("ra", "RA"), ("decl", "DEC")):
        columns[ours] = _native(rows, theirs, "f8")
        if not np.isfinite(columns[ours]).all():
            raise BadSurveyFile(head, f"{theirs} is not a number for some object")
    return columns


def _ids(head: Path, snid: NDArray[Any]) -> NDArray[np.int64]:
    if snid.dtype.kind == "i":
        return snid.astype(np.int64)
    text = np.strings.strip(snid)
    wrong = ~np.strings.isdigit(text) | (np.strings.str_len(text) > 18)
    if wrong.any():
        raise BadSurveyFile(
            head, f"SNID {text[wrong][0].decode('latin-1')!r} is not an integer that can be an id"
        )
    return text.astype(np.int64)


def _check_ids(head: Path, ids: NDArray[np.int64], max_sources: int) -> None:
    limit = np.iinfo(np.int64).max // max_sources
    wrong = ids[(ids < 0) | (ids >= limit)]
    if wrong.size:
        raise BadSurveyFile(head, f"SNID {wrong[0]} times {max_sources} does not fit into 64 bits")
    ordered = np.sort(ids)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    if twice.size:
        raise BadSurveyFile(head, f"SNID {twice[0]} is there twice")


def _check_counts(head: Path, ids: NDArray[np.int64], counts: NDArray[np.int64], max_sources: int) -> None:
    if (counts < 0).any():
        raise BadSurveyFile(head, f"object {ids[counts < 0][0]} has PTROBS_MAX below PTROBS_MIN")
    if (counts > max_sources).any():
        many = counts.argmax()
        raise BadSurveyFile(head, f"object {ids[many]} has {counts[many]} points, more than {max_sources}")


def _photometry_rows(
    head: Path, named: str, starts: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[Path, NDArray[Any]]:
    """The PHOT file and its rows in the order of the objects, separator rows left out."""
    if not len(counts):
        return head, np.empty(0, NO_PHOTOMETRY)
    phot = _photometry_path(head, named)
    rows = read_fits_table(phot).rows
    _require(phot, rows, "MJD", "BAND", "PHOTFLAG", "FLUXCAL", "FLUXCALERR")
    _check_pointers(head, starts, starts + counts, len(rows))
    return phot, rows[np.repeat(starts - _places(counts), counts) + np.arange(counts.sum())]


def _photometry_path(head: Path, named: str) -> Path:
    names = [Path(named).name] if named else []
    names.append("PHOT".join(head.name.rsplit("HEAD", 1)))
    for name in names:
        for path in (head.with_name(name), head.with_name(name + ".gz")):
            if path != head and path.is_file():
                return path
    raise BadSurveyFile(head, f"no PHOT file {' or '.join(dict.fromkeys(names))} beside it")


def _check_pointers(head: Path, starts: NDArray[np.int64], stops: NDArray[np.int64], rows: int) -> None:
    pointing = stops > starts
    starts, stops = starts[pointing], stops[pointing]
    if (starts < 0).any() or (stops > rows).any():
        raise BadSurveyFile(head, f"PTROBS_MIN, PTROBS_MAX point outside the {rows} rows of the PHOT file")
    order = np.argsort(starts)
    if (starts[order][1:] < stops[order][:-1]).any():
        raise BadSurveyFile(head, "PTROBS_MIN, PTROBS_MAX of two objects overlap")


def _places(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where the rows of each object start when the objects follow each other without gaps."""
    return np.cumsum(counts) - counts


def _identified(objects: Columns, counts: NDArray[np.int64], max_sources: int) -> Columns:
    columns = {name: np.repeat(objects[name], counts) for name in ("diaobject_id", "ra", "decl")}
    within = np.arange(counts.sum()) - np.repeat(_places(counts), counts)
    columns["diaforcedsource_id"] = columns["diaobject_id"] * max_sources + within
    return columns


def _measured(phot: Path, rows: NDArray[Any], factor: np.float32, photflag_detect: int) -> Columns:
    band = _bands(phot, rows["BAND"])
    mjd = _native(rows, "MJD", "f8")
    # Anything else is no time, and whoever shows it as a date would fail.
    if not ((mjd > 0) & (mjd < LAST_MJD)).all():
        raise BadSurveyFile(phot, f"MJD is not a number between 0 and {LAST_MJD:g} in some row")
    flux, error = (_scaled(phot, rows, name, factor) for name in ("FLUXCAL", "FLUXCALERR"))
    if not (error > 0).all():
        raise BadSurveyFile(phot, "FLUXCALERR is not positive in some row")
    return {
        "midpointtai": mjd,
        "filtername": band,
        "psflux": flux,
        "psfluxerr": error,
        "snr": flux / error,
        "detected": (_native(rows, "PHOTFLAG", "i4") & photflag_detect) != 0,
    }


def _scaled(phot: Path, rows: NDArray[Any], name: str, factor: np.float32) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        values = _native(rows, name, "f4") * factor
    if not np.isfinite(values).all():
        raise BadSurveyFile(phot, f"{name} is not a number, or too large for float32, in some row")
    return values


def _bands(phot: Path, names: NDArray[Any]) -> NDArray[np.bytes_]:
    """The one non-blank character of each padded band name."""
    characters = np.ascontiguousarray(names).view(np.uint8).reshape(len(names), names.dtype.itemsize)
    blank = (characters == ord(" ")) | (characters == 0)
    band = np.where(blank, 0, characters).max(axis=1, initial=0)
    wrong = ((~blank).sum(axis=1) != 1) | ~np.isin(band, np.frombuffer(BANDS.encode(), np.uint8))
    if wrong.any():
        name = bytes(names[wrong][0]).decode("latin-1").strip()
        raise BadSurveyFile(phot, f"BAND {name!r} is not one of {BANDS}")
    return band.view("S1")


def read_truth(dump: Path) -> dict[str, NDArray[Any]]:
    """The truth table of a DUMP file, by our column names.

    The five columns that may be NULL are masked arrays where the file has no such column or no value. Raises
    BadSurveyFile.
    """
    names, lines = _dump_lines(dump)
    missing = [n for ours, n, _ in TRUTH_COLUMNS if n not in names and ours not in NULLABLE_TRUTH_COLUMNS]
    if missing:
        raise BadSurveyFile(dump, f"no column {', '.join(missing)}")
    text = _dump_table(dump, names, lines)
    truth = {ours: _truth_column(dump, text, ours, name, kind) for ours, name, kind in TRUTH_COLUMNS}
    ids, counts = np.unique(truth["diaobject_id"], return_counts=True)
    if (counts > 1).any():
        raise BadSurveyFile(dump, f"CID {ids[counts > 1][0]} is there twice")
    return truth


def _dump_lines(dump: Path) -> tuple[list[str], list[str]]:
    try:
        content = dump.read_bytes()
    except FileNotFoundError as problem:
        raise BadSurveyFile(dump, "no such file") from problem
    try:
        text = (gzip.decompress(content) if content.startswith(GZIP_MAGIC) else content).decode()
    except (EOFError, OSError, ValueError) as problem:
        raise BadSurveyFile(dump, f"unreadable ({problem})") from problem
    lines = text.splitlines()
    header = [line.split()[1:] for line in lines if line.startswith("VARNAMES:")]
    if len(header) != 1:
        raise BadSurveyFile(dump, f"{len(header)} VARNAMES lines, not one")
    return header[0], [line[len("SN:") :] for line in lines if line.startswith("SN:")]


def _dump_table(dump: Path, names: list[str], lines: list[str]) -> dict[str, NDArray[Any]]:
    if not lines:
        return {name: np.array([], "S1") for name in names}
    try:
        table = np.loadtxt(io.StringIO("\n".join(lines)), "S", comments=None, ndmin=2)
    except ValueError as problem:
        raise BadSurveyFile(dump, f"rows of unequal length ({problem})") from problem
    if table.shape[1] != len(names):
        raise BadSurveyFile(dump, f"rows of {table.shape[1]} values under {len(names)} VARNAMES")
    return {name: table[:, place] for place, name in enumerate(names)}


def _truth_column(dump: Path, text: dict[str, NDArray[Any]], ours: str, name: str, kind: str) -> NDArray[Any]:
    if name not in text:
        return np.ma.masked_all(len(text["CID"]), kind)
    values = text[name]
    nullable = ours in NULLABLE_TRUTH_COLUMNS
    undefined = np.isin(values, np.array(UNDEFINED, "S")) if nullable else np.zeros(len(values), bool)
    try:
        # Floats go through float64, as every other reader takes them; whole numbers never pass through a
        # float.
        wide = np.where(undefined, b"0", values).astype("i8" if kind[0] == "i" else "f8")
    except (ValueError, OverflowError) as problem:
        raise BadSurveyFile(dump, f"column {name}: {problem}") from problem
    numbers = _narrowed(dump, name, wide, kind)
    return np.ma.masked_array(numbers, undefined) if nullable else numbers


def _narrowed(dump: Path, name: str, wide: NDArray[Any], kind: str) -> NDArray[Any]:
    with np.errstate(over="ignore", invalid="ignore"):
        numbers = wide.astype(kind)
    fits = np.isfinite(numbers).all() if kind[0] == "f" else (numbers == wide).all()
    if not fits:
        raise BadSurveyFile(dump, f"column {name} has no value, or one too large, in some row")
    return numbers

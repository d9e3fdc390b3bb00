"""Survey files as SNANA writes them: HEAD and PHOT FITS pairs, DUMP, LIST and README.

Written without dates, so that the same values are the same bytes.
"""

import gzip
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from tom_desc.snana.columns import BANDS, QUANTILES, TRUTH_COLUMNS

CODE = "desc-tom simulate_snana"
PHOTFLAG_DETECT = 4096
# The first detection that triggers also carries this bit.
PHOTFLAG_TRIGGER = 2048
SEPARATOR_MJD = -777.0

Value = float | int | str
Row = Mapping[str, Value]
HeadColumn = tuple[str, str, Value]


def _bands(prefix: str, default: float) -> list[HeadColumn]:
    return [(f"{prefix}_{band}", "1E", default) for band in BANDS]


def _quantiles(prefix: str) -> list[HeadColumn]:
    return [(f"{prefix}_ZPHOT_Q{percent:03d}", "1E", -9.0) for percent in QUANTILES]


def _host(prefix: str) -> list[HeadColumn]:
    """Columns of a host candidate up to its quantiles, with what SNANA writes where there is none."""
    unknown = ("LOGMASS_ERR", "LOGSFR", "LOGSFR_ERR", "LOGsSFR", "LOGsSFR_ERR", "COLOR", "COLOR_ERR")
    return [
        (f"{prefix}_OBJID", "1K", 0),
        (f"{prefix}_FLAG", "1I", 0),
        *((f"{prefix}_{name}", "1E", -9.0) for name in ("PHOTOZ", "PHOTOZ_ERR", "SPECZ", "SPECZ_ERR")),
        (f"{prefix}_RA", "1D", -999.0),
        (f"{prefix}_DEC", "1D", -999.0),
        (f"{prefix}_SNSEP", "1E", -9.0),
        (f"{prefix}_DDLR", "1E", -9.0),
        *([("HOSTGAL_CONFUSION", "1E", -99.0)] if prefix == "HOSTGAL" else []),
        (f"{prefix}_LOGMASS", "1E", -9999.0),
        *((f"{prefix}_{name}", "1E", -9999.0) for name in unknown),
        (f"{prefix}_ELLIPTICITY", "1E", -9999.0),
        (f"{prefix}_OBJID2", "1K", 0),
        (f"{prefix}_SQRADIUS", "1E", -9999.0),
        (f"{prefix}_OBJID_UNIQUE", "1K", 0),
    ]


def head_columns(*, quantiles: bool) -> list[HeadColumn]:
    """Name, FITS format and default of every HEAD column, in SNANA's order."""
    return [
        *_IDENTITY,
        *_host("HOSTGAL"),
        *(_quantiles("HOSTGAL") if quantiles else []),
        *_bands("HOSTGAL_MAG", 999.0),
        *_bands("HOSTGAL_MAGERR", 999.0),
        *_host("HOSTGAL2"),
        *_bands("HOSTGAL2_MAG", 999.0),
        *_bands("HOSTGAL2_MAGERR", 999.0),
        *(_quantiles("HOSTGAL2") if quantiles else []),
        *_bands("HOSTGAL_SB_FLUXCAL", -999.0),
        *_SIMULATED,
        *_bands("SIM_PEAKMAG", 99.0),
        *([] if quantiles else _bands("SIM_TEMPLATEMAG", 99.0)),
        *_bands("SIM_EXPOSURE", 1.0),
        ("SIM_SUBSAMPLE_INDEX", "1I", -9),
    ]


_IDENTITY: list[HeadColumn] = [
    ("SNID", "16A", ""),
    ("IAUC", "16A", "NULL"),
    ("FAKE", "1I", 2),
    ("RA", "1D", -9.0),
    ("DEC", "1D", -9.0),
    ("PIXSIZE", "1E", 0.2),
    ("NXPIX", "1I", -9),
    ("NYPIX", "1I", -9),
    ("SNTYPE", "1J", -9),
    ("NOBS", "1J", 0),
    ("PTROBS_MIN", "1J", 0),
    ("PTROBS_MAX", "1J", 0),
    ("MWEBV", "1E", 0.0),
    ("MWEBV_ERR", "1E", 0.0),
    ("REDSHIFT_HELIO", "1E", -9.0),
    ("REDSHIFT_HELIO_ERR", "1E", -9.0),
    ("REDSHIFT_FINAL", "1E", -9.0),
    ("REDSHIFT_FINAL_ERR", "1E", -9.0),
    ("VPEC", "1E", 0.0),
    ("VPEC_ERR", "1E", 0.0),
    ("HOSTGAL_NMATCH", "1I", 0),
    ("HOSTGAL_NMATCH2", "1I", 0),
]
_SIMULATED: list[HeadColumn] = [
    ("PEAKMJD", "1E", -9.0),
    ("MJD_TRIGGER", "1E", -9.0),
    ("MJD_DETECT_FIRST", "1E", -9.0),
    ("MJD_DETECT_LAST", "1E", -9.0),
    ("SEARCH_TYPE", "1J", -9),
    ("SIM_MODEL_NAME", "32A", ""),
    ("SIM_MODEL_INDEX", "1I", 0),
    ("SIM_TYPE_INDEX", "1I", 0),
    ("SIM_TYPE_NAME", "8A", ""),
    ("SIM_TEMPLATE_INDEX", "1J", 0),
    ("SIM_LIBID", "1J", 0),
    ("SIM_NGEN_LIBID", "1J", 1),
    ("SIM_NOBS_UNDEFINED", "1J", 0),
    ("SIM_SEARCHEFF_MASK", "1J", 1),
    ("SIM_REDSHIFT_HELIO", "1E", 0.0),
    ("SIM_REDSHIFT_CMB", "1E", 0.0),
    ("SIM_REDSHIFT_HOST", "1E", 0.0),
    ("SIM_REDSHIFT_FLAG", "1I", 1),
    ("SIM_VPEC", "1E", 0.0),
    ("SIM_HOSTLIB_GALID", "1K", -9),
    ("SIM_DLMU", "1E", 0.0),
    ("SIM_LENSDMU", "1E", 0.0),
    ("SIM_RA", "1D", -9.0),
    ("SIM_DEC", "1D", -9.0),
    ("SIM_MWEBV", "1E", 0.0),
    ("SIM_PEAKMJD", "1E", -9.0),
    ("SIM_MJD_EXPLODE", "1E", -9.0),
    ("SIM_MAGSMEAR_COH", "1E", 0.0),
    ("SIM_AV", "1E", -9.0),
    ("SIM_RV", "1E", -9.0),
]
# Name, FITS format, numpy type, what a separator row holds.
PHOT_COLUMNS: tuple[tuple[str, str, str, Value], ...] = (
    ("MJD", "1D", "f8", SEPARATOR_MJD),
    ("BAND", "2A", "S2", "-"),
    ("CCDNUM", "1I", "i2", -9),
    ("FIELD", "12A", "S12", "XXXX"),
    ("PHOTFLAG", "1J", "i4", 0),
    ("PHOTPROB", "1E", "f4", 0.0),
    ("FLUXCAL", "1E", "f4", -777.0),
    ("FLUXCALERR", "1E", "f4", -777.0),
    ("PSF_SIG1", "1E", "f4", -9.0),
    ("PSF_SIG2", "1E", "f4", 0.0),
    ("PSF_RATIO", "1E", "f4", 0.0),
    ("SKY_SIG", "1E", "f4", -9.0),
    ("SKY_SIG_T", "1E", "f4", 0.0),
    ("RDNOISE", "1E", "f4", -9.0),
    ("ZEROPT", "1E", "f4", -9.0),
    ("ZEROPT_ERR", "1E", "f4", 0.0),
    ("GAIN", "1E", "f4", -9.0),
    ("XPIX", "1E", "f4", -9.0),
    ("YPIX", "1E", "f4", -9.0),
    ("SIM_FLUXCAL_HOSTERR", "1E", "f4", 0.0),
    ("SIM_MAGOBS", "1E", "f4", 99.0),
)
PHOT_TYPE = np.dtype([(name, kind) for name, _, kind, _ in PHOT_COLUMNS])
SEPARATOR = np.array([tuple(value for *_, value in PHOT_COLUMNS)], PHOT_TYPE)


def write_pair(
    directory: Path, stem: str, heads: Sequence[Row], photometry: Sequence[NDArray[Any]], *, quantiles: bool
) -> None:
    """Write ``<stem>_HEAD.FITS.gz`` and ``<stem>_PHOT.FITS.gz``; the pointers into PHOT are made here."""
    counts = np.array([len(rows) for rows in photometry], dtype=np.int64)
    starts = np.cumsum(counts + 1) - counts
    pointed = [
        {**head, "NOBS": int(count), "PTROBS_MIN": int(start), "PTROBS_MAX": int(start + count - 1)}
        for head, start, count in zip(heads, starts, counts, strict=True)
    ]
    primary = _primary(stem, quantiles=quantiles)
    rows = np.concatenate(
        [np.empty(0, PHOT_TYPE), *(part for rows in photometry for part in (rows, SEPARATOR))]
    )
    _write(directory / f"{stem}_PHOT.FITS.gz", primary, "Photometry", _phot_table(rows))
    for key in [key for key in primary if key.startswith("SIM_")]:
        del primary[key]
    _write(directory / f"{stem}_HEAD.FITS.gz", primary, "Header", _head_table(pointed, quantiles=quantiles))


def _primary(stem: str, *, quantiles: bool) -> fits.Header:
    header = fits.Header()
    header["HIERARCH CODE_IVERSION"] = 22
    header["HIERARCH SNANA_VERSION"] = CODE
    header["SURVEY"] = "LSST"
    header["HIERARCH SUBSURVEY_FLAG"] = 0
    header["HIERARCH MWEBV_APPLYFLAG"] = 0
    header["HIERARCH PHOTFLAG_DETECT"] = PHOTFLAG_DETECT
    header["FILTERS"] = BANDS
    header["VERSION"] = stem
    header["PHOTFILE"] = f"{stem}_PHOT.FITS"
    header["NPRIVATE"] = 0
    header["NZPHOT_Q"] = len(QUANTILES) if quantiles else 0
    for place, percent in enumerate(QUANTILES if quantiles else ()):
        header[f"HIERARCH PERCENTILE_ZPHOT_Q{place:02d}"] = percent
    header["DATATYPE"] = "SIM_SNANA"
    header["SIM_MWRV"] = 3.1
    return header


def _head_table(heads: Sequence[Row], *, quantiles: bool) -> list[fits.Column]:
    table = []
    for name, form, default in head_columns(quantiles=quantiles):
        values = [head.get(name, default) for head in heads]
        kind = (
            f"S{form[:-1]}"
            if form.endswith("A")
            else {"I": "i2", "J": "i4", "K": "i8", "E": "f4", "D": "f8"}[form[-1]]
        )
        table.append(fits.Column(name=name, format=form, array=np.array(values, kind)))
    return table


def _phot_table(rows: NDArray[Any]) -> list[fits.Column]:
    return [fits.Column(name=name, format=form, array=rows[name]) for name, form, _, _ in PHOT_COLUMNS]


def _write(path: Path, primary: fits.Header, name: str, columns: list[fits.Column]) -> None:
    table = fits.BinTableHDU.from_columns(columns)
    table.header["EXTNAME"] = name
    content = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(header=primary), table]).writeto(content)
    path.write_bytes(gzip.compress(content.getvalue(), compresslevel=6, mtime=0))


def dump_header(model: str) -> str:
    """What stands before the rows of a DUMP file."""
    names = " ".join(theirs for _, theirs, _ in _DUMP_ORDER)
    return (
        "# Simulation SUMMARY: one row per event.\n"
        f"#  MODEL:     {model}\n"
        "#  PRESCALE:  1\n"
        "#  SELECTION: Pass Trigger + Cuts\n\n"
        f"VARNAMES:  {names}\n\n"
    )


_DUMP_ORDER = TRUTH_COLUMNS


def dump_lines(rows: Iterable[Row]) -> str:
    """One ``SN:`` line for each row of values by DUMP name."""
    return "".join(
        f"SN:  {' '.join(_dumped(name, row[name]) for _, name, _ in _DUMP_ORDER)}\n" for row in rows
    )


def _dumped(name: str, value: Value) -> str:
    if isinstance(value, int | str):
        return str(value)
    if name in ("RA", "DEC"):
        return f"{value:.6f}"
    return f"{value:.4f}" if "MJD" in name else f"{value:.5e}"


def readme(version: str, *, model: str, written: int, arguments: Mapping[str, Value | None]) -> str:
    """The README of a model directory, in SNANA's YAML-like form."""
    inputs = "".join(f"    {key.upper()}: {value}\n" for key, value in arguments.items())
    return (
        "DOCUMENTATION:\n"
        f"  GENVERSION: {version}\n\n"
        "#                   NLC_WRITE\n"
        "  STAT_SUMMARY:\n"
        f"  - TOTAL           {written}\n\n"
        f"  CODE: {CODE}\n"
        "  INPUT_KEYS:\n"
        f"    GENMODEL: {model}\n"
        f"    GENFILTERS: {BANDS}\n"
        f"{inputs}"
        "DOCUMENTATION_END:\n"
    )

"""One simulated object as the survey sees it: its photometry, its detections, its rows in HEAD and DUMP."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tom_desc.snana.cadence import (
    SEASON_HALF_TURN,
    YEAR_DAYS,
    Visits,
    draw_position,
    draw_visits,
    season_offset,
)
from tom_desc.snana.columns import BANDS
from tom_desc.snana.hosts import Host, draw_hosts
from tom_desc.snana.light import FLUXCAL_ZEROPOINT, Floats, magnitudes
from tom_desc.snana.populations import Population
from tom_desc.snana.reading import DDF_POINTS
from tom_desc.snana.sources import Scene, Source
from tom_desc.snana.writing import PHOT_TYPE, PHOTFLAG_DETECT, PHOTFLAG_TRIGGER, Row

LIVELY = 0.4  # of the objects that are observed then are at their best in the last month
LIVELY_DAYS = 30.0
ERROR_FLOOR = 0.005  # of the flux
# Chance of a detection rises from 0 to 1 between these S/N, and is nil without true light of this S/N.
EFFICIENCY_FROM, EFFICIENCY_WIDTH, TRUE_SNR = 3.5, 3.0, 2.0
TRIGGER_DAYS = 0.021
TRIES, TRIES_BEFORE_BOOST, BOOST_MAG = 80, 4, 0.25
SPEC_BIT, HOST_BIT = 2, 4
BAND_NAMES = np.array(list(BANDS), "S2")


@dataclass(frozen=True)
class Survey:
    """What all objects share: first and last MJD; ``seed`` and an object's index fix all that it is."""

    seed: int
    first: float
    last: float


@dataclass(frozen=True)
class Observed:
    """One object: its HEAD and DUMP rows and its photometry (PHOT columns, without separator)."""

    head: Row
    truth: Row
    photometry: NDArray[Any]


@dataclass(frozen=True)
class Placed:
    """Where an object is and when it is looked at; ``ebv`` is the reddening (mag) that the survey assumes."""

    ra: float
    dec: float
    ebv: float
    visits: Visits


def simulate_object(survey: Survey, population: Population, *, index: int, snid: int, deep: bool) -> Observed:
    """Draw until the survey detects it. A class too faint for this sky is made brighter step by step."""
    for attempt in range(TRIES):
        rng = np.random.Generator(np.random.PCG64([survey.seed, index, attempt]))
        placed = _place(rng, survey, deep=deep)
        if len(placed.visits.mjd) <= (DDF_POINTS if deep else 0):
            continue
        boost = BOOST_MAG * max(0, attempt - TRIES_BEFORE_BOOST)
        source = population.draw(rng, _scene(rng, survey, placed, population, boost))
        mask = _search_mask(rng)
        hosts = _hosts(rng, population, source, placed, mask)
        photometry = observe(rng, source, placed.visits, hosts, deep=deep)
        if _kept(photometry, population.detections):
            _flag_trigger(photometry)
            told = _Told(
                snid, population, population.draw_gentype(rng), mask, source, placed, hosts, photometry
            )
            return Observed(told.head(rng), told.truth(), photometry)
    raise RuntimeError(f"object {index} ({population.name}) was not detected in {TRIES} tries")


def _place(rng: np.random.Generator, survey: Survey, *, deep: bool) -> Placed:
    ra, dec = draw_position(rng, deep=deep, last=survey.last)
    ebv = round(float(np.clip(rng.gamma(1.5, 0.03), 0.004, 0.5)), 5)
    return Placed(ra, dec, ebv, draw_visits(rng, ra=ra, deep=deep, first=survey.first, last=survey.last))


def _scene(
    rng: np.random.Generator, survey: Survey, placed: Placed, population: Population, boost: float
) -> Scene:
    mjd = placed.visits.mjd
    recent = mjd[mjd > survey.last - LIVELY_DAYS]
    lively = rng.random() < LIVELY and len(recent) > 0
    anchor = float(rng.choice(recent if lively else mjd))
    ebv = placed.ebv * float(rng.normal(1.0, 0.05)) if population.has_host else 0.0
    return Scene(anchor, survey.first, survey.last, ebv, boost)


def _search_mask(rng: np.random.Generator) -> int:
    """SNANA's mask: 1 found by the pipeline, +2 has a spectrum, +4 its host has a redshift."""
    draw = rng.random()
    return 1 | (SPEC_BIT if draw < 0.2 else HOST_BIT if draw < 0.3 else 0)


def _hosts(
    rng: np.random.Generator, population: Population, source: Source, placed: Placed, mask: int
) -> list[Host]:
    if not population.has_host:
        return []
    return draw_hosts(rng, redshift=source.redshift, ra=placed.ra, dec=placed.dec, has_specz=mask > 1)


def observe(
    rng: np.random.Generator, source: Source, visits: Visits, hosts: list[Host], *, deep: bool
) -> NDArray[Any]:
    """Photometry of difference images: FLUXCAL with sky, photon and calibration noise, and what is detected.

    Fluxes and errors are rounded before anything is decided, so that the last bit of a computer's exp()
    matters nowhere.
    """
    light = source.steady + (hosts[0].surface_brightness() if hosts else 0.0)
    true = np.round(source.flux(visits.mjd, visits.band), 3)
    photons = np.maximum(true + light[visits.band], 0.0)
    electrons = 10.0 ** (0.4 * (visits.zeropoint - FLUXCAL_ZEROPOINT))
    variance = visits.sky**2 + photons / electrons + (ERROR_FLOOR * true) ** 2
    error = np.maximum(np.round(np.sqrt(variance), 3), 0.001)
    flux = np.round(true + error * rng.normal(size=len(true)), 3)
    detected = _detections(rng, true, flux, error)
    return _photometry_rows(visits, flux, error, true, detected, deep=deep)


def _detections(rng: np.random.Generator, true: Floats, flux: Floats, error: Floats) -> NDArray[np.bool_]:
    chance = (flux / error - EFFICIENCY_FROM) / EFFICIENCY_WIDTH
    return (rng.random(len(flux)) < chance) & (true > TRUE_SNR * error)


def _photometry_rows(
    visits: Visits, flux: Floats, error: Floats, true: Floats, detected: NDArray[np.bool_], *, deep: bool
) -> NDArray[Any]:
    rows = np.zeros(len(flux), PHOT_TYPE)
    for name in ("CCDNUM", "PHOTPROB", "XPIX", "YPIX"):
        rows[name] = -9
    rows["MJD"], rows["BAND"] = visits.mjd, BAND_NAMES[visits.band]
    rows["FIELD"] = b"DDF" if deep else b"WFD"
    rows["PHOTFLAG"] = np.where(detected, PHOTFLAG_DETECT, 0)
    rows["FLUXCAL"], rows["FLUXCALERR"] = flux, error
    rows["PSF_SIG1"], rows["RDNOISE"], rows["GAIN"] = visits.psf, 0.25, 1.0
    rows["ZEROPT"], rows["ZEROPT_ERR"] = visits.zeropoint, ERROR_FLOOR
    # Sky noise per pixel, from the noise within the effective area of the PSF.
    area = 4.0 * np.pi * visits.psf**2
    rows["SKY_SIG"] = np.round(
        visits.sky * 10.0 ** (0.4 * (visits.zeropoint - FLUXCAL_ZEROPOINT)) / np.sqrt(area), 2
    )
    rows["SIM_MAGOBS"] = np.round(magnitudes(true), 4)
    return rows


def _kept(photometry: NDArray[Any], detections: int) -> bool:
    mjd = photometry["MJD"][photometry["PHOTFLAG"] > 0]
    return len(mjd) > 0 and (detections == 1 or mjd[-1] - mjd[0] > TRIGGER_DAYS)


def _flag_trigger(photometry: NDArray[Any]) -> None:
    photometry["PHOTFLAG"][(photometry["PHOTFLAG"] > 0).argmax()] |= PHOTFLAG_TRIGGER


@dataclass(frozen=True)
class _Told:
    """What HEAD and DUMP tell about a kept object."""

    snid: int
    population: Population
    gentype: int
    mask: int
    source: Source
    placed: Placed
    hosts: list[Host]
    photometry: NDArray[Any]

    def detected_mjd(self) -> tuple[float, float]:
        mjd = self.photometry["MJD"][self.photometry["PHOTFLAG"] > 0]
        return float(mjd[0]), float(mjd[-1])

    def peak_mags(self) -> list[float]:
        flux = self.source.flux(np.full(6, self.source.peak_mjd), np.arange(6))
        return [float(mag) for mag in np.round(magnitudes(flux), 4)]

    def final_redshift(self) -> tuple[float, float]:
        """The spectroscopic redshift of the host where there is one, else the photometric one."""
        if not self.hosts:
            return -9.0, -9.0
        host = self.hosts[0].columns
        name = "SPECZ" if "SPECZ" in host else "PHOTOZ"
        return float(host[name]), float(host[f"{name}_ERR"])

    def head(self, rng: np.random.Generator) -> Row:
        first, last = self.detected_mjd()
        redshift, error = self.final_redshift()
        spectrum = self.mask & SPEC_BIT or not self.hosts
        return {
            "SNID": str(self.snid),
            "RA": self.placed.ra,
            "DEC": self.placed.dec,
            "SNTYPE": self.gentype if spectrum else self.gentype + 100,
            "MWEBV": self.placed.ebv,
            "MWEBV_ERR": round(self.placed.ebv * 0.05, 6),
            "REDSHIFT_HELIO": redshift,
            "REDSHIFT_HELIO_ERR": error,
            "REDSHIFT_FINAL": redshift,
            "REDSHIFT_FINAL_ERR": error,
            "VPEC_ERR": 300.0 if self.hosts else 0.0,
            "PEAKMJD": round(self.source.peak_mjd + float(rng.normal()), 3),
            "MJD_TRIGGER": first,
            "MJD_DETECT_FIRST": first,
            "MJD_DETECT_LAST": last,
            **self._host_columns(),
            **self._simulated_columns(),
        }

    def _host_columns(self) -> Row:
        if not self.hosts:
            return {}
        columns: dict[str, Any] = {"HOSTGAL_NMATCH": len(self.hosts), "HOSTGAL_NMATCH2": len(self.hosts)}
        for prefix, host in zip(("HOSTGAL", "HOSTGAL2"), self.hosts, strict=False):
            columns |= host.prefixed(prefix)
        bright = self.hosts[0].surface_brightness()
        return columns | {f"HOSTGAL_SB_FLUXCAL_{b}": float(v) for b, v in zip(BANDS, bright, strict=True)}

    def _simulated_columns(self) -> Row:
        source = self.source
        truth = self.truth()
        redshift = round(source.redshift, 6)
        mags = zip(BANDS, np.round(magnitudes(source.steady), 4), strict=True)
        return {
            "SIM_MODEL_NAME": self.population.name,
            "SIM_MODEL_INDEX": 10 if self.population.has_host else 12,
            "SIM_TYPE_INDEX": self.gentype,
            "SIM_TYPE_NAME": self.population.name[:8],
            "SIM_TEMPLATE_INDEX": source.template_index,
            "SIM_LIBID": truth["LIBID"],
            "SIM_SEARCHEFF_MASK": self.mask,
            "SIM_REDSHIFT_HELIO": redshift,
            "SIM_REDSHIFT_CMB": redshift,
            "SIM_REDSHIFT_HOST": redshift,
            "SIM_HOSTLIB_GALID": truth["GALID"],
            "SIM_DLMU": truth["MU"],
            "SIM_RA": self.placed.ra,
            "SIM_DEC": self.placed.dec,
            "SIM_MWEBV": truth["MWEBV"],
            "SIM_PEAKMJD": round(source.peak_mjd, 4),
            "SIM_MJD_EXPLODE": round(source.explode_mjd, 4),
            "SIM_AV": round(source.av, 5),
            "SIM_RV": source.rv,
            **{f"SIM_PEAKMAG_{b}": truth[f"PEAKMAG_{b}"] for b in BANDS},
            **{f"SIM_TEMPLATEMAG_{b}": float(mag) for b, mag in mags},
        }

    def truth(self) -> Row:
        """Values by DUMP name; whole numbers are SNANA's sentinels."""
        source = self.source
        first, last = self.detected_mjd()
        redshift: float | int = round(source.redshift, 6) if self.hosts else 0
        season = (SEASON_HALF_TURN - abs(float(season_offset(self.placed.ra, source.peak_mjd)))) * YEAR_DAYS
        return {
            "CID": self.snid,
            "LIBID": 1 + self.snid % 49999,
            "SIM_SEARCHEFF_MASK": self.mask,
            "GENTYPE": self.gentype,
            "NON1A_INDEX": source.template_index,
            "ZCMB": redshift,
            "ZHELIO": redshift,
            "ZCMB_SMEAR": self.final_redshift()[0] if self.hosts else -9,
            "RA": self.placed.ra,
            "DEC": self.placed.dec,
            "MWEBV": self.placed.ebv if self.hosts else 0,
            **self._galaxy(),
            "RV": source.rv if source.rv > 0 else -9,
            "AV": round(source.av, 5) if source.rv > 0 else -9,
            "MU": round(source.mu, 5) if self.hosts else 0,
            "LENSDMU": 0,
            "PEAKMJD": source.peak_mjd,
            "MJD_DETECT_FIRST": first,
            "MJD_DETECT_LAST": last,
            "DTSEASON_PEAK": round(season, 3),
            **{f"PEAKMAG_{b}": mag for b, mag in zip(BANDS, self.peak_mags(), strict=True)},
            **self._best_snr(),
            "NOBS": len(self.photometry),
            "NOBS_SATURATE": 0,
        }

    def _galaxy(self) -> Row:
        if not self.hosts:
            return {"GALID": -9, "GALZPHOT": -9, "GALZPHOTERR": -9, "GALSNSEP": 0, "GALSNDDLR": 0}
        host = self.hosts[0].columns
        names = {"GALID": "OBJID", "GALZPHOT": "PHOTOZ", "GALZPHOTERR": "PHOTOZ_ERR"}
        names |= {"GALSNSEP": "SNSEP", "GALSNDDLR": "DDLR"}
        return {name: host[column] for name, column in names.items()}

    def _best_snr(self) -> Row:
        """The highest S/N of the three best bands."""
        snr = self.photometry["FLUXCAL"] / self.photometry["FLUXCALERR"]
        best = [float(snr[self.photometry["BAND"] == band].max(initial=0.0)) for band in BAND_NAMES]
        return dict(zip(("SNRMAX", "SNRMAX2", "SNRMAX3"), sorted(best, reverse=True), strict=False))

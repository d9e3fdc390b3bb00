"""Survey files to test on: a small made one, a simulated one."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from tom_desc.snana.simulate import simulate_survey

LAST_MJD = 61000.7


@pytest.fixture(scope="session")
def simulated(tmp_path_factory):
    """The directories of a simulated survey of 80 objects."""
    return simulate_survey(
        tmp_path_factory.mktemp("simulated"), objects=80, seed=7, last_mjd=LAST_MJD, ddf_fraction=0.05
    )


@dataclass
class SmallSurvey:
    """Two objects of two points; tests change the arrays and keywords, then write them."""

    path: Path
    head: np.ndarray
    phot: np.ndarray
    keywords: dict

    def write(self):
        """The HEAD file."""
        write_table(self.path / "A_HEAD.FITS", self.head, "Header", self.keywords)
        write_table(self.path / "A_PHOT.FITS", self.phot, "Photometry", {})
        return self.path / "A_HEAD.FITS"


def write_table(path, rows, name, keywords):
    """A FITS file of one binary table, by astropy."""
    primary = fits.PrimaryHDU()
    for keyword, value in keywords.items():
        primary.header[keyword] = value
    fits.HDUList([primary, fits.BinTableHDU(rows, name=name)]).writeto(path, overwrite=True)


@pytest.fixture
def small_survey(tmp_path):
    """Two objects, 7 and 12, with two points each and separator rows between."""
    head = np.array(
        [("7", 10.0, -5.0, 0.1, 1, 2), ("12", 20.0, -6.0, 0.2, 4, 5)],
        [
            ("SNID", "S16"),
            ("RA", "f8"),
            ("DEC", "f8"),
            ("MWEBV", "f4"),
            ("PTROBS_MIN", "i4"),
            ("PTROBS_MAX", "i4"),
        ],
    )
    separator = (-777.0, "-", 0, -777.0, -777.0)
    phot = np.array(
        [
            (61000.1, "g", 0, 1.5, 0.5),
            (61001.1, "Y", 6144, 30.0, 2.0),
            separator,
            (61000.2, "r", 6144, 12.0, 1.0),
            (61002.2, "i", 4096, 11.0, 1.0),
            separator,
        ],
        [("MJD", "f8"), ("BAND", "S2"), ("PHOTFLAG", "i4"), ("FLUXCAL", "f4"), ("FLUXCALERR", "f4")],
    )
    return SmallSurvey(tmp_path, head, phot, {"PHOTFILE": "A_PHOT.FITS"})

import numpy as np
import pytest

from tom_desc.snana import variables
from tom_desc.snana.sources import Scene

SCENE = Scene(anchor=60900.3, first=60600.0, last=61000.0, ebv=0.0, boost=0.0)
PERIODIC = {
    "CEPHEID": variables.CEPHEID,
    "RR_LYRAE": variables.RR_LYRAE,
    "DELTA_SCUTI": variables.DELTA_SCUTI,
    "ECLIPSING": variables.ECLIPSING,
}
ALL = PERIODIC | {
    "flare": variables.flare,
    "dwarf_nova": variables.dwarf_nova,
    "lensing": variables.lensing,
    "nucleus": variables.nucleus,
}
SURVEY = np.arange(60600.0, 61000.0, 0.01)
R = np.full(len(SURVEY), 2)


def draw(name, seed):
    return ALL[name](np.random.Generator(np.random.PCG64(seed)), SCENE)


@pytest.mark.parametrize("name", ALL)
def test_no_flux_falls_below_the_template(name):
    for seed in range(5):
        source = draw(name, seed)
        for band in range(6):
            assert (source.flux(SURVEY, np.full(len(SURVEY), band)) + source.steady[band] > 0).all()


@pytest.mark.parametrize("name", sorted(set(ALL) - {"nucleus"}))
def test_stars_have_no_redshift(name):
    source = draw(name, 1)
    assert (source.redshift, source.mu, source.rv) == (0.0, 0.0, -9.0)


@pytest.mark.parametrize("name", PERIODIC)
def test_periodic_stars_are_brighter_and_fainter_than_their_template(name):
    flux = draw(name, 2).flux(SURVEY, R)
    assert flux.min() < 0 < flux.max()


@pytest.mark.parametrize("name", PERIODIC)
def test_periodic_stars_peak_when_they_say(name):
    for seed in range(5):
        source = draw(name, seed)
        there = source.flux(np.array([source.peak_mjd]), np.array([2]))[0]
        assert there == pytest.approx(source.flux(SURVEY, R).max(), rel=1e-2)


def test_a_flare_is_over_within_a_day():
    source = draw("flare", 4)
    peak, later = source.flux(source.peak_mjd + np.array([0.001, 1.0]), np.array([1, 1]))
    assert later < 0.05 * peak


def test_a_dwarf_nova_returns():
    flux = draw("dwarf_nova", 5).flux(SURVEY, R)
    bright = flux > 0.5 * flux.max()
    assert (np.diff(bright.astype(int)) == 1).sum() >= 2


def test_lensing_is_symmetric_and_equal_in_all_bands():
    source = draw("lensing", 6)
    before, after = source.flux(source.peak_mjd + np.array([-9.0, 9.0]), np.array([2, 2]))
    assert before == pytest.approx(after)
    ratio = source.flux(np.full(6, source.peak_mjd), np.arange(6)) / source.steady
    assert ratio == pytest.approx(np.full(6, ratio[0]))


def test_a_nucleus_forgets_within_its_correlation_time():
    walk = variables._damped_walk(np.random.Generator(np.random.PCG64(1)), 20000, tau=20.0, scatter=0.2)
    assert walk.std() == pytest.approx(0.2, rel=0.1)
    assert np.corrcoef(walk[:-20], walk[20:])[0, 1] == pytest.approx(np.exp(-1), abs=0.1)

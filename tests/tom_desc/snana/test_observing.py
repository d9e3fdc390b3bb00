import numpy as np
import pytest

from tom_desc.snana.cadence import Visits
from tom_desc.snana.observing import Survey, observe, simulate_object
from tom_desc.snana.populations import POPULATIONS
from tom_desc.snana.sources import Source

SURVEY = Survey(5, 60600.7, 61000.7)
BY_NAME = {population.name: population for population in POPULATIONS}


def generator(seed=1):
    return np.random.Generator(np.random.PCG64(seed))


def constant(snr, count=4000):
    """Photometry of a source of constant light at 100 times the given S/N, against a sky noise of 100."""
    visits = Visits(
        np.arange(count, dtype=float),
        np.full(count, 2),
        np.full(count, 100.0),
        np.full(count, 40.0),
        np.full(count, 2.0),
    )
    source = Source(lambda mjd, band: np.full(len(mjd), 100.0 * snr), peak_mjd=0.0, template_index=1)
    return observe(generator(), source, visits, [], deep=False)


def test_noise_is_that_of_the_errors():
    rows = constant(0.0)
    assert rows["FLUXCAL"].mean() == pytest.approx(0.0, abs=5.0)
    assert (rows["FLUXCAL"] / rows["FLUXCALERR"]).std() == pytest.approx(1.0, abs=0.03)


def test_bright_light_has_a_floor_of_half_a_percent():
    assert constant(10_000.0)["FLUXCALERR"] == pytest.approx(np.full(4000, 5000.0), rel=0.03)


@pytest.mark.parametrize(("snr", "low", "high"), [(0, 0, 0), (3, 0.02, 0.15), (5, 0.4, 0.6), (9, 0.98, 1)])
def test_the_chance_of_detection_rises_with_signal_to_noise(snr, low, high):
    assert low <= (constant(float(snr))["PHOTFLAG"] > 0).mean() <= high


@pytest.mark.parametrize("name", BY_NAME)
def test_every_class_can_be_found_in_a_short_survey(name):
    for index in range(3):
        short = Survey(9, 60970.7, 61000.7)
        assert simulate_object(short, BY_NAME[name], index=index, snid=1, deep=False)


def test_an_object_is_the_same_whenever_it_is_drawn():
    one = simulate_object(SURVEY, BY_NAME["SNIa"], index=3, snid=8, deep=False)
    simulate_object(SURVEY, BY_NAME["KN"], index=4, snid=9, deep=False)
    again = simulate_object(SURVEY, BY_NAME["SNIa"], index=3, snid=8, deep=False)
    assert one.photometry.tobytes() == again.photometry.tobytes()
    assert (one.head, one.truth) == (again.head, again.truth)


def test_the_first_detection_triggers():
    rows = simulate_object(SURVEY, BY_NAME["SNII"], index=1, snid=1, deep=False).photometry
    flags = rows["PHOTFLAG"][rows["PHOTFLAG"] > 0]
    assert flags.tolist() == [6144] + [4096] * (len(flags) - 1)


def test_what_lasts_longer_than_hours_is_detected_twice():
    for index in range(20):
        rows = simulate_object(SURVEY, BY_NAME["SNIbc"], index=index, snid=1, deep=False).photometry
        mjd = rows["MJD"][rows["PHOTFLAG"] > 0]
        assert mjd[-1] - mjd[0] > 0.021


def test_a_survey_that_sees_nothing_says_so():
    with pytest.raises(RuntimeError, match=r"object 2 \(SNIa\) was not detected"):
        simulate_object(Survey(1, 61000.0, 61000.7), BY_NAME["SNIa"], index=2, snid=1, deep=True)

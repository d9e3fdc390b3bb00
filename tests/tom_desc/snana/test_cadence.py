import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tom_desc.snana import cadence

LAST = 61000.7
MOMENTS = st.floats(50000.0, 70000.0)


def generator(seed):
    return np.random.Generator(np.random.PCG64(seed))


def visits(seed, *, deep=False, first=LAST - 400, last=LAST):
    rng = generator(seed)
    ra, _ = cadence.draw_position(rng, deep=deep, last=last)
    return ra, cadence.draw_visits(rng, ra=ra, deep=deep, first=first, last=last)


@settings(deadline=None)
@given(seed=st.integers(0, 2**32), last=MOMENTS, span=st.floats(30.0, 900.0), deep=st.booleans())
def test_visits_are_in_order_within_the_survey(seed, last, span, deep):
    _, seen = visits(seed, deep=deep, first=last - span, last=last)
    assert (np.diff(seen.mjd) > 0).all()
    assert not len(seen.mjd) or (last - span < seen.mjd[0] and seen.mjd[-1] < last)


@settings(deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_position_is_not_observed_towards_the_sun(seed):
    ra, seen = visits(seed)
    assert (np.abs(cadence.season_offset(ra, seen.mjd)) < 0.29).all()


def test_the_sun_is_opposite_to_opposition():
    # Equinox of March 2025, 20th 9:01 UT: the sun is at right ascension 0, up to the equation of time.
    assert float(cadence.opposition(60754.376)) == pytest.approx(0.5, abs=0.01)


def test_two_bands_a_night_every_few_nights():
    _, seen = visits(3)
    nights, counts = np.unique(np.ceil(LAST - seen.mjd), return_counts=True)
    assert set(counts) == {2}
    assert np.median(np.diff(nights)) in (3, 4)


def test_a_deep_field_gets_more_than_a_thousand_visits():
    for seed in range(20):
        assert len(visits(seed, deep=True)[1].mjd) > 1000


def test_positions_in_season_are_preferred_and_some_are_seen_in_the_last_night():
    last_seen = [seen.mjd[-1] for _, seen in map(visits, range(200)) if len(seen.mjd)]
    assert 0.5 < np.mean(np.array(last_seen) > LAST - 15) < 0.95
    assert np.mean(np.array(last_seen) > LAST - 0.35) > 0.1


def test_all_bands_are_used_and_depths_are_those_of_the_survey():
    seen = [visits(seed)[1] for seed in range(50)]
    band = np.concatenate([one.band for one in seen])
    sky = np.concatenate([one.sky for one in seen])
    depths = [27.5 - 2.5 * np.log10(5 * np.median(sky[band == number])) for number in range(6)]
    assert depths == pytest.approx(cadence.DEPTHS.tolist(), abs=0.1)

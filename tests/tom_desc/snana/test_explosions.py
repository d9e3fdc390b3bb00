import numpy as np
import pytest

from tom_desc.snana import explosions
from tom_desc.snana.explosions import Explosion
from tom_desc.snana.light import magnitudes
from tom_desc.snana.sources import Scene

SCENE = Scene(anchor=60900.0, first=60600.0, last=61000.0, ebv=0.0, boost=0.0)
CLASSES = {name: value for name, value in vars(explosions).items() if isinstance(value, Explosion)}
G, R = 1, 2


def draws(explosion, count=40, scene=SCENE):
    return [explosion.draw(np.random.Generator(np.random.PCG64(seed)), scene) for seed in range(count)]


def flux_at(source, days, band):
    mjd = np.atleast_1d(np.asarray(source.peak_mjd + days, dtype=float))
    return source.flux(mjd, np.full(len(mjd), band))


@pytest.mark.parametrize("name", CLASSES)
def test_there_is_no_light_before_the_explosion(name):
    for source in draws(CLASSES[name], 5):
        before = source.explode_mjd - np.array([0.01, 10.0, 1000.0])
        assert source.flux(before, np.full(3, R)).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("name", CLASSES)
def test_an_explosion_is_bright_at_its_anchor(name):
    for source in draws(CLASSES[name]):
        there = source.flux(np.array([SCENE.anchor]), np.array([R]))[0]
        assert there > 0.1 * flux_at(source, 0.0, R)[0]


@pytest.mark.parametrize("name", CLASSES)
def test_it_fades_for_ever(name):
    for source in draws(CLASSES[name], 5):
        late = flux_at(source, np.array([400.0, 800.0, 1500.0]) * (1 + source.redshift), R)
        assert (np.diff(late) < 0).all()
        assert late[0] < 0.15 * flux_at(source, 0.0, R)[0]


@pytest.mark.parametrize("name", CLASSES)
def test_it_reddens(name):
    source = draws(CLASSES[name], 1)[0]
    days = 20.0 * (1 + source.redshift)
    early, late = (flux_at(source, day, G) / flux_at(source, day, R) for day in (0.0, days))
    assert late < early


def test_kilonovae_are_gone_within_days_and_pair_instability_lasts():
    kilonova, long = (draws(CLASSES[name], 1)[0] for name in ("KN", "PISN"))
    assert flux_at(kilonova, 8.0, R) < 0.05 * flux_at(kilonova, 0.0, R)
    assert flux_at(long, 30.0, R) > 0.5 * flux_at(long, 0.0, R)


def test_a_type_ia_peaks_where_its_distance_puts_it():
    for source in draws(CLASSES["SN_IA"]):
        if source.redshift < 0.15:
            mag = float(magnitudes(flux_at(source, 0.0, G))[0])
            assert mag == pytest.approx(-19.2 + source.mu, abs=1.5)


def test_the_boost_is_in_magnitudes():
    plain, boosted = (
        draws(CLASSES["SN_II"], 1, Scene(60900.0, 60600.0, 61000.0, 0.0, boost))[0] for boost in (0.0, 2.5)
    )
    assert flux_at(boosted, 5.0, R) == pytest.approx(10 * flux_at(plain, 5.0, R))


def test_the_dust_of_our_galaxy_dims():
    clear, dusty = (
        draws(CLASSES["TDE"], 1, Scene(60900.0, 60600.0, 61000.0, ebv, 0.0))[0] for ebv in (0.0, 0.2)
    )
    assert flux_at(dusty, 0.0, G) < flux_at(clear, 0.0, G)

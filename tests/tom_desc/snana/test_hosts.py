import numpy as np
import pytest

from tom_desc.snana.columns import QUANTILES
from tom_desc.snana.hosts import draw_hosts


def hosts(seed, *, has_specz=False, redshift=0.3):
    rng = np.random.Generator(np.random.PCG64(seed))
    return draw_hosts(rng, redshift=redshift, ra=359.9999, dec=-60.0, has_specz=has_specz)


def test_a_third_has_a_second_candidate():
    assert np.mean([len(hosts(seed)) for seed in range(500)]) == pytest.approx(1.33, abs=0.06)


def test_the_host_is_where_its_separation_says():
    for seed in range(50):
        for host in hosts(seed):
            east = ((host.columns["RA"] - 359.9999 + 180) % 360 - 180) * np.cos(np.radians(-60.0))
            north = host.columns["DEC"] + 60.0
            assert 3600 * np.hypot(east, north) == pytest.approx(host.columns["SNSEP"], abs=1e-3)


def test_quantiles_rise_through_the_photometric_redshift():
    columns = hosts(1)[0].columns
    quantiles = [columns[f"ZPHOT_Q{percent:03d}"] for percent in QUANTILES]
    assert quantiles == sorted(quantiles)
    assert columns["ZPHOT_Q050"] == columns["PHOTOZ"]


def test_a_spectroscopic_redshift_is_close_and_only_where_there_is_one():
    assert hosts(2, has_specz=True)[0].columns["SPECZ"] == pytest.approx(0.3, abs=0.005)
    assert "SPECZ" not in hosts(2)[0].columns


def test_fainter_hosts_have_larger_errors():
    near, far = hosts(3, redshift=0.1)[0], hosts(3, redshift=1.0)[0]
    assert far.columns["MAG_r"] > near.columns["MAG_r"]
    assert far.columns["MAGERR_r"] > near.columns["MAGERR_r"]

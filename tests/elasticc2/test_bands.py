"""What each band of a light curve is summed up to."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from elasticc2.bands import SLOPE_DAYS, band_summaries, slope
from elasticc2.dossier import Points
from tom_desc import photometry

ZEROPOINT = 31.4


def light_curve(*rows, zeropoint=ZEROPOINT) -> Points:
    """Points of (mjd, band, flux, fluxerr, detected) rows."""
    mjd, band, flux, fluxerr, detected = (np.array(column) for column in zip(*rows, strict=True))
    mag, magerr = photometry.magnitudes(flux, fluxerr, zeropoint=zeropoint)
    return Points(
        mjd=mjd.astype(float),
        band=band.astype("S1"),
        flux=flux.astype("f4"),
        fluxerr=fluxerr.astype("f4"),
        mag=mag,
        magerr=magerr,
        limit=photometry.limits(fluxerr, zeropoint=zeropoint),
        significant=photometry.is_significant(flux, fluxerr),
        detected=detected.astype(bool),
    )


def summary(*rows, clock_mjd=60010.0, **how):
    [found] = band_summaries(light_curve(*rows, **how), clock_mjd=clock_mjd)
    return found


def mag(flux):
    return pytest.approx(ZEROPOINT - 2.5 * math.log10(flux))


# ---- the slope


def of(mjd, mag, magerr):
    return slope(np.array(mjd, float), np.array(mag, float), np.array(magerr, float))


def test_a_straight_line_has_its_slope():
    found = of([60000, 60001, 60004], [20.0, 20.1, 20.4], [0.1, 0.02, 0.05])
    assert (found.value, found.points) == (pytest.approx(0.1), 3)


def test_the_error_of_two_points_is_their_errors_over_the_days_between():
    assert of([60000, 60004], [20, 21], [0.3, 0.4]).error == pytest.approx(0.5 / 4)


def test_an_uncertain_point_counts_for_little():
    assert of([60000, 60001, 60002], [20, 20.1, 25], [0.01, 0.01, 100]).value == pytest.approx(0.1, abs=1e-3)


points = st.tuples(st.floats(0, SLOPE_DAYS), st.floats(15, 27), st.floats(0.01, 0.4))


@given(st.lists(points, min_size=3, max_size=30))
def test_it_is_the_line_that_numpy_fits(rows):
    mjd, mags, errors = (np.array(column) for column in zip(*sorted(rows), strict=True))
    assume(np.ptp(mjd) > 0.6)
    fitted, covariance = np.polyfit(mjd, mags, 1, w=1 / errors, cov="unscaled")
    found = slope(60000 + mjd, mags, errors)
    assert found is not None
    assert found.value == pytest.approx(fitted[0], rel=1e-4, abs=1e-4)
    assert found.error == pytest.approx(covariance[0, 0] ** 0.5, rel=1e-4)


def test_points_before_the_last_two_weeks_of_the_band_do_not_count():
    assert of([59980, 60000, 60010], [10, 20, 21], [0.1] * 3).points == 2
    assert of([59996, 60000, 60010], [10, 20, 21], [0.1] * 3).points == 3


@pytest.mark.parametrize("mjd", [[], [60000], [60000, 60000.2], [60000, 60000, 60000], [60000, 60000.5]])
def test_there_is_no_slope_of_one_night(mjd):
    assert of(mjd, [20.0] * len(mjd), [0.1] * len(mjd)) is None


def test_there_is_no_slope_of_two_nights_that_are_two_weeks_apart():
    assert of([60000, 60014.1], [20, 21], [0.1, 0.1]) is None


def test_points_without_an_error_do_not_count():
    assert of([60000, 60001, 60002], [20, 25, 20.2], [0.1, 0, 0.1]).value == pytest.approx(0.1)
    assert of([60000, 60001], [20, 25], [0, 0]) is None


# ---- the bands


def test_bands_come_in_the_order_of_wavelength():
    rows = [(60000, band, 100, 10, True) for band in "YgxzurZi"]
    assert [row.band for row in band_summaries(light_curve(*rows), clock_mjd=None)][:6] == list("ugrizY")


def test_the_latest_point_may_be_forced_or_a_detection():
    forced = summary((60001, "g", 500, 10, True), (60002, "g", 90, 10, False))
    assert (forced.latest.mjd, forced.latest.mag, forced.latest.detected) == (60002, mag(90), False)
    detected = summary((60001, "g", 90, 10, False), (60002, "g", 500, 10, True))
    assert (detected.latest.mjd, detected.latest.mag, detected.latest.detected) == (60002, mag(500), True)


def test_points_below_three_sigma_have_no_magnitude_to_be_the_latest():
    assert summary((60001, "g", 500, 10, True), (60002, "g", 29, 10, False)).latest.mjd == 60001
    assert summary((60001, "g", 29, 10, False), (60002, "g", -500, 10, False)).latest is None


def test_age_is_in_days_before_the_clock():
    assert summary((60001.5, "g", 500, 10, True), clock_mjd=60010.0).latest.age == 8.5
    assert summary((60001.5, "g", 500, 10, True), clock_mjd=None).latest.age is None


def test_peak_is_the_brightest_point():
    peak = summary((60001, "g", 90, 10, True), (60002, "g", 500, 10, False), (60003, "g", 80, 10, True)).peak
    assert (peak.mjd, peak.mag) == (60002, mag(500))


def test_detections_are_counted_among_the_points():
    found = summary((60001, "g", 9, 10, False), (60002, "g", 500, 10, True), (60003, "g", 500, 10, True))
    assert (found.points, found.detections, found.first_detection) == (3, 2, 60002)


def test_a_band_without_detections_has_no_first_one():
    assert summary((60001, "g", 500, 10, False)).first_detection is None


def test_fluxes_that_are_no_numbers_are_points_only():
    found = summary((60001, "g", math.nan, 10, False), (60002, "g", 500, math.nan, False))
    assert (found.points, found.latest, found.slope, found.peak) == (2, None, None, None)


def test_without_a_zeropoint_there_are_no_magnitudes():
    found = summary((60001, "g", 500, 10, True), zeropoint=math.nan)
    assert (found.detections, found.latest, found.peak) == (1, None, None)

"""The hot list: what its rows say, in which order, at what cost."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from elasticc2 import hotlist
from elasticc2.hotcolumns import LATEST_FIRST, SORT_KEYS, Sort, classifiers
from elasticc2.hotlist import best_redshift, hot_page
from elasticc2.models import DiaObject, SpectrumInfo
from elasticc2.reveal import reveal
from tests.elasticc2.sky import add_object, hear, message

pytestmark = pytest.mark.django_db

UNTIL = 60010.0


def tell(*objects):
    """Objects: id, points, the probability of Ia that a classifier gives (None: another speaks), position."""
    messages = []
    for objectid, points, ia, where in objects:
        classes = ((2224, 1.0),) if ia is None else ((2222, ia), (2224, 1 - ia))
        name = "Silent" if ia is None else "Speaker"
        sources = add_object(objectid, points, **where)
        messages += [message(source, classes=classes, classifierName=name) for source in sources]
    hear(*messages)
    reveal()


@pytest.fixture
def sky():
    tell(
        (1, [(60001.0, "g", 400.0, True), (60009.0, "r", 100.0, True)], 0.2, {"ra": 30.0, "decl": 3.0}),
        (2, [(60008.0, "i", 200.0, True)], 0.9, {"ra": 20.0, "decl": 1.0}),
        (3, [(60007.0, "z", -30.0, True)], None, {"ra": 10.0, "decl": 2.0}),
        (4, [(60007.0, "u", 300.0, True)], 0.2, {"ra": 40.0, "decl": 4.0}),
    )
    for objectid, zspec, zphot in ((1, -9, 0.4), (2, 0.3, 0.1), (3, -9, -9), (4, None, None)):
        DiaObject.objects.filter(pk=objectid).update(hostgal_zspec=zspec, hostgal_zphot=zphot)


def listed(sort=LATEST_FIRST, **changes):
    asked: dict[str, Any] = {
        "since_mjd": 60000.0,
        "until_mjd": UNTIL,
        "zeropoint": 31.4,
        "classifiers": classifiers(),
    }
    return hot_page(**asked | changes, sort=sort)


def ids(text):
    keys = [*SORT_KEYS, *(classifier.column.key for classifier in classifiers())]
    return [row.objectid for row in listed(Sort.parse(text, keys)).objects]


@pytest.mark.parametrize(
    ("key", "ascending"),
    [
        ("object", [1, 2, 3, 4]),
        ("ra", [3, 2, 1, 4]),
        ("dec", [2, 3, 1, 4]),
    ],
)
def test_a_column_without_equals_or_gaps_is_turned_round(sky, key, ascending):
    assert ids(key) == ascending
    assert ids(f"-{key}") == ascending[::-1]


@pytest.mark.parametrize(
    ("key", "ascending", "descending"),
    [
        ("detections", [2, 3, 4, 1], [1, 2, 3, 4]),
        ("latest", [3, 4, 2, 1], [1, 2, 3, 4]),
    ],
)
def test_equals_stay_in_order_of_their_ids(sky, key, ascending, descending):
    assert ids(key) == ascending
    assert ids(f"-{key}") == descending


def test_bright_magnitudes_are_small_ones_and_what_has_none_comes_last(sky):
    assert ids("mag") == [4, 2, 1, 3]
    assert ids("-mag") == [1, 2, 4, 3]
    assert ids("peak") == [1, 4, 2, 3]
    assert ids("-peak") == [2, 4, 1, 3]


def test_unknown_redshifts_come_last_in_both_orders(sky):
    assert ids("z") == [2, 1, 3, 4]
    assert ids("-z") == [1, 2, 3, 4]


def test_objects_of_which_a_classifier_did_not_speak_come_last_in_both_orders(sky):
    (speaker,) = [one.column.key for one in classifiers() if one.name == "Speaker"]
    assert ids(f"-{speaker}") == [2, 1, 4, 3]
    assert ids(speaker) == [1, 4, 2, 3]


@pytest.mark.parametrize("flux", [0.0, float("nan"), float("inf")])
def test_a_flux_without_magnitude_is_sorted_as_it_is_shown(sky, flux):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE elasticc2_objectsummary SET peak_flux = %s WHERE diaobject_id = 1", (flux,))
    for sort in (Sort("peak"), Sort("peak", descending=True)):
        assert listed(sort).objects[-2].objectid == 1
        assert listed(sort).objects[-2].peak.mag is None


def test_a_row_has_position_detections_and_magnitudes(sky):
    row = listed(Sort("object")).objects[0]
    assert (row.ra, row.dec, row.detections, row.latest_mjd, row.days_ago) == (30.0, 3.0, 2, 60009.0, 1.0)
    # 31.4 - 2.5 log10 of 100 and 400
    assert (row.latest.band, row.latest.mag) == ("r", 26.4)
    assert (row.peak.band, row.peak.mag) == ("g", pytest.approx(24.8949, abs=1e-4))


def test_each_classifiers_probability_is_in_its_column(sky):
    first, _, third, _ = listed(Sort("object")).objects
    assert [(one.name, ia) for one, ia in first.ia] == [("Silent", None), ("Speaker", pytest.approx(0.2))]
    # It spoke, and of other classes only.
    assert [(one.name, ia) for one, ia in third.ia] == [("Silent", 0.0), ("Speaker", None)]


def test_the_redshift_is_that_of_the_spectrum_before_the_hosts():
    spectrum = best_redshift(0.1, 0.2, 0.3)
    assert spectrum is not None
    assert (spectrum.value, spectrum.source) == (0.1, "spectrum")
    host = best_redshift(None, 0.2, 0.3)
    assert host is not None
    assert host.source == "host spec"
    assert best_redshift(None, None, None) is None


def test_the_latest_spectrum_with_a_redshift_up_to_the_end_of_the_window_counts(sky):
    for mjd, z in ((60001.0, 0.5), (60005.0, 0.6), (60006.0, None), (60011.0, 0.7)):
        SpectrumInfo.objects.create(diaobject_id=3, facility="Keck", mjd=mjd, z=z)
    redshift = listed(Sort("object")).objects[2].redshift
    assert redshift is not None
    assert (redshift.value, redshift.source) == (pytest.approx(0.6), "spectrum")
    assert ids("-z")[0] == 3


def test_the_order_is_that_of_all_objects_and_pages_are_parts_of_it(sky, monkeypatch):
    monkeypatch.setattr(hotlist, "PAGE_ROWS", 3)
    first, second = (listed(Sort("peak"), number=number) for number in (1, 2))
    assert [row.objectid for row in [*first.objects, *second.objects]] == [1, 4, 2, 3]
    assert (first.total, first.pages) == (4, 2)


def test_nothing_is_hot_before_there_is_a_clock(sky):
    page = listed(since_mjd=float("-inf"), until_mjd=float("-inf"))
    assert (page.objects, page.total, page.pages) == ([], 0, 1)


@pytest.mark.parametrize("sort", [LATEST_FIRST, Sort("z")])
def test_a_page_of_500_costs_the_statements_of_a_page_of_5(sort):
    def statements(objects) -> int:
        with CaptureQueriesContext(connection) as captured:
            page = listed(sort)
        assert len(page.objects) == objects
        return len(captured)

    tell(*((objectid, [(60005.0, "r", 100.0, True)], 0.5, {}) for objectid in range(1, 6)))
    few = statements(5)
    tell(*((objectid, [(60005.0, "r", 100.0, True)], 0.5, {}) for objectid in range(6, 501)))
    assert statements(500) == few == 3

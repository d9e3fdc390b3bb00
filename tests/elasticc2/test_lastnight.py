"""What changed last night, on a sky whose every detection is known."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from elasticc2 import lastnight
from elasticc2.lastnight import Heard, LatelyHeard, count_hot, heard_since, latest_night
from elasticc2.reveal import reveal
from tests.elasticc2.sky import add_object, hear, message

pytestmark = pytest.mark.django_db

# The night of MJD 60010, 2023-03-07: from noon before to noon after.
SKY = {
    1: ([(60000.2, "g", 100.0, True), (60009.9, "r", 100.0, True), (60010.1, "i", 400.0, True)], 0.9),
    2: ([(60009.6, "r", 100.0, True), (60010.3, "r", 200.0, True)], 0.9),
    3: ([(60010.4, "z", 400.0, True)], 0.5),
    4: ([(60009.4, "z", 900.0, True)], 0.9),
    5: ([(60010.2, "u", -90.0, True)], 0.1),
}


@pytest.fixture
def sky():
    for objectid, (points, ia) in SKY.items():
        classes = ((2222, ia), (2224, 1 - ia))
        hear(*(message(source, classes=classes) for source in add_object(objectid, points)))
    reveal()


def night_of(now_mjd=60010.45):
    night = latest_night(now_mjd=now_mjd, zeropoint=31.4)
    assert night is not None
    return night


def test_a_night_lasts_from_noon_to_noon_and_not_beyond_now(sky):
    night = night_of()
    assert (night.since_mjd, night.until_mjd) == (60009.5, 60010.45)
    assert night.evening == date(2023, 3, 6)
    assert night_of(60012.0).until_mjd == 60010.5


def test_detections_and_their_objects_are_counted(sky):
    night = night_of()
    assert (night.detections, night.objects) == (6, 4)


def test_new_is_what_was_not_detected_before(sky):
    night = night_of()
    assert night.new_objects == 3
    assert [row.objectid for row in night.brightest] == [3, 2]


def test_likely_ia_is_more_likely_than_not(sky):
    assert night_of().new_likely_ia == 1


def test_the_brightest_new_objects_come_with_magnitude_and_probability(sky):
    first, second = night_of().brightest
    # 31.4 - 2.5 log10(400)
    assert (first.peak.band, first.peak.mag) == ("z", pytest.approx(24.8949, abs=1e-4))
    assert first.ia == pytest.approx(0.5)
    assert (second.peak.band, second.detections, second.ia) == ("r", 2, pytest.approx(0.9))


def test_only_so_many_new_objects_are_shown(sky):
    for objectid in range(10, 30):
        hear(*map(message, add_object(objectid, [(60010.2, "g", 50.0 + objectid, True)])))
    reveal()
    night = night_of()
    assert night.new_objects == 23
    assert [row.objectid for row in night.brightest] == [3, 2, *range(29, 23, -1)]


def test_what_comes_after_now_is_not_known_yet(sky):
    night = night_of(60010.15)
    assert (night.detections, night.objects, night.new_objects) == (3, 2, 1)
    assert night_of(60009.45).since_mjd == 60008.5


def test_after_nights_without_detections_the_latest_with_some_is_shown(sky):
    assert night_of(60100.0).since_mjd == 60009.5


@pytest.mark.parametrize("now_mjd", [59000.0, float("-inf")])
def test_before_the_first_detection_there_is_no_night(sky, now_mjd):
    assert latest_night(now_mjd=now_mjd, zeropoint=31.4) is None


def test_hot_objects_are_counted(sky):
    assert count_hot(since_mjd=60009.0, until_mjd=60010.45) == 5
    assert count_hot(since_mjd=60000.0, until_mjd=60005.0) == 1


def test_messages_are_counted_by_broker(sky):
    hear(
        message(1, brokerName="Another", classifierName="x"),
        message(1, brokerName="Another", classifierName="y"),
    )
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    assert heard_since(an_hour_ago) == LatelyHeard([Heard("Another", 2, 2), Heard("FakeBroker", 1, 8)])


def test_messages_of_before_are_not_counted(sky):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE elasticc2_brokermessage SET descingesttimestamp = now() - interval '2 days'")
    assert heard_since(datetime.now(UTC) - timedelta(days=1)) == LatelyHeard([])


def test_more_messages_than_can_be_counted_quickly_are_estimated(sky, monkeypatch):
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE elasticc2_brokermessage")
    monkeypatch.setattr(lastnight, "COUNTED_EXACTLY", 1)
    heard = heard_since(datetime.now(UTC) - timedelta(days=1))
    assert heard.brokers == []
    assert heard.about is not None
    assert heard.about > 1


def test_the_night_costs_the_same_statements_however_much_happened(sky):
    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            night_of()
        return len(captured)

    few = statements()
    for objectid in range(10, 60):
        hear(*map(message, add_object(objectid, [(60010.2, "g", 100.0, True)])))
    reveal()
    assert statements() == few == 3

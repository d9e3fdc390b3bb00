"""Which objects are measured and detected when."""

import pytest
from django.db import connection

from benchmarks.scales import Sky
from benchmarks.skies import EPOCHS, OLD_EPOCHS, drop_indexes, is_detected, of_epoch, sources_of

SKY = Sky(objects=100, hot=20, hidden=10)


def detected(objectid: int) -> list[int]:
    """The epochs on which an object is detected."""
    epochs = [of_epoch(epoch, SKY) for epoch in range(EPOCHS)]
    return [e["epoch"] for e in epochs if e["first_detected"] <= objectid <= e["last_detected"]]


def test_an_object_is_detected_six_times_the_last_time_when_it_was_last_measured():
    assert detected(80) == [49, 54, 59, 64, 69, 74]
    assert detected(81) == detected(110) == [74, 79, 84, 89, 94, 99]


def test_old_objects_are_measured_on_the_first_epochs_only():
    first = [of_epoch(epoch, SKY)["first"] for epoch in range(EPOCHS)]
    assert first == [1] * OLD_EPOCHS + [81] * (EPOCHS - OLD_EPOCHS)


def test_the_sources_of_a_hidden_object_are_its_detections():
    assert sources_of(110) == [110 * 100_000 + epoch for epoch in detected(110)]
    assert len(sources_of(110)) == sum(is_detected(epoch, EPOCHS) for epoch in range(EPOCHS)) == 6


SHAPE = """
SELECT indrelid::regclass::text, indisvalid, regexp_replace(pg_get_indexdef(indexrelid), '^.* USING', '')
FROM pg_index WHERE indrelid::regclass::text LIKE 'elasticc2_%' ORDER BY 1, 3"""


@pytest.mark.django_db
def test_a_filled_sky_has_every_index_that_the_schema_has():
    with connection.cursor() as cursor:
        cursor.execute(SHAPE)
        before = cursor.fetchall()
        for statement in drop_indexes(cursor):
            cursor.execute(statement)
        cursor.execute(SHAPE)
        assert cursor.fetchall() == before

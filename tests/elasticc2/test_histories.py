"""The rule of which photometry belongs to an alert, by hand-made cases, and the columns it is applied to."""

import json

import pytest

from elasticc2.campaign import OBJECT_FLOATS, avro_name
from elasticc2.histories import FORCED_DTYPE, SOURCE_DTYPE, Timeline
from tom_desc.streams.schemas import path

NIGHTS = [60000.0, 60000.25, 60000.5, 60000.75, 60100.0, 60365.0, 60365.25, 60500.0]


def before(i, *, sources=NIGHTS, forced=NIGHTS, days_previous=365.0, nprevious=None):
    """The times, rather than the places, of what belongs to the alert of source i."""
    timeline = Timeline(sources, forced)
    spans = timeline.before(i, days_previous=days_previous, nprevious=nprevious)
    return sources[spans[0]], forced[spans[1]]


def test_the_first_source_has_no_history():
    assert before(0) == ([], [])


def test_earlier_sources_of_the_same_night_belong_to_an_alert():
    assert before(2)[0] == [60000.0, 60000.25]


def test_a_source_at_the_same_time_does_not_belong():
    assert before(1, sources=[60000.0, 60000.25, 60000.25])[0] == [60000.0]
    assert before(2, sources=[60000.0, 60000.25, 60000.25])[0] == [60000.0]


def test_a_source_exactly_days_previous_ago_belongs():
    assert before(5)[0][0] == 60000.0
    assert before(6)[0][0] == 60000.25


def test_there_is_no_forced_photometry_up_to_half_a_day_after_the_first_source():
    assert before(2)[1] == []


def test_after_half_a_day_forced_photometry_before_the_source_belongs():
    assert before(3)[1] == [60000.0, 60000.25, 60000.5]


def test_forced_photometry_reaches_back_thirty_days_before_the_first_source():
    assert before(4, forced=[59969.75, 59970.0, 59999.0])[1] == [59970.0, 59999.0]


def test_forced_photometry_reaches_back_no_longer_than_days_previous():
    assert before(4, forced=[60069.75, 60070.0, 60099.0], days_previous=30)[1] == [60070.0, 60099.0]


def test_the_first_source_ever_counts_even_if_it_is_out_of_the_window():
    assert before(7, days_previous=30.0, forced=[60469.0, 60470.0]) == ([], [60470.0])


def test_nprevious_keeps_the_last_forced_points_and_all_sources():
    assert before(4, nprevious=2) == ([60000.0, 60000.25, 60000.5, 60000.75], [60000.5, 60000.75])


@pytest.mark.parametrize(("nprevious", "points"), [(0, 0), (4, 4), (100, 4)])
def test_nprevious_is_an_upper_limit(nprevious, points):
    assert len(before(4, nprevious=nprevious)[1]) == points


@pytest.mark.parametrize("days_previous", [0, -30])
def test_looking_back_no_days_finds_nothing(days_previous):
    sources, forced = before(7, days_previous=days_previous)
    assert not sources
    assert not forced


@pytest.mark.parametrize(
    ("record", "columns"),
    [
        ("diaSource", [name for name, _ in SOURCE_DTYPE]),
        ("diaForcedSource", [name for name, _ in FORCED_DTYPE]),
        ("diaObject", ["diaobject_id", "simversion", "ra", "decl", *OBJECT_FLOATS]),
    ],
)
def test_columns_are_in_the_order_of_the_schema(record, columns):
    fields = json.loads(path(f"elasticc.v0_9_1.{record}").read_text())["fields"]
    assert [field["name"] for field in fields] == [avro_name(column) for column in columns]

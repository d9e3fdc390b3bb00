"""Whose probability of which class shows at which source."""

import math

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from elasticc2.opinions_over_time import opinions_over_time
from elasticc2.reveal import reveal
from tests.elasticc2.sky import add_object, hear, message

pytestmark = pytest.mark.django_db

OBJECT = 7
POINTS = [(60000.0, "g", 90.0, True), (60001.0, "r", 90.0, True), (60002.0, "i", 90.0, True)]


@pytest.fixture
def sources():
    """Ids of three sources of one object, the earliest first."""
    return add_object(OBJECT, POINTS)


def tell(*messages):
    hear(*messages)
    reveal()


def over_time(classid=None):
    return opinions_over_time(OBJECT, classid=classid)


def probabilities(found):
    """By label, the probabilities by MJD."""
    return {
        history.label: {source.mjd: value for source, value in history.probabilities.items()}
        for history in found.histories
    }


NUGENT = "FakeBroker v1.0 · NugentClassifier 100%"
OTHER = {"brokerName": "Other", "brokerVersion": "", "classifierName": "Deep", "classifierParams": ""}


def test_each_classifier_has_its_probability_at_each_source_that_it_answered(sources):
    tell(
        message(sources[0], classes=((2222, 0.5), (2224, 0.5))),
        message(sources[2], classes=((2222, 0.75), (2224, 0.25))),
        message(sources[1], classes=((2222, 0.25),), **OTHER),
    )
    assert probabilities(over_time()) == {
        NUGENT: {60000.0: 0.5, 60002.0: 0.75},
        "Other · Deep": {60001.0: 0.25},
    }


def test_of_several_answers_to_a_source_the_one_that_came_last_counts(sources):
    tell(message(sources[0], classes=((2222, 0.5),)))
    tell(message(sources[0], classes=((2222, 0.75),)))
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE elasticc2_brokermessage SET descingesttimestamp = now() + '1 day'"
            " WHERE probability = '{0.5}'"
        )
    assert probabilities(over_time()) == {NUGENT: {60000.0: 0.5}}


def test_of_answers_of_one_moment_the_one_that_was_stored_last_counts(sources):
    """All of a test is one moment: the start of its transaction."""
    for probability in (0.25, 0.5, 0.75):
        tell(message(sources[0], classes=((2222, probability),)))
    assert probabilities(over_time()) == {NUGENT: {60000.0: 0.75}}


def test_an_answer_that_does_not_name_the_class_gives_it_none(sources):
    tell(message(sources[0], classes=((2222, 0.5),)), message(sources[1], classes=((2224, 1.0),)))
    assert probabilities(over_time()) == {NUGENT: {60000.0: 0.5, 60001.0: 0.0}}


def test_of_a_class_that_an_answer_names_twice_the_greater_probability_counts(sources):
    tell(message(sources[0], classes=((2222, 0.25), (2222, 0.5), (2222, 0.125))))
    assert probabilities(over_time()) == {NUGENT: {60000.0: 0.5}}


def test_a_classifier_that_never_named_the_class_is_silent(sources):
    tell(message(sources[0]), message(sources[0], classes=((2224, 1.0),), **OTHER))
    found = over_time()
    assert [history.label for history in found.histories] == [NUGENT]
    assert found.silent == ["Other · Deep"]


def test_a_message_without_classes_is_no_answer(sources):
    tell(message(sources[0], classes=()))
    assert over_time().chosen is None


def test_nobody_answered(sources):
    found = over_time(2222)
    assert (found.chosen, found.choices, found.histories, found.silent) == (None, [], [], [])


def test_the_choices_are_the_classes_that_occur_by_their_names(sources):
    tell(message(sources[0], classes=((2222, 0.5), (111, 0.25))), message(sources[1], classes=((0, 1.0),)))
    assert [str(choice) for choice in over_time().choices] == [
        "Meta (0)",
        "not in the taxonomy (111)",
        "Ia (2222)",
    ]


def test_a_class_that_does_not_occur_can_be_chosen(sources):
    tell(message(sources[0]))
    found = over_time(2245)
    assert str(found.chosen) == "CART (2245)"
    assert found.chosen in found.choices
    assert (found.histories, found.silent) == ([], [NUGENT])


def test_the_default_class_is_ia_where_anybody_names_it(sources):
    tell(
        message(sources[0], classes=((2222, 0.01), (2224, 0.9))), message(sources[2], classes=((2224, 1.0),))
    )
    assert over_time().chosen.classid == 2222


def test_the_default_class_is_else_the_likeliest_on_the_latest_source(sources):
    tell(
        message(sources[2], classes=((2224, 0.25), (2223, 0.5))),
        message(sources[2], classes=((2245, 0.75),), **OTHER),
        message(sources[0], classes=((2332, 1.0),)),
    )
    assert over_time().chosen.classid == 2245


def test_messages_about_other_objects_do_not_show(sources):
    others = add_object(OBJECT + 1, POINTS)
    tell(message(sources[0]), message(others[1], classes=((2332, 1.0),)))
    found = over_time()
    assert [choice.classid for choice in found.choices] == [2222]
    assert probabilities(found) == {NUGENT: {60000.0: 1.0}}


def test_an_object_without_revealed_sources_has_no_opinions(sources):
    hear(message(sources[0]))
    assert over_time().chosen is None


def test_the_table_has_a_row_a_source_and_a_column_a_classifier(sources):
    tell(message(sources[2]), message(sources[0]), message(sources[2], classes=((2222, 0.5),), **OTHER))
    assert [(source.mjd, source.band, cells) for source, cells in over_time().rows] == [
        (60000.0, "g", [1.0, None]),
        (60002.0, "i", [1.0, 0.5]),
    ]


def test_sources_of_one_moment_are_two_rows():
    both = add_object(OBJECT, [(60000.0, "g", 90.0, True), (60000.0, "g", 95.0, True)])
    tell(*(message(source) for source in both))
    assert len(list(over_time().rows)) == 2


def test_the_plot_has_the_same_numbers_in_parallel(sources):
    tell(message(sources[0], classes=((2222, 0.7),)), message(sources[1]))
    assert over_time().plot == [
        {"label": NUGENT, "mjd": [60000.0, 60001.0], "band": ["g", "r"], "probability": [0.7, 1.0]}
    ]


def test_a_probability_that_is_no_number_is_null_in_the_plot(sources):
    tell(message(sources[0]))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE elasticc2_brokermessage SET probability = '{NaN}'")
    assert over_time().plot[0]["probability"] == [None]
    [(_, [value])] = over_time().rows
    assert math.isnan(value)


def test_many_messages_take_as_many_statements_as_one(sources):
    tell(message(sources[0]))
    with CaptureQueriesContext(connection) as few:
        over_time()
    tell(
        *(
            message(source, **OTHER | {"classifierName": f"Deep {number}"}, classes=((2222 + number, 0.5),))
            for source in sources
            for number in range(9)
        )
    )
    with CaptureQueriesContext(connection) as many:
        assert len(over_time(2224).choices) == 9
    assert len(few) == len(many) == 3

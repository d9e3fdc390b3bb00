"""The hot list's columns and orders."""

import pytest

from elasticc2.hotcolumns import COLUMNS, LATEST_FIRST, SORT_KEYS, Sort, classifiers
from elasticc2.models import BrokerClassifier

KEYS = [*SORT_KEYS, "ia7"]


def test_every_column_can_be_sorted_by():
    assert [column.key for column in COLUMNS] == list(SORT_KEYS)


@pytest.mark.parametrize("text", ["peak", "-peak", "ia7", "-ia7", "object"])
def test_an_order_is_written_as_it_is_read(text):
    assert str(Sort.parse(text, KEYS)) == text


@pytest.mark.parametrize("text", ["flux", "--peak", "ia8", "ia", "-", "peak desc", "ra; --"])
def test_an_order_that_there_is_not_is_refused_by_name(text):
    with pytest.raises(
        ValueError, match=r"^sort must be one of object, ra, dec, .*, ia7, with or without a -"
    ):
        Sort.parse(text, KEYS)


def test_a_column_shows_first_what_one_looks_for_first():
    firsts = [str(Sort.first(key)) for key in KEYS]
    assert firsts == ["object", "ra", "dec", "-detections", "-latest", "mag", "peak", "z", "-ia7"]


def test_the_other_order_of_the_other_order_is_the_same():
    assert LATEST_FIRST.reverse == Sort("latest")
    assert LATEST_FIRST.reverse.reverse == LATEST_FIRST


def test_an_order_is_told_to_readers_of_screens_and_of_words():
    peak = next(column for column in COLUMNS if column.key == "peak")
    assert (Sort("peak").aria, peak.order(Sort("peak"))) == ("ascending", "Peak, brightest first")
    assert (LATEST_FIRST.aria, peak.order(Sort("peak").reverse)) == ("descending", "Peak, faintest first")


def test_an_order_by_an_opinion_names_its_classifier():
    assert Sort("ia7").classifier_id == 7
    assert Sort("ra").classifier_id is None


@pytest.mark.django_db
def test_each_classifier_is_a_column_in_order_of_broker_and_name():
    for broker, name, version in (("B", "x", None), ("A", "y", "2"), ("A", "x", None)):
        BrokerClassifier.objects.create(
            brokername=broker, brokerversion=version, classifiername=name, classifierparams="p"
        )
    columns = [classifier.column for classifier in classifiers()]
    assert [(column.label, column.unit) for column in columns] == [
        ("p(Ia) y", "A 2 p"),
        ("p(Ia) x", "A p"),
        ("p(Ia) x", "B p"),
    ]
    assert [int(column.key.removeprefix("ia")) for column in columns] == [
        classifier.classifier_id for classifier in classifiers()
    ]

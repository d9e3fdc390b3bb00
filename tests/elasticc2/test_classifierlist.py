"""Classifiers, how many messages they sent, and the last one in words."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from elasticc2 import classifierlist
from elasticc2.classifierlist import (
    ClassifierRow,
    broker_names,
    classifier_rows,
    classifiers_of,
    latest_messages,
    name_of,
)
from elasticc2.models import BrokerClassifier
from tests.elasticc2.sky import hear, message

pytestmark = pytest.mark.django_db


def moment() -> datetime:
    return datetime.now(UTC)


def rows(brokers: set[str] | None = None) -> list[ClassifierRow]:
    return classifier_rows(list(classifiers_of(brokers)), latest_messages(moment=moment()))


def store(where: str, *, hours_ago: int) -> None:
    """Set when messages were stored."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE elasticc2_brokermessage SET descingesttimestamp = now() - make_interval(hours => %s)"
            f" WHERE {where}",
            (hours_ago,),
        )


def test_classifiers_come_by_their_names_of_the_brokers_asked_for() -> None:
    hear(message(1), message(1, brokerName="Ant"), message(1, classifierName="Aged"))
    assert [name_of(one) for one in classifiers_of(None)] == [
        "Ant v1.0 NugentClassifier 100%",
        "FakeBroker v1.0 Aged 100%",
        "FakeBroker v1.0 NugentClassifier 100%",
    ]
    assert [one.brokername for one in classifiers_of({"Ant"})] == ["Ant"]
    assert list(classifiers_of(set())) == []
    assert broker_names() == ["Ant", "FakeBroker"]


def test_empty_names_are_left_out() -> None:
    assert name_of(BrokerClassifier(brokername="A", brokerversion="", classifiername="B")) == "A B"


def test_messages_are_counted_in_all_and_of_late() -> None:
    hear(*(message(source) for source in (1, 2, 3)), message(1, brokerName="Ant"))
    store("diasource_id = 1", hours_ago=8 * 24)
    ant, fake = rows()
    assert (ant.total.rows, ant.recent) == (1, 0)
    assert (fake.total.rows, fake.recent, fake.total.about) == (3, 2, False)


def test_a_classifier_without_messages_has_none() -> None:
    BrokerClassifier.objects.create(brokername="Ant", classifiername="Silent")
    (row,) = rows()
    assert (row.total.rows, row.recent, row.last) == (0, 0, None)


def test_the_last_message_is_in_words() -> None:
    hear(message(7))
    hear(message(8, classes=((2222, 0.25), (111, 0.75))))
    (row,) = rows()
    assert row.last
    assert (row.last.alert_id, row.last.diasource_id, row.last.named) == (8, 8, 2)
    assert row.last.came_over_rest
    assert [(one.classid, one.description, one.probability) for one in row.last.classes] == [
        (111, "", 0.75),
        (2222, "Ia", 0.25),
    ]
    assert row.last.alert_published == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert row.last.broker_ingested == datetime(2023, 11, 14, 22, 13, 21, tzinfo=UTC)
    assert row.last.header is None


def test_the_last_message_may_be_old() -> None:
    hear(message(7))
    store("true", hours_ago=400 * 24)
    (row,) = rows()
    assert row.last
    assert (row.recent, row.last.alert_id) == (0, 7)


def test_a_message_that_names_no_class_is_a_message() -> None:
    hear(message(7, classes=()))
    (row,) = rows()
    assert row.last
    assert (row.last.named, row.last.classes) == (0, [])


def test_of_many_classes_the_likeliest_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    many = [(classid, classid / 10_000) for classid in range(1, 101)]
    hear(message(7, classes=many))
    (row,) = rows()
    assert row.last
    assert row.last.named == 100
    assert [one.classid for one in row.last.classes] == list(
        range(100, 100 - classifierlist.SHOWN_CLASSES, -1)
    )


def test_of_many_messages_the_latest_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    hear(*(message(source) for source in (1, 2, 3)), message(4, brokerName="Ant"))
    store("diasource_id = 4", hours_ago=3)
    store("diasource_id = 3", hours_ago=2)
    monkeypatch.setattr(classifierlist, "LATEST", classifierlist.LATEST.replace("LIMIT 100000", "LIMIT 3"))
    monkeypatch.setattr(classifierlist, "LOOKED_AT", 3)
    latest = latest_messages(moment=moment())
    assert latest.reaches_back
    assert latest.since == latest.reaches_back
    assert timedelta(hours=1.9) < moment() - latest.since < timedelta(hours=2.1)
    ant, fake = classifier_rows(list(classifiers_of(None)), latest)
    assert (ant.total.rows, ant.recent, ant.last) == (1, 0, None)
    assert fake.recent == 3


def test_a_large_table_is_estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    hear(*(message(source) for source in range(1, 301)))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE elasticc2_brokermessage")
    monkeypatch.setattr(classifierlist, "COUNTED_EXACTLY", 100)
    (row,) = rows()
    assert row.total.about
    assert 250 <= row.total.rows <= 350


def test_any_number_of_classifiers_takes_as_many_statements(
    django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    hear(*(message(1, classifierName=f"Deep {number}") for number in range(30)))
    with django_assert_num_queries(6):
        assert len(rows()) == 30

"""Broker messages: each stored once, and each of them news once."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.elasticc2.sky import hear, message, rows, value

pytestmark = pytest.mark.django_db


def news() -> list[list[int]]:
    return [ids for (ids,) in rows("SELECT diasource_ids FROM elasticc2_brokernews ORDER BY news_id")]


def test_a_message_is_stored_with_all_it_said() -> None:
    stored = hear(message(5, classes=[(2222, 0.25), (112, 0.75)], brokerPublishTimestamp=1_700_000_002_000))
    (row,) = rows(
        "SELECT brokermessage_id, streammessage_id, topicname, topicpartition, alert_id, diasource_id,"
        " classid, probability, msghdrtimestamp::text, elasticcpublishtimestamp::text,"
        " brokeringesttimestamp::text,"
        " descingesttimestamp >= now()"
        " FROM elasticc2_brokermessage"
    )
    assert row == (
        *(stored.first_id, -1, "REST_push", None, 5, 5),
        *([2222, 112], [0.25, 0.75]),
        *("2023-11-14 22:13:22+00", "2023-11-14 22:13:20+00", "2023-11-14 22:13:21+00"),
        True,
    )


def test_the_same_messages_again_are_duplicates_and_no_news() -> None:
    first = hear(message(5), message(6))
    again = hear(message(6), message(5))
    assert (first.loaded, first.duplicates) == (2, 0)
    assert (again.loaded, again.duplicates, again.first_id) == (0, 2, first.first_id + 1)
    assert news() == [[5, 6]]


@pytest.mark.parametrize(
    "change",
    [
        {"brokerPublishTimestamp": 1_700_000_002_000},
        {"classifierParams": "99%"},
        {"classifications": [{"classId": 2222, "probability": 0.5}]},
        {"classifications": [{"classId": 2223, "probability": 1.0}]},
        {"alertId": 50},
    ],
)
def test_another_opinion_is_another_message(change: dict[str, Any]) -> None:
    hear(message(5))
    assert hear(message(5, **change)).loaded == 1


@pytest.mark.parametrize(
    "change", [{"brokerIngestTimestamp": None}, {"elasticcPublishTimestamp": 1_700_000_009_000}]
)
def test_when_the_broker_got_the_alert_is_not_part_of_the_identity(change: dict[str, Any]) -> None:
    hear(message(5))
    assert hear(message(5, **change)).duplicates == 1


def test_in_one_request_a_classifier_speaks_once_on_an_alert() -> None:
    stored = hear(message(5), message(5, classes=[(2223, 1.0)]), message(5, classifierName="Other"))
    assert (stored.loaded, stored.duplicates) == (2, 1)
    said = rows("SELECT classid FROM elasticc2_brokermessage ORDER BY brokermessage_id")
    assert said == [([2222],), ([2222],)]


def test_ids_follow_the_order_of_the_request() -> None:
    hear(message(9), message(3), message(6))
    assert rows("SELECT diasource_id FROM elasticc2_brokermessage ORDER BY brokermessage_id") == [
        (9,),
        (3,),
        (6,),
    ]


def test_classifiers_are_made_once_whatever_is_missing_of_their_name() -> None:
    for _ in range(2):
        hear(message(5), message(5, brokerVersion=None, classifierParams=None), message(5, brokerVersion=""))
    assert value("SELECT count(*) FROM elasticc2_brokerclassifier") == 3
    assert value("SELECT count(DISTINCT classifier_id) FROM elasticc2_brokermessage") == 3


def test_every_source_is_on_the_public_mirror_once() -> None:
    hear(message(5), message(5, classifierName="Other"), message(4))
    hear(message(5, classes=[(2223, 1.0)]))
    assert rows("SELECT diasource_id FROM elasticc2_brokersourceids ORDER BY 1") == [(4,), (5,)]
    assert news() == [[4, 5], [5]]


SMALL = st.builds(
    message,
    st.integers(1, 3),
    classes=st.lists(st.tuples(st.integers(2222, 2223), st.sampled_from([0.25, 0.5])), max_size=2),
    classifierName=st.sampled_from("ab"),
)


@given(st.lists(st.lists(SMALL, min_size=1, max_size=5), min_size=1, max_size=4))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_batches_said_twice_are_stored_once(batches: list[list[dict[str, Any]]]) -> None:
    for batch in batches:
        hear(*batch)
    before = value("SELECT count(*) FROM elasticc2_brokermessage")
    for batch in batches:
        stored = hear(*batch)
        assert (stored.loaded, stored.duplicates) == (0, len(batch))
    assert value("SELECT count(*) FROM elasticc2_brokermessage") == before

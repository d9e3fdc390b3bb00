"""Stored broker messages are found again."""

from typing import Any

import pytest

from elasticc2.reveal import reveal
from tests.elasticc2.conftest import Ask
from tests.elasticc2.sky import add_object, hear, message

pytestmark = pytest.mark.django_db

SEVEN = [(60000.0, "g", 30.0, True), (60001.0, "g", 30.0, True)]


@pytest.fixture(autouse=True)
def heard(db: None) -> list[int]:
    """Ids of four messages: two on object 7, one on object 8, one on a source that nobody knows."""
    sources = [*add_object(7, SEVEN), *add_object(8, SEVEN[:1]), 999]
    first = hear(*(message(source, brokerPublishTimestamp=1_700_000_002_000) for source in sources)).first_id
    reveal()
    return list(range(first, first + 4))


def found(ask: Ask, page: str, body: Any = None) -> list[int]:
    answer = ask(page, body).json()
    assert answer["count"] == len(answer["brokermessages"])
    return [entry["diasource_id"] for entry in answer["brokermessages"]]


def test_without_filters_all_are_found_in_order(ask: Ask) -> None:
    answer = ask("brokermessage/").json()
    assert {key: answer[key] for key in ("offset", "num", "count", "totalcount")} == {
        "offset": 0,
        "num": 100,
        "count": 4,
        "totalcount": 4,
    }
    assert found(ask, "brokermessage") == [700000, 700001, 800000, 999]


@pytest.mark.parametrize(
    ("filters", "sources"),
    [
        ({"sourceid": 999}, [999]),
        ({"objectid": [7]}, [700000, 700001]),
        ({"objectid": [7, 8], "sourceid": [700001, 999]}, [700001]),
        ({"alertid": [700001, 999, 5]}, [700001, 999]),
        ({"objectid": 5}, []),
        ({"sourceid": []}, []),
        ({"offset": 1, "num": 2}, [700001, 800000]),
    ],
)
def test_filters_are_taken_together(ask: Ask, filters: dict[str, Any], sources: list[int]) -> None:
    assert found(ask, "brokermessage/", filters) == sources


def test_filters_may_stand_in_the_url(ask: Ask) -> None:
    assert found(ask, "brokermessage/objectid=7,8/offset=1/num=1/") == [700001]
    assert found(ask, "brokermessage/?sourceid=999,800000") == [800000, 999]


def test_the_total_counts_all_pages(ask: Ask) -> None:
    assert ask("brokermessage/objectid=7/num=1").json()["totalcount"] == 2


def test_a_message_is_found_by_its_id(ask: Ask, heard: list[int]) -> None:
    answer = ask.client.get(f"/elasticc2/brokermessage/{heard[0]}").json()
    expected = {
        "brokermessage_id": heard[0],
        "alert_id": 700000,
        "diasource_id": 700000,
        "streammessage_id": -1,
        "topicname": "REST_push",
        "topicpartition": None,
        "msghdrtimestamp": "2023-11-14T22:13:22Z",
        "brokeringesttimestamp": "2023-11-14T22:13:21Z",
        "elasticcpublishtimestamp": "2023-11-14T22:13:20Z",
        "classid": [2222],
        "probability": [1.0],
        "brokername": "FakeBroker",
        "brokerversion": "v1.0",
        "classifiername": "NugentClassifier",
        "classifierparams": "100%",
    }
    assert {key: answer[key] for key in expected} == expected
    assert set(answer) - set(expected) == {"descingesttimestamp", "classifier_id"}


def test_no_message_is_an_empty_object(ask: Ask) -> None:
    assert ask("brokermessage/1234567890/").json() == {}


@pytest.mark.parametrize(
    ("page", "body", "key"),
    [
        ("brokermessage/", {"alert": 5}, "alert"),
        ("brokermessage/", {"num": 0}, "num"),
        ("brokermessage/", {"num": 10_001}, "num"),
        ("brokermessage/", {"offset": -1}, "offset"),
        ("brokermessage/", {"sourceid": "x"}, "sourceid"),
        ("brokermessage/", [5], "object"),
        ("brokermessage/alert=5", {}, "alertid"),
        ("brokermessage/sourceid=x", {}, "sourceid"),
        ("brokermessage/anything", {}, "anything"),
    ],
)
def test_what_is_wrong_with_a_filter_is_named(ask: Ask, page: str, body: Any, key: str) -> None:
    response = ask(page, body)
    assert response.status_code == 400
    assert key in response.content.decode()

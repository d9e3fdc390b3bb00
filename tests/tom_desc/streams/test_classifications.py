"""What of a broker's messages is valid, and what is said of the rest."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.elasticc2.sky import message
from tom_desc.streams import classifications
from tom_desc.streams.classifications import REQUIRED_KEYS, check, together

NO_IDS = (0, -1, 2**63, 1.0, "1", True, None)
NO_NAMES = ("", "a\0b", "\ud800", 5, None)


def reason(broken: Any) -> str:
    """What is said of the one message that is not valid, between two that are."""
    batch, rejects = check([message(1), broken, message(3)])
    assert batch.places.tolist() == [0, 2]
    (reject,) = rejects
    assert reject.place == 1
    return reject.reason


def test_valid_messages_become_columns() -> None:
    first = message(5, classes=[(2222, 0.25), (2223, 0.75)], brokerPublishTimestamp=1_700_000_002_000.5)
    batch, rejects = check([first, message(6, classes=[], brokerIngestTimestamp=None, classifierParams=None)])
    assert rejects == []
    assert batch.alert_ids.tolist() == batch.source_ids.tolist() == [5, 6]
    assert batch.classifiers[1] == ("FakeBroker", "v1.0", "NugentClassifier", None)
    assert batch.header[0] == np.datetime64("2023-11-14T22:13:22.000500")
    assert np.isnat(batch.header[1]) and np.isnat(batch.ingested[1])
    assert (batch.classids.values.tolist(), batch.classids.counts.tolist()) == ([2222, 2223], [2, 0])
    assert batch.probabilities.values.tolist() == [0.25, 0.75]


@pytest.mark.parametrize("key", REQUIRED_KEYS)
def test_a_missing_key_is_named(key: str) -> None:
    broken = message(2)
    del broken[key]
    assert reason(broken) == f"missing {key}"


@pytest.mark.parametrize("broken", [None, 5, "text", [], [message(2)]])
def test_a_message_that_is_no_object_is_refused(broken: Any) -> None:
    assert reason(broken) == "a message must be a JSON object"


NO_VALUES: dict[str, tuple[Any, ...]] = {
    "alertId": NO_IDS,
    "diaSourceId": NO_IDS,
    "brokerName": (*NO_NAMES, "x" * 101),
    "classifierName": (*NO_NAMES, "x" * 201),
    "brokerVersion": (5, "a\0b", ["x"]),
    "classifierParams": (5, "a\0b", ["x"]),
    "elasticcPublishTimestamp": ("now", None, 1_700_000_000, float("nan"), True),
    "brokerIngestTimestamp": ("now", 5e15, float("inf")),
    "brokerPublishTimestamp": ("now", -1),
    "classifications": (None, {}, [5], [{"classId": 1}], [{"probability": 1}]),
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key in NO_VALUES for value in NO_VALUES[key]])
def test_a_value_that_cannot_be_is_named_with_its_key(key: str, value: Any) -> None:
    assert key in reason(message(2, **{key: value}))


@pytest.mark.parametrize("classid", [2**15, -(2**15) - 1, 1.0, "2222", None, True])
def test_a_class_id_that_does_not_fit_is_refused(classid: Any) -> None:
    assert "classId must be an integer that fits 16 bits" in reason(
        message(2, classes=[(2222, 0.5), (classid, 0.5)])
    )


@pytest.mark.parametrize("probability", [float("nan"), float("inf"), 1e39, -1e39, "0.5", None, True, 10**400])
def test_a_probability_that_is_not_finite_is_refused(probability: Any) -> None:
    assert "probability must be a finite number" in reason(message(2, classes=[(2222, probability)]))


def test_size_alone_is_no_reason() -> None:
    batch, rejects = check([message(1), message(2, classes=[(2222, 0.0)] * 100_000)])
    assert rejects == []
    assert batch.classids.counts.tolist() == [1, 100_000]


def test_more_classes_than_postgresql_takes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifications, "MOST_CLASSES", 2)
    assert "classifications are 3, more than 2" in reason(message(2, classes=[(2222, 0.0)] * 3))


@given(st.lists(st.integers(0, 5), max_size=6).map(np.array).filter(len), st.data())
@settings(deadline=None)
def test_taking_all_messages_in_another_order_moves_everything_of_them(
    counts: np.ndarray, data: st.DataObject
) -> None:
    said = [
        message(place + 1, classes=[(place, k) for k in range(count)], brokerVersion=str(place))
        for place, count in enumerate(counts.tolist())
    ]
    order = np.array(data.draw(st.permutations(range(len(said)))))
    taken = check(said)[0].take(order)
    again = check([said[place] for place in order.tolist()])[0]
    assert taken.places.tolist() == order.tolist()
    assert taken.source_ids.tolist() == again.source_ids.tolist()
    assert taken.classifiers == again.classifiers
    assert taken.classids.values.tolist() == again.classids.values.tolist()
    assert taken.probabilities.values.tolist() == again.probabilities.values.tolist()
    assert taken.classids.counts.tolist() == again.classids.counts.tolist()


def test_parts_are_put_together_in_the_order_of_their_places() -> None:
    batch = check([message(source) for source in range(1, 6)])[0]
    parts = [batch.take(np.array(rows, int)) for rows in ([1, 4], [], [0, 2, 3])]
    assert together(parts).source_ids.tolist() == [1, 2, 3, 4, 5]
    assert len(together([])) == 0


def test_a_reject_names_the_broker_where_one_is_named() -> None:
    _, rejects = check([message(-1), message(1, brokerName=5), "nothing"])
    assert [reject.brokername for reject in rejects] == ["FakeBroker", None, None]


@pytest.mark.parametrize("key", ["brokerVersion", "classifierParams"])
def test_names_that_the_database_cannot_hold_together_are_refused(key: str) -> None:
    assert "longer than 2500 bytes together" in reason(message(2) | {key: "\u20ac" * 850})


def test_every_reason_is_given() -> None:
    said = reason(message(2, alertId=-1, brokerName="", classes=[(99999, 1.0)]))
    assert [word in said for word in ("alertId", "brokerName", "classId")] == [True, True, True]


def test_an_account_bound_to_brokers_speaks_for_them_only() -> None:
    batch, rejects = check([message(1), message(2, brokerName="Other")], brokers={"FakeBroker"})
    assert len(batch) == 1
    assert rejects[0].reason == "brokerName 'Other' is not one of this account's brokers"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.lists(st.tuples(st.sampled_from([*REQUIRED_KEYS, "brokerPublishTimestamp"]), JSON), max_size=4), JSON
)
def test_whatever_comes_is_either_stored_or_refused(changes: list[tuple[str, Any]], anything: Any) -> None:
    batch, rejects = check([message(1) | dict(changes), anything])
    assert len(batch) + len(rejects) == 2
    assert len(batch.classids) == len(batch.probabilities) == len(batch)

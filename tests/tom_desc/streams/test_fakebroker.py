import io

import fastavro
import pytest

from tom_desc.streams.classifications import check
from tom_desc.streams.fakebroker import ALWAYS_THE_SAME, CLASSIFIERS, NUGENT, RANDOM_SN_TYPE
from tom_desc.streams.schemas import BROKER_CLASSIFICATION, schema

ALERT_IDS = [1, 155218500005, 2**63 - 1, *range(17267100000, 17267100100)]
PUBLISHED, NOW = 1_700_000_000_000, 1_700_000_000_250


def answer(classifier, alert_id=155218500005):
    return classifier.answer(alert_id=alert_id, diasource_id=alert_id + 7, published_ms=PUBLISHED, now_ms=NOW)


@pytest.mark.parametrize("classifier", CLASSIFIERS.values(), ids=CLASSIFIERS)
@pytest.mark.parametrize("alert_id", ALERT_IDS[:10])
def test_probabilities_add_up_to_one(classifier, alert_id):
    probabilities = [probability for _, probability in classifier.opinion(alert_id)]
    assert sum(probabilities) == pytest.approx(1)
    assert min(probabilities) >= 0


def test_nugent_says_that_everything_is_a_ia():
    assert {tuple(NUGENT.opinion(alert_id)) for alert_id in ALERT_IDS} == {((2222, 1.0),)}


def test_random_has_each_exact_class_once_with_slsn_last():
    classes = [classid for classid, _ in RANDOM_SN_TYPE.opinion(155218500005)]
    assert sorted(classes) == [
        *(2222, 2223, 2224, 2225, 2226, 2232, 2233, 2234, 2235, 2242),
        *(2243, 2244, 2245, 2246, 2322, 2323, 2324, 2325, 2326, 2332),
    ]
    assert classes[-1] == 2242


def test_random_answers_the_same_alert_the_same_way():
    assert answer(RANDOM_SN_TYPE) == answer(RANDOM_SN_TYPE)


def test_random_answers_different_alerts_differently():
    orders = {tuple(classid for classid, _ in RANDOM_SN_TYPE.opinion(alert_id)) for alert_id in ALERT_IDS}
    assert len(orders) == len(ALERT_IDS)


@pytest.mark.parametrize("classifier", [NUGENT, RANDOM_SN_TYPE])
def test_an_answer_without_a_time_of_its_own_can_be_repeated(classifier):
    assert "brokerPublishTimestamp" not in answer(classifier)


def test_the_api_classifier_publishes_no_earlier_than_it_took_the_alert_in():
    message = answer(ALWAYS_THE_SAME)
    assert message["brokerPublishTimestamp"] >= message["brokerIngestTimestamp"] == NOW


def test_the_api_classifier_always_says_the_same():
    assert answer(ALWAYS_THE_SAME)["classifications"] == [
        {"classId": 111, "probability": 0.25},
        {"classId": 112, "probability": 0.75},
    ]


@pytest.mark.parametrize("classifier", CLASSIFIERS.values(), ids=CLASSIFIERS)
def test_an_answer_names_alert_source_times_and_classifier(classifier):
    message = answer(classifier)
    assert (message["alertId"], message["diaSourceId"]) == (155218500005, 155218500012)
    assert message["elasticcPublishTimestamp"] == PUBLISHED
    names = ("brokerName", "brokerVersion", "classifierName", "classifierParams")
    assert tuple(message[name] for name in names) == classifier.names


@pytest.mark.parametrize("classifier", CLASSIFIERS.values(), ids=CLASSIFIERS)
def test_an_answer_is_a_record_of_the_schema_and_valid_over_rest(classifier):
    message = answer(classifier)
    fastavro.schemaless_writer(
        io.BytesIO(), schema(BROKER_CLASSIFICATION), message, strict_allow_default=False
    )
    assert check([message])[1] == []

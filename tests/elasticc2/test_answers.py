from datetime import UTC, datetime, timedelta

import orjson
import pytest
from django.db import connection

from elasticc2.alerts import alerts_by_time, count_unsent
from elasticc2.answers import Answered, Receipt, answer_sent, answer_unsent, count_unanswered
from tom_desc.streams.fakebroker import ALWAYS_THE_SAME, NUGENT, RANDOM_SN_TYPE

START = datetime(2023, 4, 1, tzinfo=UTC)
BOTH = (NUGENT, RANDOM_SN_TYPE)


class Refused(Exception):
    """What a put raises here where the TOM says no."""


class Clock:
    """A wall clock that is a second later each time."""

    def __init__(self, start=START):
        self.moment = start

    def __call__(self):
        self.moment += timedelta(seconds=1)
        return self.moment


@pytest.fixture
def cursor(real_survey):
    with connection.cursor() as cursor:
        yield cursor


@pytest.fixture
def put(broker, client):
    """Hands messages to the real endpoint, in the test's own process and transaction."""
    client.force_login(broker)

    def put(messages):
        answer = client.put("/elasticc2/brokermessage/", messages, content_type="application/json")
        if answer.status_code != 201:
            raise Refused(answer.content.decode())
        counts = orjson.loads(answer.content)
        return Receipt(stored=counts["num_loaded"], duplicates=counts["num_duplicates"])

    return put


def answer_all(cursor, put, *, classifiers=BOTH, through_mjd=60578.0, batch=100):
    passed = answer_unsent(
        cursor, put, classifiers=classifiers, through_mjd=through_mjd, batch=batch, now=Clock()
    )
    return sum(passed, Answered())


def answer_all_sent(cursor, put, *, through_mjd=60578.0, batch=100):
    passed = answer_sent(
        cursor,
        put,
        classifier=ALWAYS_THE_SAME,
        through_mjd=through_mjd,
        batch=batch,
        now=Clock(START + timedelta(days=1)),
    )
    return sum(passed, Answered())


def count(cursor, condition="true"):
    cursor.execute(f"SELECT count(*) FROM elasticc2_brokermessage WHERE {condition}")
    return cursor.fetchone()[0]


def test_both_classifiers_answer_every_unsent_alert_once(cursor, put):
    assert answer_all(cursor, put) == Answered(alerts=545, messages=1090, stored=1090, duplicates=0)
    assert answer_all(cursor, put) == Answered()
    cursor.execute(
        "SELECT count(*) FROM elasticc2_ppdbalert a WHERE (a.alertsenttimestamp IS NOT NULL) <>"
        " ((SELECT count(*) FROM elasticc2_brokermessage m WHERE m.alert_id = a.alert_id) = 2)"
    )
    assert cursor.fetchone() == (0,)


def test_a_later_pass_goes_on_where_the_last_one_ended(cursor, put):
    answer_all(cursor, put)
    assert answer_all(cursor, put, through_mjd=60675.5).alerts == 105
    assert count(cursor) == 1300


def test_alerts_are_answered_in_order_of_time(cursor, put):
    expected = alerts_by_time(cursor, through_mjd=60578, limit=10_000)["alert_id"].tolist()
    answered: list[int] = []

    def remember(messages):
        answered.extend(message["alertId"] for message in messages)
        return put(messages)

    answer_all(cursor, remember, classifiers=[NUGENT], batch=7)
    assert answered == expected


def test_answering_an_alert_again_is_the_same_message(cursor, put):
    answer_all(cursor, put)
    cursor.execute("UPDATE elasticc2_ppdbalert SET alertsenttimestamp = NULL")
    assert answer_all(cursor, put) == Answered(alerts=545, messages=1090, stored=0, duplicates=1090)
    assert count(cursor) == 1090


def test_alerts_whose_answers_were_not_accepted_stay_unsent(cursor, put):
    calls: list[int] = []

    def refuse_the_third(messages):
        calls.append(len(messages))
        if len(calls) == 3:
            raise Refused
        return put(messages)

    with pytest.raises(Refused):
        answer_all(cursor, refuse_the_third, batch=50)
    assert calls == [100, 100, 100]
    assert count_unsent(cursor, through_mjd=60578) == 445
    assert count(cursor) == 200


def test_an_alert_is_marked_sent_when_its_answers_say_it_was_published(cursor, put):
    answer_all(cursor, put)
    cursor.execute(
        "SELECT count(*), count(DISTINCT alertsenttimestamp) FROM elasticc2_brokermessage"
        " JOIN elasticc2_ppdbalert USING (alert_id) WHERE elasticcpublishtimestamp = alertsenttimestamp"
    )
    assert cursor.fetchone() == (1090, 6)


def test_the_api_classifier_answers_what_was_sent_and_marks_nothing(cursor, put):
    answer_all(cursor, put)
    assert answer_all_sent(cursor, put, through_mjd=70000).alerts == 545
    assert count(cursor, "classid = '{111,112}' AND probability = '{0.25,0.75}'") == 545
    assert count_unsent(cursor, through_mjd=70000) == 1862 - 545


def test_the_api_classifier_answers_an_alert_once(cursor, put):
    answer_all(cursor, put)
    answer_all_sent(cursor, put, through_mjd=60400)
    left = count_unanswered(cursor, classifier=ALWAYS_THE_SAME, through_mjd=60578)
    assert 0 < left < 545
    assert answer_all_sent(cursor, put).stored == left
    assert answer_all_sent(cursor, put) == Answered()
    assert count_unanswered(cursor, classifier=ALWAYS_THE_SAME, through_mjd=60578) == 0


def test_the_api_classifier_has_the_times_in_order(cursor, put):
    answer_all(cursor, put, through_mjd=60300)
    answer_all_sent(cursor, put)
    in_order = (
        "elasticcpublishtimestamp <= brokeringesttimestamp AND brokeringesttimestamp <= msghdrtimestamp"
    )
    assert count(cursor, in_order) == count(cursor, "classid = '{111,112}'") > 0


def test_a_tally_says_what_was_done():
    assert str(Answered(1, 2, 3, 4)) == "1 alerts, 2 messages, 3 stored, 4 duplicates"

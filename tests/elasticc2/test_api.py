"""The JSON endpoints: documented answers, documented sentences."""

import base64
import json
import logging
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from elasticc2.api import AlertRequest, HotRequest, LightCurveRequest, MessageFilters
from elasticc2.campaign import HOSTINFO_COLUMNS
from elasticc2.models import DiaObject, SpectrumInfo
from elasticc2.reveal import reveal
from tests.elasticc2.conftest import Ask
from tests.elasticc2.sky import add_object, hear, message
from tom_desc.accounts.groups import make_groups
from tom_desc.accounts.models import BrokerAccount
from tom_desc.campaigns.models import Campaign
from tom_desc.mjd import mjd_tai

pytestmark = pytest.mark.django_db

SEVEN = [(60000.0, "g", 30.0, True), (60001.5, "Y", 90.25, True)]
EIGHT = [(60100.0, "r", 55.5, True), (60101.0, "r", -3.0, False)]
NINE = [(60200.0, "i", 55.5, True)]


@pytest.fixture(autouse=True)
def sky(db: None) -> None:
    """Three objects that brokers spoke of, and one that none did."""
    Campaign.objects.update(zeropoint=31.4, flux_unit="nJy")
    for objectid, points in ((7, SEVEN), (8, EIGHT), (9, NINE)):
        hear(*(message(source) for source in add_object(objectid, points, ra=objectid + 0.5)))
    add_object(10, NINE)
    reveal()


def refusal(response: Any) -> str:
    """The sentence of a 4xx as scripts print it."""
    assert 400 <= response.status_code < 500
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    return str(response.content.decode())


def test_a_light_curve_is_an_object_with_its_photometry(ask: Ask) -> None:
    assert ask("ltcv", {"objectid": 7}).json() == {
        "status": "ok",
        "diaobject": [
            {
                "objectid": 7,
                "ra": 7.5,
                "dec": -5.0,
                "zp": 31.4,
                "redshift": -99,
                "sncode": -99,
                "photometry": {
                    "mjd": [60000.0, 60001.5],
                    "band": ["g", "Y"],
                    "flux": [30.0, 90.25],
                    "fluxerr": [10.0, 10.0],
                },
            }
        ],
        "unknown": [],
    }


def test_the_three_formats_say_the_same(ask: Ask) -> None:
    nested, flat, lists = (
        ask("ltcv", {"objectids": [8, 7], "return_format": form}).json()["diaobject"] for form in (0, 1, "2")
    )
    assert flat == [o | o.pop("photometry") for o in json.loads(json.dumps(nested))]
    assert lists == {key: [entry[key] for entry in flat] for key in lists}
    assert set(lists) == set(flat[0])
    assert lists["objectid"] == [7, 8]


@pytest.mark.parametrize("page", ["ltcv", "ltcv/", "ltcvs", "ltcvs/"])
@pytest.mark.parametrize(
    "body", [{"objectid": 7}, {"objectid": "7"}, {"objectids": [7, 7]}, {"objecitds": [7]}]
)
def test_every_way_to_ask_for_an_object(ask: Ask, page: str, body: dict[str, Any]) -> None:
    assert [entry["objectid"] for entry in ask(page, body).json()["diaobject"]] == [7]


def test_get_with_a_body_answers_like_post(ask: Ask) -> None:
    asked = orjson.dumps({"objectid": 7})
    response = ask.client.generic("GET", "/elasticc2/ltcv", asked)
    assert response.content == ask("ltcv", {"objectid": 7}).content


def test_unknown_objects_are_absent_and_named(ask: Ask) -> None:
    answer = ask("ltcv", {"objectids": [9, 2**62, 5, 10]}).json()
    assert [entry["objectid"] for entry in answer["diaobject"]] == [9]
    assert answer["unknown"] == [5, 10, 2**62]


def test_an_empty_list_of_objects_has_no_light_curves(ask: Ask) -> None:
    assert ask("ltcv", {"objectids": []}).json() == {"status": "ok", "diaobject": [], "unknown": []}


def test_photometry_ends_at_mjd_now(ask: Ask) -> None:
    (entry,) = ask("ltcv", {"objectid": 7, "mjd_now": 60000}).json()["diaobject"]
    assert entry["photometry"]["mjd"] == [60000.0]


def test_an_object_keeps_its_entry_where_all_its_points_are_later(ask: Ask) -> None:
    (entry,) = ask("ltcv", {"objectid": 7, "mjd_now": 59000}).json()["diaobject"]
    assert entry["photometry"] == {"mjd": [], "band": [], "flux": [], "fluxerr": []}


@pytest.mark.parametrize("form", [0, 1, 2])
def test_host_information_is_fifteen_keys_more(ask: Ask, form: int) -> None:
    def keys(**more: Any) -> set[str]:
        found = ask("ltcv", {"objectid": 7, "return_format": form, **more}).json()["diaobject"]
        return set(found[0] if form < 2 else found)

    assert keys(include_hostinfo=1) - keys() == set(HOSTINFO_COLUMNS)
    assert len(HOSTINFO_COLUMNS) == 15


def test_redshift_and_class_are_those_of_the_latest_spectrum(ask: Ask) -> None:
    seven = DiaObject(diaobject_id=7)
    for mjd, z, classid in ((60002, 0.25, 2222), (60010, None, 2223), (60020, 0.5, None)):
        SpectrumInfo.objects.create(facility="test", mjd=mjd, z=z, classid=classid, diaobject=seven)
    known = {
        mjd_now: (entry["redshift"], entry["sncode"])
        for mjd_now in (60001, 60005, 60015, None)
        for entry in ask("ltcv", {"objectid": 7, "mjd_now": mjd_now}).json()["diaobject"]
    }
    assert known == {60001: (-99, -99), 60005: (0.25, 2222), 60015: (0.25, 2223), None: (0.5, 2223)}


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"objectid": 7, "foo": 1}, "Unknown parameters: {'foo'}"),
        ({}, "Must supply either objectid or objectids"),
        ({"objectid": 7, "objectids": [8]}, "Can't supply both objectid and objectids"),
        ({"objectid": 7, "return_format": 3}, "Unknown return_format 3"),
        ({"objectid": 7, "return_format": None}, "Unknown return_format None"),
        ([7], "'list' object has no attribute 'keys'"),
        ({"objectid": "x"}, "objectid: must be an integer or a list of integers, not 'x'"),
        ({"objectid": [7.5]}, "objectid: must be an integer or a list of integers, not 7.5"),
        ({"objectid": 2**63}, "objectid: must be an integer or a list of integers, not 9223372036854775808"),
        ({"objectid": None}, "objectid: must be an integer or a list of integers, not None"),
        ({"objectid": True}, "objectid: must be an integer or a list of integers, not True"),
        ({"objectid": 7, "mjd_now": "x"}, "mjd_now: must be a number, not 'x'"),
        ({"objectid": 7, "mjd_now": [1]}, "mjd_now: must be a number, not [1]"),
    ],
)
def test_what_is_wrong_with_a_request_for_light_curves(ask: Ask, body: Any, sentence: str) -> None:
    response = ask("ltcv", body)
    assert refusal(response) == f"Exception in LtcvsView: {sentence}"
    assert response.status_code == 400


@pytest.mark.parametrize("page", ["ltcv", "gethottransients"])
@pytest.mark.parametrize("content", ["", "{", '{"mjd_now": NaN'])
def test_a_body_that_is_no_json_is_said_to_be_none(ask: Ask, page: str, content: str) -> None:
    response = ask.client.post(f"/elasticc2/{page}", content, content_type="text/html")
    name = {"ltcv": "LtcvsView", "gethottransients": "GetHotSNeView"}[page]
    with pytest.raises(ValueError) as expected:
        json.loads(content)
    assert refusal(response) == f"Exception in {name}: {expected.value}"


def test_errors_are_json_for_those_who_ask_for_it(ask: Ask) -> None:
    response = ask("ltcv", {"objectsid": 7}, Accept="application/json")
    assert response.status_code == 400
    assert response.json()["status"] == "error"
    assert response.json()["error"] == "Exception in LtcvsView: Unknown parameters: {'objectsid'}"
    assert "objectid" in response.json()["hint"]


def test_a_bad_request_leaves_one_line_in_the_log(ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        ask("ltcv", {"foo": 1})
    (record,) = caplog.records
    assert vars(record)["error"] == "Exception in LtcvsView: Unknown parameters: {'foo'}"
    assert vars(record)["user"] == "astronomer"


def hot(ask: Ask, **body: Any) -> list[int]:
    return [entry["objectid"] for entry in ask("gethottransients", body).json()["diaobject"]]


def test_hot_is_what_has_a_source_in_the_window(ask: Ask) -> None:
    assert hot(ask, detected_since_mjd=60000) == [7, 8, 9]
    assert hot(ask, detected_since_mjd=60001.6) == [8, 9]
    assert hot(ask, mjd_now=60100, detected_in_last_days=1) == [8]
    assert hot(ask, mjd_now=60031) == [7]


def test_a_hot_object_comes_with_its_whole_light_curve_up_to_mjd_now(ask: Ask) -> None:
    answer = ask("gethottransients", {"detected_since_mjd": 60001, "mjd_now": 60100.5}).json()
    points = {entry["objectid"]: entry["photometry"]["mjd"] for entry in answer["diaobject"]}
    assert points == {7: [60000.0, 60001.5], 8: [60100.0]}


def test_now_is_the_campaigns_clock(ask: Ask) -> None:
    """On the clock ``sent`` the window ends at the latest alert that was sent."""
    Campaign.objects.update(clock="sent", sent_mjd=60100.0)
    assert hot(ask) == [8]
    assert hot(ask, detected_since_mjd=60000) == [7, 8]
    Campaign.objects.update(clock="wall")
    days = mjd_tai(datetime.now(UTC)) - 60199
    assert hot(ask) == []
    assert hot(ask, detected_in_last_days=days) == [9]


def test_before_anything_was_sent_the_clock_is_at_the_first_source(ask: Ask) -> None:
    Campaign.objects.update(clock="sent", sent_mjd=None)
    assert hot(ask) == [7]


def test_hot_does_not_ask_whether_an_alert_was_marked_sent(ask: Ask) -> None:
    assert hot(ask, detected_since_mjd=60000) == [7, 8, 9]


def test_min_snr_asks_for_a_forced_point_in_the_window(ask: Ask) -> None:
    assert hot(ask, detected_since_mjd=60000, min_snr=6) == [7]
    assert hot(ask, detected_since_mjd=60000, mjd_now=60001, min_snr=6) == []


def test_hot_formats_agree(ask: Ask) -> None:
    asked = {"detected_since_mjd": 60000, "include_hostinfo": True}
    nested, flat, lists = (
        ask("gethottransients", {**asked, "return_format": form}).json()["diaobject"] for form in (0, 1, 2)
    )
    assert flat == [o | o.pop("photometry") for o in json.loads(json.dumps(nested))]
    assert lists == {key: [entry[key] for entry in flat] for key in lists}


def test_nothing_hot_is_empty_in_every_format(ask: Ask) -> None:
    empty = {"detected_since_mjd": 70000, "mjd_now": 70001}
    answers = [ask("gethottransients", {**empty, "return_format": f}).json()["diaobject"] for f in (0, 1, 2)]
    assert answers[:2] == [[], []]
    assert set(answers[2]) > {"objectid", "mjd", "zp"}
    assert all(column == [] for column in answers[2].values())


def test_the_older_name_adds_sne(ask: Ask) -> None:
    answer = ask("gethotsne", {"detected_since_mjd": 60000}).json()
    assert answer["sne"] == answer["diaobject"] != []


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"foo": 1}, "Error, unknown parameters passed in request body: ['foo']"),
        ({"return_format": 7}, "Error, unknown return_format 7"),
        (
            {"detected_since_mjd": 60000, "detected_in_last_days": 3},
            "Error, only give one of detected_since_mjd or detected_in_last_days",
        ),
        ({"cheat_gentypes": 10}, "Error, cheat_gentypes must be a list"),
        ({"cheat_gentypes": ["x"]}, "Error, cheat_gentypes must be a list of integers"),
        ({"mjd_now": "soon"}, "Exception in GetHotSNeView: mjd_now: must be a number, not 'soon'"),
    ],
)
def test_what_is_wrong_with_a_request_for_hot_transients(ask: Ask, body: Any, sentence: str) -> None:
    assert refusal(ask("gethottransients", body)) == sentence


def test_true_types_are_for_admins_until_the_campaign_has_ended(ask: Ask, root: Any) -> None:
    cheat = {"detected_since_mjd": 60000, "cheat_gentypes": []}
    assert ask("gethottransients", cheat).status_code == 403
    assert Ask(root)("gethottransients", cheat).json()["diaobject"] == []
    Campaign.objects.update(ended=True)
    assert ask("gethottransients", cheat).json()["diaobject"] == []


def test_an_alert_beyond_the_clock_is_unknown_to_users(ask: Ask, root: Any) -> None:
    Campaign.objects.update(clock="sent", sent_mjd=60100.0)
    assert ask("getalert", {"alertid": 800000}).status_code == 200
    future = ask("getalert", {"alertid": 900000})
    assert (future.status_code, refusal(future)) == (
        404,
        "Exception in GetAlert: PPDBAlert matching query does not exist.",
    )
    assert Ask(root)("getalert", {"alertid": 900000}).status_code == 200
    Campaign.objects.update(ended=True)
    assert ask("getalert", {"sourceid": 900000}).status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        ({"alertid": 666}, 404, "PPDBAlert matching query does not exist."),
        ({"sourceid": 666}, 404, "Unknown sourceid 666"),
        ({}, 400, "Must supply either alertid or sourceid"),
        ({"alertid": []}, 400, "alertid must be one integer"),
        ({"sourceid": "x"}, 400, "sourceid: must be an integer or a list of integers, not 'x'"),
    ],
)
def test_what_is_wrong_with_a_request_for_an_alert(ask: Ask, body: Any, status: int, sentence: str) -> None:
    response = ask("getalert", body)
    assert (response.status_code, refusal(response)) == (status, f"Exception in GetAlert: {sentence}")


def test_messages_are_put_once(broker: Any) -> None:
    put = Ask(broker).put
    first = put([message(700001), message(31)])
    assert first.status_code == 201
    answer = first.json()
    assert answer == {
        "brokerMessageId": answer["brokerMessageId"],
        "num_loaded": 1,
        "num_duplicates": 1,
        "num_rejected": 0,
        "rejected": [],
    }
    assert first["Location"] == f"http://testserver/elasticc2/brokermessage/{answer['brokerMessageId']}"
    again = put([message(700001), message(31)])
    assert (again.status_code, again.json()["brokerMessageId"]) == (201, answer["brokerMessageId"])
    assert (again.json()["num_loaded"], again.json()["num_duplicates"]) == (0, 2)


def test_one_message_needs_no_list(broker: Any) -> None:
    assert Ask(broker).put(message(31)).json()["num_loaded"] == 1


def test_what_can_be_stored_is_stored_and_the_rest_listed(broker: Any) -> None:
    response = Ask(broker).put([message(-1), message(31), {"alertId": 5}])
    assert response.status_code == 201
    assert response.json()["num_loaded"] == 1
    assert [reject["index"] for reject in response.json()["rejected"]] == [0, 2]
    assert "alertId must be a positive 64-bit integer, not -1" in response.json()["rejected"][0]["reason"]


@pytest.mark.parametrize("body", [[], {}, [5], "text", [message(1, alertId=0), message(2, brokerName=None)]])
def test_a_put_of_which_nothing_can_be_stored_is_refused_with_every_reason(broker: Any, body: Any) -> None:
    response = Ask(broker).put(orjson.dumps(body))
    assert response.status_code == 400
    assert len(refusal(response).splitlines()) == max(len(body) if isinstance(body, list) else 1, 1)


def test_a_dry_run_stores_nothing(broker: Any) -> None:
    assert Ask(broker).put([message(31), {}], query="?dry_run=1").json()["num_valid"] == 1
    assert Ask(broker).put([message(31)], query="?dry_run=perhaps").status_code == 400
    assert Ask(broker).put([message(31)], query="?dry_run=0").json()["num_loaded"] == 1


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "text/plain", "*/*"])
def test_what_a_client_accepts_is_no_reason_to_refuse(ask: Ask, accept: str) -> None:
    response = ask("ltcv", {"objectid": 7}, Accept=accept)
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")


@pytest.mark.parametrize(
    ("group", "status"),
    [
        ("Public", 403),
        ("fastdb_writer", 403),
        *((name, 201) for name in ("elasticc_broker", "Broker", "elasticc_admin")),
    ],
)
def test_who_may_put_messages_is_a_matter_of_groups(astronomer: Any, group: str, status: int) -> None:
    make_groups()
    astronomer.groups.add(Group.objects.get(name=group))
    assert Ask(astronomer).put(message(31)).status_code == status


def test_an_admin_of_the_group_sees_the_future_and_truth(astronomer: Any) -> None:
    Campaign.objects.update(clock="sent", sent_mjd=60100.0)
    make_groups()
    astronomer.groups.add(Group.objects.get(name="elasticc_admin"))
    ask = Ask(astronomer)
    assert ask("getalert", {"alertid": 900000}).status_code == 200
    assert ask("gethottransients", {"cheat_gentypes": []}).status_code == 200


def test_only_brokers_put_messages(ask: Ask, root: Any) -> None:
    assert ask.put(message(31)).status_code == 403
    assert Ask(root).put(message(31)).status_code == 201


def test_an_account_bound_to_a_broker_speaks_for_it_only(broker: Any) -> None:
    BrokerAccount.objects.create(user=broker, brokername="FakeBroker")
    assert Ask(broker).put(message(31, brokerName="Other")).status_code == 400
    assert Ask(broker).put(message(31)).status_code == 201


PAGES = ["ltcv", "gethottransients", "getalert"]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_nobody_asks_without_logging_in(page: str, method: str) -> None:
    response = Client().generic(method, f"/elasticc2/{page}", "{}", content_type="application/json")
    assert response.status_code == 403
    assert "403 Forbidden" in refusal(response)


def test_basic_authentication_is_no_login(astronomer: Any) -> None:
    basic = base64.b64encode(b"astronomer:testing").decode()
    assert Client(headers={"Authorization": f"Basic {basic}"}).post("/elasticc2/ltcv").status_code == 403


@pytest.mark.parametrize("secure", [False, True])
def test_a_post_needs_the_csrf_token_but_no_referer(astronomer: Any, secure: bool) -> None:
    """As the documented client sends it, behind TLS too."""
    client = Client(enforce_csrf_checks=True)
    client.get("/accounts/login/", secure=secure)
    form = {
        "username": "astronomer",
        "password": "testing",
        "csrfmiddlewaretoken": client.cookies["csrftoken"].value,
    }
    assert client.post("/accounts/login/", form, secure=secure).status_code == 302
    asked: Any = {"data": {"objectid": 7}, "content_type": "application/json", "secure": secure}
    assert client.post("/elasticc2/ltcv", **asked).status_code == 403
    token = {"X-CSRFToken": client.cookies["csrftoken"].value}
    assert client.post("/elasticc2/ltcv", **asked, headers=token).status_code == 200
    foreign = {**token, "Referer": "https://elsewhere.org/", "Origin": "https://elsewhere.org"}
    assert client.post("/elasticc2/ltcv", **asked, headers=foreign).status_code == 403


def test_a_stored_message_is_not_put_over(broker: Any) -> None:
    assert Ask(broker).client.put("/elasticc2/brokermessage/5/", message(31)).status_code == 405


def test_keys_that_are_ignored_are_named(ask: Ask) -> None:
    response = ask("getalert", {"alertid": 800000, "nprevios": 3, "\u20ac\n": 1})
    assert (response.status_code, response["X-Ignored-Keys"]) == (200, "nprevios, \\u20ac\\n")


def test_one_answer_has_a_bounded_number_of_objects(ask: Ask, settings: Any) -> None:
    settings.LIGHT_CURVE_OBJECTS = 2
    for response in (
        ask("ltcv", {"objectids": [7, 8, 9]}),
        ask("gethottransients", {"detected_since_mjd": 60000}),
    ):
        assert response.status_code == 413
        assert "3 objects; one answer has 2 at most" in refusal(response)


SLOW_CLOCK = """
CREATE OR REPLACE VIEW elasticc2_clock AS
SELECT 1::float8 AS mjd_now, pg_sleep(1) IS NULL AS ended, 1::float8 AS visible_until"""


def test_a_query_that_takes_too_long_is_said_to(ask: Ask) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE OR REPLACE VIEW elasticc2_clock AS"
            " SELECT 1::float8 AS mjd_now, pg_sleep(60) IS NULL AS ended, 1::float8 AS visible_until"
        )
        cursor.execute("SET LOCAL statement_timeout = '1s'")
    response = ask("gethottransients", {})
    assert response.status_code == 503
    assert "took too long" in response.content.decode()


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["7", 1e308, 2**64]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)
KEYS = {
    "ltcv": [*LightCurveRequest().fields],
    "gethottransients": [*HotRequest().fields],
    "getalert": [*AlertRequest().fields],
    "brokermessage/": [*MessageFilters().fields],
}


@pytest.mark.parametrize("page", KEYS)
@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_that_can_be_sent_is_our_error(ask: Ask, page: str, data: st.DataObject) -> None:
    keys = st.sampled_from(KEYS[page]) | st.text(max_size=3)
    sent = data.draw(st.dictionaries(keys, VALUES, max_size=4) | VALUES)
    body = json.dumps(sent, ensure_ascii=data.draw(st.booleans())).encode(errors="surrogatepass")
    response = ask.client.post(f"/elasticc2/{page}", body, content_type="application/json")
    assert response.status_code in (200, 400, 403, 404)


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000,
        b'{"objectid": 7, "return_format": 1e400}',
        b'{"objectid": 7, "return_format": Infinity}',
        b'{"objectid": 7, "return_format": "\\ud800"}',
        b'{"objectid": "\\ud800"}',
        b"\xff\xfe",
    ],
)
def test_odd_bodies_are_the_callers_mistake(ask: Ask, content: bytes) -> None:
    assert ask.client.post("/elasticc2/ltcv", content, content_type="application/json").status_code == 400


def test_every_user_is_public() -> None:
    user = get_user_model().objects.create_user("newcomer")
    assert user.groups.filter(name="Public").exists()

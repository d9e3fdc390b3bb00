"""The pages of ELAsTiCC2 about its stream: who may see them, and what they say."""

import html
import io
import re
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from typing import Any

import fastavro
import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from elasticc2.models import BrokerClassifier, BrokerMessage, SendBatch, SendRun
from tests.elasticc2.sky import add_object, hear, message
from tom_desc.accounts.groups import make_groups
from tom_desc.accounts.models import BrokerAccount
from tom_desc.streams import letterlist
from tom_desc.streams.deadletters import LOCK
from tom_desc.streams.models import DeadLetter, Ledger, Position
from tom_desc.streams.schemas import BROKER_CLASSIFICATION, schema

pytestmark = pytest.mark.django_db

GROUPS = {"user": "Public", "broker": "elasticc_broker", "admin": "elasticc_admin"}
NIGHT = 60002


@pytest.fixture
def clients() -> dict[str, Client]:
    """A client for each kind of visitor; the broker team's account is bound to FakeBroker."""
    make_groups()
    return {"anonymous": Client()} | {name: client_in(group, name) for name, group in GROUPS.items()}


def client_in(group: str, name: str) -> Client:
    user = get_user_model().objects.create_user(name, password="testing")
    user.groups.add(user.groups.model.objects.get(name=group))
    if name == "broker":
        BrokerAccount.objects.create(user=user, brokername="FakeBroker")
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def user(clients: dict[str, Client]) -> Client:
    return clients["user"]


@pytest.fixture
def broker(clients: dict[str, Client]) -> Client:
    return clients["broker"]


@pytest.fixture
def admin(clients: dict[str, Client]) -> Client:
    return clients["admin"]


@pytest.fixture
def answered(db: None) -> list[int]:
    """Three alerts of one night, all sent; FakeBroker has answered two of them, Ant one."""
    sources = add_object(7, [(NIGHT + 0.1 * k, "r", 100.0, True) for k in range(3)])
    with connection.cursor() as cursor:
        cursor.execute("UPDATE elasticc2_ppdbalert SET alertsenttimestamp = now()")
    sent(alerts=3)
    hear(*(message(source, classes=((2222, 0.7), (111, 0.3))) for source in sources[:2]))
    hear(message(sources[2], brokerName="Ant"))
    return sources


def sent(moment: datetime | None = None, *, alerts: int, night: int = NIGHT) -> None:
    SendBatch.objects.create(
        night=night,
        sent=moment or datetime.now(UTC),
        alerts=alerts,
        messages=2 * alerts,
        bytes=100 * alerts,
        first_mjd=night,
        last_mjd=night + 0.2,
    )


def run(**columns: Any) -> None:
    names = {"wfd_topic": "st-wfd", "ddf_full_topic": "st-full", "ddf_limited_topic": "st-limited"}
    SendRun.objects.create(**({"through_mjd": 60578.5, "server": "s"} | names | columns))


def position(topic: str, **columns: Any) -> None:
    names = {"source": "test", "cluster_id": "c", "consumer_group": "g", "topic_id": "1", "partition": 0}
    Position.objects.create(topic=topic, **(names | {"next_offset": 5, "end_offset": 12} | columns))


def page(client: Client, path: str, status: int = 200) -> str:
    """The page's text without its tags, blanks run together."""
    response = client.get(path)
    assert response.status_code == status, response.content[:500]
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", response.content.decode())).split())


def classifier(brokername: str = "FakeBroker") -> int:
    return BrokerClassifier.objects.get(brokername=brokername).pk


# ---- access

PAGES = (
    *("/elasticc2/stream", "/elasticc2/stream/classifiers", "/elasticc2/stream/classifiers/{classifier}"),
    *(f"/elasticc2/stream/coverage{kind}" for kind in ("", ".json", ".csv")),
    f"/elasticc2/stream/missing/{NIGHT}/{{classifier}}.txt",
    *(f"/elasticc2/alertstreamhists{kind}" for kind in ("", ".json", ".csv")),
)


@pytest.mark.parametrize("path", PAGES)
def test_pages_are_for_who_is_logged_in(clients: dict[str, Client], answered: list[int], path: str) -> None:
    path = path.format(classifier=classifier())
    response = clients["anonymous"].get(path)
    assert (response.status_code, response["Location"]) == (302, f"/accounts/login/?next={path}")
    for visitor in ("user", "broker", "admin"):
        assert clients[visitor].get(path).status_code == 200


@pytest.mark.parametrize(("visitor", "status"), [("user", 403), ("broker", 403), ("admin", 302)])
def test_replaying_is_for_operators(clients: dict[str, Client], visitor: str, status: int) -> None:
    assert clients[visitor].post("/elasticc2/stream/replay", {"what": "all"}).status_code == status


def test_replaying_is_a_post_with_the_token(admin: Client) -> None:
    assert admin.get("/elasticc2/stream/replay").status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(get_user_model().objects.get(username="admin"))
    assert strict.post("/elasticc2/stream/replay", {"what": "all"}).status_code == 403


@pytest.mark.parametrize("path", PAGES)
def test_pages_only_read(admin: Client, answered: list[int], path: str) -> None:
    assert admin.post(path.format(classifier=classifier())).status_code == 405


@pytest.mark.parametrize(
    "path",
    [
        "stream",
        "stream/classifiers",
        "stream/classifiers/{classifier}",
        "stream/coverage",
        "alertstreamhists",
    ],
)
def test_a_final_slash_does_not_matter(user: Client, answered: list[int], path: str) -> None:
    path = f"/elasticc2/{path.format(classifier=classifier())}"
    assert page(user, f"{path}/") == page(user, path)


@pytest.mark.parametrize("path", ["/stream", "/stream/"])
def test_the_originals_name_leads_to_the_stream(client: Client, path: str) -> None:
    response = client.get(path)
    assert (response.status_code, response["Location"]) == (302, "/elasticc2/stream")


def test_every_page_has_the_stream_in_its_menu(user: Client) -> None:
    assert '<a href="/elasticc2/stream">Stream</a>' in user.get("/").content.decode()


@pytest.mark.parametrize("path", [path for path in PAGES if not path.endswith((".txt", ".json", ".csv"))])
def test_pages_take_nothing_from_elsewhere_and_have_no_inline_script(
    admin: Client, answered: list[int], path: str
) -> None:
    content = admin.get(path.format(classifier=classifier())).content.decode()
    assert not re.search(r"""(?:src|href|action)=["'](?:https?:)?//""", content)
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", content)
    for name in re.findall(r'"(/static/[^"]+)"', content):
        assert admin.get(name).status_code == 200, name


# ---- connect


def test_the_card_names_server_topics_and_schemas(user: Client, settings: Any) -> None:
    settings.KAFKA_PUBLIC_SERVER = "kafka.example.org:9092"
    settings.ALERTS_TEST_TOPIC = "practice"
    run()
    text = page(user, "/elasticc2/stream")
    assert "Kafka server kafka.example.org:9092" in text
    assert "st-limited : the same deep drilling alerts with only 30 days of history" in text
    assert "Topic for tests practice" in text
    assert "Header schema elasticc.v0_9_1.alert" in text
    content = user.get("/elasticc2/stream").content.decode()
    for name in ("alert", "brokerClassification"):
        assert f'href="/streams/schemas/elasticc.v0_9_1.{name}.avsc"' in content


def test_without_any_consumer_the_card_says_so(user: Client) -> None:
    assert "We do not listen on any topic yet" in page(user, "/elasticc2/stream")


def test_a_broker_team_is_told_its_own_topics(broker: Client, user: Client) -> None:
    position("fakebroker-out")
    position("other")
    text = page(broker, "/elasticc2/stream")
    assert "This account belongs to FakeBroker" in text
    assert "We listen for your answers on fakebroker-out consumer test" in text
    assert "other consumer test" not in text
    assert "other consumer test" in page(user, "/elasticc2/stream")


def test_a_broker_team_without_a_topic_is_shown_all(broker: Client) -> None:
    position("other")
    text = page(broker, "/elasticc2/stream")
    assert (
        "No topic carries your broker’s name, and none has brought its answers yet;"
        " we listen on other consumer test"
    ) in text


def test_a_topic_that_brought_a_brokers_answers_is_its_own(broker: Client, answered: list[int]) -> None:
    position("answers-7")
    position("other")
    BrokerMessage.objects.filter(classifier_id=classifier()).update(topicname="answers-7")
    assert "We listen for your answers on answers-7 consumer test" in page(broker, "/elasticc2/stream")
    text = page(broker, "/elasticc2/stream/classifiers")
    assert "answers-7 test g 0 7" in text
    assert "other test" not in text


def test_programs_are_made_for_who_looks(broker: Client, user: Client) -> None:
    position("fakebroker-out")
    text = page(broker, "/elasticc2/stream")
    assert '"group.id": "broker-test"' in text
    assert 'producer.produce("fakebroker-out", value.getvalue())' in text
    assert '"brokerName": "FakeBroker"' in text
    assert 'TomClient(url="http://testserver", username="broker"' in text
    assert '"brokerName": "MyBroker"' in page(user, "/elasticc2/stream")


def test_rejects_are_linked_for_who_may_see_them(broker: Client, user: Client) -> None:
    assert "/streams/rejects" in broker.get("/elasticc2/stream").content.decode()
    assert "/streams/rejects" not in user.get("/elasticc2/stream").content.decode()


# ---- classifiers


def test_a_broker_team_sees_its_own_classifiers(broker: Client, answered: list[int]) -> None:
    text = page(broker, "/elasticc2/stream/classifiers")
    assert "My classifiers" in text
    assert f"NugentClassifier 100% FakeBroker v1.0 {classifier()} 2 2" in text
    assert f"Ia 2222 0.700 of alert {answered[1]}" in text
    assert "Ant" not in text


def test_others_see_all_and_may_choose(user: Client, answered: list[int]) -> None:
    text = page(user, "/elasticc2/stream/classifiers")
    assert f"NugentClassifier 100% Ant v1.0 {classifier('Ant')} 1 1" in text
    assert "FakeBroker v1.0" in text
    text = page(user, "/elasticc2/stream/classifiers?broker=Ant")
    assert "NugentClassifier 100% Ant" in text
    assert "FakeBroker v1.0" not in text


def test_a_bound_account_cannot_choose_others(broker: Client, answered: list[int]) -> None:
    assert "No message of FakeBroker has been stored yet." in page(
        broker, "/elasticc2/stream/classifiers?broker=Ant"
    )


def test_a_team_that_never_answered_is_led_to_the_card(broker: Client) -> None:
    content = broker.get("/elasticc2/stream/classifiers").content.decode()
    assert '<a href="/elasticc2/stream">How to connect</a>' in content


def test_a_team_sees_how_far_behind_its_topics_are_read(broker: Client) -> None:
    position("fakebroker-out", message_time=datetime.now(UTC) - timedelta(hours=3))
    position("other")
    text = page(broker, "/elasticc2/stream/classifiers")
    assert "fakebroker-out test g 0 7 3 h 5 12" in text
    assert "other test" not in text


def test_classifiers_come_in_pages(user: Client) -> None:
    hear(*(message(1, classifierName=f"Deep {number:03}") for number in range(51)))
    first = user.get("/elasticc2/stream/classifiers").content.decode()
    assert 'rel="next" href="?broker=&amp;page=2"' in first
    assert "Deep 050" not in first
    second = page(user, "/elasticc2/stream/classifiers?page=2")
    assert "Deep 050" in second
    assert "Deep 049" not in second


def test_a_classifiers_page_decodes_its_last_message(user: Client, answered: list[int]) -> None:
    BrokerMessage.objects.update(
        topicname="out", topicpartition=3, streammessage_id=1234, msghdrtimestamp=datetime.now(UTC)
    )
    text = page(user, f"/elasticc2/stream/classifiers/{classifier()}")
    assert "NugentClassifier FakeBroker" in text
    assert f"Alert {answered[1]} Source {answered[1]} Came on out, partition 3, offset 1,234" in text
    assert "Alert published 2023-11-14 22:13:20" in text
    assert "Ia 2222 0.700 not in the taxonomy 111 0.300" in text


def test_a_classifiers_page_says_how_long_its_messages_take(user: Client, answered: list[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE elasticc2_brokermessage SET descingesttimestamp = now(),"
            " msghdrtimestamp = now() - interval '2 s', brokeringesttimestamp = now() - interval '5 s',"
            " elasticcpublishtimestamp = now() - interval '90 s'"
        )
    text = page(user, f"/elasticc2/stream/classifiers/{classifier()}")
    assert "sent to broker 1 min 25 s 1 min 25 s 1 min 25 s 2 in broker 3.00 s" in text
    assert "broker to TOM 2.00 s" in text
    assert "all 1 min 30 s" in text


def test_a_classifiers_page_says_what_it_answered(user: Client, answered: list[int]) -> None:
    assert f"{NIGHT} 3 2 1" in page(user, f"/elasticc2/stream/classifiers/{classifier()}")


def test_a_classifier_that_only_said_hello_long_ago_has_a_page(user: Client) -> None:
    silent = BrokerClassifier.objects.create(brokername="Ant", classifiername="Silent")
    text = page(user, f"/elasticc2/stream/classifiers/{silent.pk}")
    assert "None is stored." in text
    assert "No alert has been sent yet." in text


@pytest.mark.parametrize("key", [0, 7_000_000, 2**63, 10**30])
def test_a_classifier_that_is_not_there_is_a_404(user: Client, key: int) -> None:
    assert f"No broker has a classifier {key}." in page(user, f"/elasticc2/stream/classifiers/{key}", 404)


# ---- coverage


def test_coverage_counts_what_each_classifier_answered(user: Client, answered: list[int]) -> None:
    text = page(user, "/elasticc2/stream/coverage")
    assert f"Classifier {NIGHT} 2023-02-26 Alerts sent 3" in text
    assert "Ant v1.0 NugentClassifier 100% 1 of 3 2 missing" in text
    assert "FakeBroker v1.0 NugentClassifier 100% 2 of 3 1 missing" in text


def test_a_broker_team_sees_its_own_coverage(broker: Client, answered: list[int]) -> None:
    text = page(broker, "/elasticc2/stream/coverage")
    assert "The classifiers of FakeBroker." in text
    assert "Ant" not in text


def test_missing_alerts_are_a_file_of_ids(broker: Client, answered: list[int]) -> None:
    content = broker.get("/elasticc2/stream/coverage").content.decode()
    (path,) = re.findall(r'href="(/elasticc2/stream/missing/[^"]+)"', content)
    response = broker.get(path)
    assert response.content.decode() == f"{answered[2]}\n"
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert f'filename="missing_{NIGHT}_{classifier()}.txt"' in response["Content-Disposition"]


def test_where_nothing_is_missing_the_file_is_empty(user: Client, answered: list[int]) -> None:
    hear(message(answered[2]))
    assert user.get(f"/elasticc2/stream/missing/{NIGHT}/{classifier()}.txt").content == b""


@pytest.mark.parametrize("night", [0, NIGHT - 1, NIGHT + 1, 10**6 + 1, 10**30])
def test_a_night_of_which_nothing_was_sent_has_no_file(user: Client, answered: list[int], night: int) -> None:
    path = f"/elasticc2/stream/missing/{night}/{classifier()}.txt"
    assert f"No alert of night {night} was sent." in page(user, path, 404)


def test_nights_come_in_pages(user: Client, answered: list[int]) -> None:
    for night in range(NIGHT + 1, NIGHT + 9):
        sent(alerts=1, night=night)
    content = user.get("/elasticc2/stream/coverage?broker=Ant").content.decode()
    assert f'href="?broker=Ant&amp;before={NIGHT + 2}"' in content
    text = page(user, f"/elasticc2/stream/coverage?broker=Ant&before={NIGHT + 2}")
    assert f"Classifier {NIGHT + 1} 2023-02-27 {NIGHT} 2023-02-26" in text
    assert "FakeBroker v1.0" not in text


def test_the_numbers_are_those_of_the_page(user: Client, answered: list[int]) -> None:
    rows = user.get("/elasticc2/stream/coverage.json?broker=FakeBroker").json()["coverage"]
    assert rows == [
        {
            "night": NIGHT,
            "classifier_id": classifier(),
            "brokername": "FakeBroker",
            "brokerversion": "v1.0",
            "classifiername": "NugentClassifier",
            "classifierparams": "100%",
            "sent": 3,
            "answered": 2,
            "missing": 1,
        }
    ]
    lines = user.get("/elasticc2/stream/coverage.csv?broker=FakeBroker").content.decode().splitlines()
    assert lines == [",".join(rows[0]), ",".join(map(str, rows[0].values()))]


@pytest.mark.parametrize("query", ["before=x", "before=0", "before=1000001", "broker=%00"])
@pytest.mark.parametrize("kind", ["", ".json", ".csv"])
def test_a_query_that_makes_no_sense_is_refused(user: Client, kind: str, query: str) -> None:
    assert "Not a valid request" in page(user, f"/elasticc2/stream/coverage{kind}?{query}", 400)


# ---- sending


def test_before_anything_was_sent_the_page_says_so(user: Client) -> None:
    text = page(user, "/elasticc2/alertstreamhists")
    assert "No run of send_elasticc2_alerts is known." in text
    assert "No alert has been sent yet." in text


def test_a_run_in_progress_shows_how_far_it_is(user: Client) -> None:
    moment = datetime.now(UTC).replace(microsecond=0)
    run(
        started=moment - timedelta(hours=1),
        updated=moment,
        alerts_to_send=4000,
        alerts_sent=1234,
        from_mjd=60500.5,
    )
    text = page(user, "/elasticc2/alertstreamhists")
    assert (
        f"Streaming in progress Started {moment - timedelta(hours=1):%Y-%m-%d %H:%M:%S} UTC"
        f" Last Status Update {moment:%Y-%m-%d %H:%M:%S} UTC Alerts Sent 1,234 of 4,000"
        " Survey time MJD 60500.5000 to 60578.5000"
    ) in text
    assert '<progress max="4000" value="1234"' in user.get("/elasticc2/alertstreamhists").content.decode()


def test_a_run_that_ended_shows_when(user: Client) -> None:
    moment = datetime(2026, 11, 20, 3, 4, 5, tzinfo=UTC)
    run(started=moment, updated=moment, finished=moment, alerts_to_send=545, alerts_sent=545)
    text = page(user, "/elasticc2/alertstreamhists")
    assert "Last streaming batch Started 2026-11-20 03:04:05 UTC Finished 2026-11-20 03:04:05 UTC" in text
    assert "Alerts Sent 545 of 545" in text


def test_a_failure_is_shown(user: Client) -> None:
    run(failure="Kafka refused <3> alerts")
    assert "It was cut short: Kafka refused <3> alerts" in page(user, "/elasticc2/alertstreamhists")


def test_a_run_that_was_killed_is_pointed_out(user: Client) -> None:
    run(updated=datetime.now(UTC) - timedelta(hours=2))
    assert "It was last heard of 2 h ago: it may have been killed." in page(
        user, "/elasticc2/alertstreamhists"
    )


def test_alerts_sent_are_plotted_by_day_and_week(user: Client) -> None:
    sent(datetime(2026, 11, 18, 17, 30, tzinfo=UTC), alerts=30)
    sent(datetime(2026, 11, 18, 3, 30, tzinfo=UTC), alerts=5)
    text = page(user, "/elasticc2/alertstreamhists")
    assert "All plots end at 50 alerts an hour. 2026 week 47: 35 alerts Mon 16 Nov 0" in text
    assert "Wed 18 Nov 35" in text
    content = user.get("/elasticc2/alertstreamhists").content.decode()
    assert 'aria-label="Alerts an hour on 2026-11-18: 35 in all, most from 17 h"' in content
    assert 'd="M31 60v-6.0h8V60ZM171 60v-36.0h8V60Z"' in content


def test_the_hours_are_there_as_numbers(user: Client) -> None:
    sent(datetime(2026, 11, 18, 17, 30, tzinfo=UTC), alerts=30)
    assert user.get("/elasticc2/alertstreamhists.json").json() == {
        "hours": [{"hour": "2026-11-18T17:00:00Z", "alerts": 30, "messages": 60, "bytes": 3000}]
    }
    assert user.get("/elasticc2/alertstreamhists.csv").content.decode() == (
        "hour,alerts,messages,bytes\n2026-11-18T17:00:00Z,30,60,3000\n"
    )


def test_weeks_come_in_pages(user: Client) -> None:
    for week in range(30, 46):
        sent(datetime.fromisocalendar(2026, week, 3).replace(tzinfo=UTC), alerts=1)
    content = user.get("/elasticc2/alertstreamhists").content.decode()
    assert re.findall(r"week (\d+):", content) == [str(week) for week in range(45, 32, -1)]
    assert 'href="?before=2026-W33"' in content
    assert "2026 week 32: 1 alert " in page(user, "/elasticc2/alertstreamhists?before=2026-W33")
    assert "No alert has been sent before that week." in page(
        user, "/elasticc2/alertstreamhists?before=2026-W30"
    )


@pytest.mark.parametrize(
    "week", ["x", "2026-W54", "2026-W00", "0000-W01", "2026-11-21", "2025-W53", "²026-W01"]
)
def test_what_is_no_week_is_refused(user: Client, week: str) -> None:
    assert "before must be a week such as 2026-W47" in page(
        user, f"/elasticc2/alertstreamhists?before={week}", 400
    )


# ---- statements


def test_pages_take_as_many_statements_for_many_rows_as_for_few(user: Client, answered: list[int]) -> None:
    paths = ("stream", "stream/classifiers", "alertstreamhists")

    def statements() -> list[int]:
        numbers = []
        for path in paths:
            with CaptureQueriesContext(connection) as captured:
                page(user, f"/elasticc2/{path}")
            numbers.append(len(captured))
        return numbers

    position("out")
    run()
    before = statements()
    hear(*(message(1, classifierName=f"Deep {number}") for number in range(30)))
    for number in range(30):
        position(f"out-{number}")
        run()
        sent(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number), alerts=1)
    assert statements() == before


# ---- replay


def valid_value(**changes: Any) -> bytes:
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, schema(BROKER_CLASSIFICATION), message(1234, **changes))
    return stream.getvalue()


def letter(offset: int, value: bytes, **columns: Any) -> int:
    """A dead letter, and its place in the ledger."""
    place: dict[str, Any] = {"source": "fink", "cluster_id": "c", "topic": "out", "topic_id": "1"}
    place |= {"partition": 0, "topic": columns.pop("topic", "out")}
    received = datetime(2026, 11, 20, 3, tzinfo=UTC)
    entry, _ = Ledger.objects.get_or_create(night=date(2026, 11, 19), **place)
    Ledger.objects.filter(pk=entry.pk).update(seen=entry.seen + 1, dead=entry.dead + 1)
    rest = {"reason": "it was not understood then", "received": received} | columns
    return DeadLetter.objects.create(offset=offset, value=value, **place, **rest).pk


def replayed(client: Client, **form: Any) -> str:
    """What the page says after a replay."""
    response = client.post("/elasticc2/stream/replay", form, follow=True)
    assert response.status_code == 200
    said = re.findall(r'<p role="status"[^>]*>(.*?)</p>', response.content.decode())
    return " ".join(html.unescape(sentence) for sentence in said)


def test_letters_that_are_chosen_are_replayed(admin: Client) -> None:
    chosen = letter(1, valid_value())
    others = letter(2, valid_value(alertId=99))
    assert replayed(admin, what="chosen", letter=[chosen]) == (
        "Looked at 1 again: 1 stored, 0 stored before, 0 still dead."
    )
    assert list(DeadLetter.objects.values_list("pk", flat=True)) == [others]
    assert BrokerMessage.objects.get().alert_id == 1234


def test_letters_that_pass_the_filters_are_replayed(admin: Client) -> None:
    letter(1, valid_value())
    letter(2, valid_value(), reason="something else")
    letter(3, b"\xff", topic="other")
    assert replayed(admin, what="all", topic="out", text="not understood", source="") == (
        "Looked at 1 again: 1 stored, 0 stored before, 0 still dead."
    )
    assert DeadLetter.objects.count() == 2


def test_what_is_dead_still_stays_and_what_was_stored_is_no_letter(admin: Client) -> None:
    letter(1, valid_value())
    letter(2, valid_value())
    letter(3, b"\xff")
    assert replayed(admin, what="all") == "Looked at 3 again: 1 stored, 1 stored before, 1 still dead."
    assert replayed(admin, what="all") == "Looked at 1 again: 0 stored, 0 stored before, 1 still dead."


def test_more_letters_than_a_visitor_waits_for_are_left_to_the_command(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letterlist, "REPLAYED_LETTERS", 2)
    for offset in range(3):
        letter(offset, b"\xff")
    assert "manage.py replay_dead_letters replays them" in replayed(admin, what="all")
    assert DeadLetter.objects.filter(reason="it was not understood then").count() == 3


def test_letters_that_are_too_large_together_are_left_to_the_command(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letterlist, "REPLAYED_BYTES", 2**20)
    letter(1, bytes(2**19))
    letter(2, bytes(2**19 + 1))
    assert "or 1 MB: manage.py replay_dead_letters" in replayed(admin, what="all")


def test_while_somebody_else_replays_the_page_says_so(admin: Client) -> None:
    letter(1, valid_value())
    somebody = connection.get_new_connection(connection.get_connection_params())
    with closing(somebody), somebody.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        assert replayed(admin, what="all") == "dead letters are being replayed already"
    assert DeadLetter.objects.count() == 1


def test_without_a_choice_nothing_is_replayed(admin: Client) -> None:
    letter(1, valid_value())
    assert replayed(admin, what="chosen") == "There was no such letter."
    assert replayed(admin, what="chosen", letter=[10**17]) == "There was no such letter."
    assert DeadLetter.objects.count() == 1


def test_a_letter_that_is_no_number_is_refused(admin: Client) -> None:
    assert admin.post("/elasticc2/stream/replay", {"letter": "1; DROP"}).status_code == 400


def test_after_a_replay_the_filters_are_kept(admin: Client) -> None:
    response = admin.post("/elasticc2/stream/replay", {"what": "chosen", "topic": "a&b", "text": "x"})
    assert response["Location"] == "/streams/deadletters?source=&topic=a%26b&text=x"


def test_the_list_offers_to_replay(admin: Client) -> None:
    letter(1, b"\xff")
    content = admin.get("/streams/deadletters").content.decode()
    assert content.count('formaction="/elasticc2/stream/replay"') == 2
    assert len(re.findall(r'name="letter" value="\d+"', content)) == 1

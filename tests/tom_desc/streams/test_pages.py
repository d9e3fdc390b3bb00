"""The streams' shared pages: who may see them, and what they say."""

import html
import io
import re
import zipfile
from datetime import UTC, date, datetime, timedelta
from typing import Any

import fastavro.schema
import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tom_desc.accounts.groups import make_groups
from tom_desc.accounts.models import BrokerAccount
from tom_desc.streams import letterlist
from tom_desc.streams.models import DeadLetter, Gap, Ledger, Position
from tom_desc.streams.schemas import ALERT, BROKER_CLASSIFICATION, DIRECTORY

pytestmark = pytest.mark.django_db

GROUPS = {"user": "Public", "broker": "elasticc_broker", "admin": "elasticc_admin"}


@pytest.fixture
def clients() -> dict[str, Client]:
    """A client for each kind of visitor; the broker team's account is bound to Fink."""
    make_groups()
    return {"anonymous": Client()} | {name: client_in(group, name) for name, group in GROUPS.items()}


def client_in(group: str, name: str) -> Client:
    user = get_user_model().objects.create_user(name, password="testing")
    user.groups.add(user.groups.model.objects.get(name=group))
    if name == "broker":
        BrokerAccount.objects.create(user=user, brokername="Fink")
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def admin(clients: dict[str, Client]) -> Client:
    return clients["admin"]


@pytest.fixture
def broker(clients: dict[str, Client]) -> Client:
    return clients["broker"]


def page(client: Client, path: str, status: int = 200) -> str:
    """The page's text without its tags, blanks run together."""
    response = client.get(path)
    assert response.status_code == status, response.content[:500]
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", response.content.decode())).split())


def letter(offset: int, **columns: Any) -> int:
    names = {
        "source": "fink",
        "cluster_id": "c",
        "topic": "fink_out",
        "topic_id": "1",
        "partition": 0,
        "reason": "it is empty",
        "value": b"\x00\xff",
    }
    return DeadLetter.objects.create(offset=offset, **(names | columns)).pk


SEEN_BY = {
    "/streams/": {"admin"},
    "/streams/deadletters": {"admin"},
    "/streams/rejects": {"broker", "admin"},
    "/streams/deadletters/{own}.bin": {"broker", "admin"},
    f"/streams/schemas/{ALERT}.avsc": {"user", "broker", "admin"},
    "/streams/schemas.zip": {"user", "broker", "admin"},
}


@pytest.mark.parametrize("visitor", ["anonymous", *GROUPS])
@pytest.mark.parametrize("path", SEEN_BY)
def test_pages_are_for_whom_the_table_says(clients: dict[str, Client], path: str, visitor: str) -> None:
    path = path.format(own=letter(1))
    response = clients[visitor].get(path)
    if visitor == "anonymous":
        assert (response.status_code, response["Location"]) == (302, f"/accounts/login/?next={path}")
    else:
        seen = visitor in SEEN_BY[path if path in SEEN_BY else "/streams/deadletters/{own}.bin"]
        assert response.status_code == (200 if seen else 403)


@pytest.mark.parametrize("path", SEEN_BY)
def test_pages_only_read(admin: Client, path: str) -> None:
    assert admin.post(path.format(own=letter(1))).status_code == 405


@pytest.mark.parametrize("path", ["/streams/deadletters", "/streams/rejects"])
def test_a_final_slash_does_not_matter(admin: Client, path: str) -> None:
    assert page(admin, f"{path}/") == page(admin, path)


def test_the_menu_shows_what_one_may_see(clients: dict[str, Client]) -> None:
    assert "Sending Rejects Consumers Dead letters" in page(clients["admin"], "/streams/rejects")
    text = page(clients["broker"], "/streams/rejects")
    assert "Sending Rejects" in text
    assert "Consumers" not in text


# ---- consumers


def position(partition: int = 0, **columns: Any) -> None:
    names = {
        "source": "fink",
        "cluster_id": "c",
        "consumer_group": "elasticc-lbnl",
        "topic": "fink_out",
        "topic_id": "1",
        "next_offset": 1000,
        "end_offset": 3500,
        "message_time": datetime.now(UTC) - timedelta(hours=2),
    }
    Position.objects.create(partition=partition, **(names | columns))


def enter(night: date, **counts: int) -> None:
    names = {"source": "fink", "cluster_id": "c", "topic": "fink_out", "topic_id": "1", "partition": 3}
    Ledger.objects.create(
        night=night, **(names | {"seen": 1200, "stored": 1190, "duplicate": 8, "dead": 2} | counts)
    )


def test_before_anything_was_read_the_page_says_so(admin: Client) -> None:
    text = page(admin, "/streams/")
    assert "No consumer has begun to read yet" in text
    assert "No message was read yet." in text
    assert "None: every message was there to be read." in text


def test_each_partition_says_how_far_behind_it_is(admin: Client) -> None:
    position(0)
    position(1, end_offset=1000)
    text = page(admin, "/streams/")
    assert "fink_out fink elasticc-lbnl 0 2,500 2 h 1,000 3,500" in text
    assert "fink_out fink elasticc-lbnl 1 0 0 s 1,000 1,000" in text
    assert "0 s ago" in text


def test_the_ledger_adds_up_night_by_night(admin: Client) -> None:
    enter(date(2026, 11, 20))
    text = page(admin, "/streams/")
    assert "2026-11-20: 1,200 read = 1,190 stored + 8 duplicates + 2 dead Topic" in text
    assert "fink_out fink 3 1,200 1,190 8 2" in text
    assert "does not add up" not in text


def test_a_ledger_that_does_not_add_up_is_pointed_out(admin: Client) -> None:
    enter(date(2026, 11, 20), seen=1201)
    assert page(admin, "/streams/").count("does not add up") == 2


def test_dead_messages_lead_to_their_letters(admin: Client) -> None:
    enter(date(2026, 11, 20))
    content = admin.get("/streams/").content.decode()
    assert 'href="/streams/deadletters?source=fink&amp;topic=fink_out"' in content


def test_nights_come_in_pages(admin: Client) -> None:
    for day in range(1, 10):
        enter(date(2026, 11, day))
    content = admin.get("/streams/").content.decode()
    assert re.findall(r"<summary>(\S+):", content) == [f"2026-11-{day:02}" for day in range(9, 2, -1)]
    assert 'href="?before=2026-11-03"' in content
    assert "2026-11-02:" in page(admin, "/streams/?before=2026-11-03")
    assert "No message was read before that night." in page(admin, "/streams/?before=2026-11-01")


def test_a_night_that_is_no_date_is_refused(admin: Client) -> None:
    assert "before must be a date such as" in page(admin, "/streams/?before=yesterday", 400)


def test_gaps_are_named(admin: Client) -> None:
    names = {"source": "fink", "cluster_id": "c", "topic": "fink_out", "topic_id": "1", "partition": 2}
    Gap.objects.create(first_offset=5, end_offset=1005, reason="retention took them", **names)
    Gap.objects.create(first_offset=77, end_offset=None, reason="the topic was deleted", **names)
    text = page(admin, "/streams/")
    assert re.search(
        r"fink_out fink 2 77 not known \S+ \S+ the topic was deleted fink_out fink 2 5 1,005", text
    )


def test_the_page_takes_as_many_statements_for_many_partitions(admin: Client) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            page(admin, "/streams/")
        return len(captured)

    position(0)
    enter(date(2026, 11, 20))
    before = statements()
    for number in range(1, 40):
        position(number)
        enter(date(2026, 11, 20), partition=number + 100)
    assert statements() == before


# ---- dead letters


def test_letters_say_where_they_came_from_and_why(admin: Client) -> None:
    letter(12_345, brokername="Fink", reason="alertId: must be <greater> than 0")
    text = page(admin, "/streams/deadletters")
    assert "1 letter" in text
    assert "alertId: must be <greater> than 0 Fink fink_out fink 0 12,345 2 bytes" in text


def test_letters_are_filtered(admin: Client) -> None:
    letter(1)
    letter(2, source="alerce", topic="lc", reason="classId does not fit")
    assert "1 letter " in page(admin, "/streams/deadletters?source=alerce")
    assert "1 letter " in page(admin, "/streams/deadletters?topic=lc&text=CLASSID")
    assert "0 letters" in page(admin, "/streams/deadletters?source=fink&text=classid")
    content = admin.get("/streams/deadletters?source=alerce").content.decode()
    assert re.findall(r"<option( selected)?>(\w+)</option>", content) == [
        (" selected", "alerce"),
        ("", "fink"),
        ("", "fink_out"),
        ("", "lc"),
    ]


def test_a_choice_of_which_no_letter_is_left_is_still_shown(admin: Client) -> None:
    content = admin.get("/streams/deadletters?source=gone").content.decode()
    assert "<option selected>gone</option>" in content


def offsets(client: Client, path: str) -> list[int]:
    content = client.get(path).content.decode()
    return [int(offset) for offset in re.findall(r'data-label="Offset">(\d+)<', content)]


@pytest.mark.parametrize("path", ["/streams/deadletters", "/streams/rejects"])
def test_letters_come_in_pages_the_newest_first(
    admin: Client, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    ids = [letter(offset) for offset in range(letterlist.PAGE_ROWS + 3)]
    assert offsets(admin, path) == list(range(letterlist.PAGE_ROWS + 2, 2, -1))
    content = admin.get(f"{path}?text=empty").content.decode()
    assert f'href="?text=empty&amp;before={ids[3]}"' in content
    assert offsets(admin, f"{path}?before={ids[3]}") == [2, 1, 0]


@pytest.mark.parametrize("query", ["before=x", "before=0", f"before={2**63}", "text=%00"])
@pytest.mark.parametrize("path", ["/streams/deadletters", "/streams/rejects"])
def test_a_query_that_makes_no_sense_is_refused(admin: Client, path: str, query: str) -> None:
    assert "Not a valid request" in page(admin, f"{path}?{query}", 400)


def test_more_letters_than_are_counted_are_more(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letterlist, "COUNTED", 2)
    for offset in range(3):
        letter(offset)
    assert "more than 2 letters" in page(admin, "/streams/deadletters")


def test_a_letter_is_downloaded_as_it_came(admin: Client) -> None:
    key = letter(1, value=bytes(range(256)))
    response = admin.get(f"/streams/deadletters/{key}.bin")
    assert response.content == bytes(range(256))
    assert response["Content-Type"] == "application/octet-stream"
    assert response["Content-Disposition"] == f'attachment; filename="deadletter-{key}.bin"'


def test_an_empty_value_is_an_empty_file_and_none_is_not_found(admin: Client) -> None:
    assert admin.get(f"/streams/deadletters/{letter(1, value=b'')}.bin").content == b""
    assert "came without a value" in page(admin, f"/streams/deadletters/{letter(2, value=None)}.bin", 404)


@pytest.mark.parametrize("key", [7, 2**63, 10**30])
def test_a_letter_that_is_not_there_is_a_404(admin: Client, key: int) -> None:
    assert f"no dead letter {key}" in page(admin, f"/streams/deadletters/{key}.bin", 404)


# ---- rejects


def test_a_broker_team_sees_its_own_rejects(broker: Client) -> None:
    letter(1)
    letter(2, source="test", topic="answers", brokername="Fink", reason="mine too")
    letter(3, source="test", topic="answers", brokername="ALeRCE", reason="not mine")
    text = page(broker, "/streams/rejects")
    assert "My rejects" in text
    assert "Messages of Fink" in text
    assert "2 messages" in text
    assert "mine too" in text
    assert "not mine" not in text


def test_a_broker_team_downloads_its_own_rejects_alone(broker: Client) -> None:
    others = letter(3, source="test", topic="answers", brokername="ALeRCE")
    assert broker.get(f"/streams/deadletters/{others}.bin").status_code == 404
    assert broker.get(f"/streams/deadletters/{letter(1)}.bin").status_code == 200


def test_an_unbound_account_is_told_that_it_sees_all(clients: dict[str, Client], broker: Client) -> None:
    BrokerAccount.objects.all().delete()
    letter(3, source="test", topic="answers", brokername="ALeRCE")
    text = page(broker, "/streams/rejects")
    assert "your account is not bound to a broker’s name" in text
    assert "1 message " in text


# ---- schemas


def test_a_schema_is_the_file_as_it_lies_there(admin: Client) -> None:
    response = admin.get(f"/streams/schemas/{BROKER_CLASSIFICATION}.avsc")
    assert response.content == (DIRECTORY / f"{BROKER_CLASSIFICATION}.avsc").read_bytes()
    assert f'filename="{BROKER_CLASSIFICATION}.avsc"' in response["Content-Disposition"]


@pytest.mark.parametrize("name", ["nothing", "..%2F..%2Fsettings", "elasticc.v0_9_1"])
def test_there_are_no_other_schemas(admin: Client, name: str) -> None:
    assert admin.get(f"/streams/schemas/{name}.avsc").status_code == 404


def test_the_archive_has_all_that_the_alert_schema_uses(admin: Client, tmp_path: Any) -> None:
    with zipfile.ZipFile(io.BytesIO(admin.get("/streams/schemas.zip").content)) as archive:
        archive.extractall(tmp_path)
    schema: Any = fastavro.schema.load_schema(str(tmp_path / f"{ALERT}.avsc"))
    assert schema["name"] == "elasticc.v0_9_1.alert"

"""Dead letters, filtered and in pages."""

from typing import Any

import pytest

from tom_desc.streams import letterlist
from tom_desc.streams.letterlist import Filters, StreamCount, by_stream, carries, count, letter_page
from tom_desc.streams.models import DeadLetter

pytestmark = pytest.mark.django_db


def letter(offset: int, **columns: Any) -> int:
    names = {"source": "fink", "topic": "fink_out", "partition": 0, "reason": "it is empty", "value": b""}
    return DeadLetter.objects.create(offset=offset, **(names | columns)).pk


def found(**filters: Any) -> list[int]:
    return [one.offset for one in letter_page(Filters(**filters), before=None).letters]


def test_the_newest_letter_comes_first() -> None:
    letter(1)
    letter(2)
    assert found() == [2, 1]


def test_filters_narrow_the_list() -> None:
    letter(1)
    letter(2, source="alerce", topic="lc")
    letter(3, topic="other", reason="alertId: must be Greater than 0")
    assert found(source="alerce") == [2]
    assert found(topic="fink_out") == [1]
    assert found(text="GREATER") == [3]
    assert found(source="fink", text="empty") == [1]


@pytest.mark.parametrize("text", ["%", "_", "\\"])
def test_what_is_looked_for_in_a_reason_is_no_pattern(text: str) -> None:
    letter(1)
    letter(2, reason=f"a {text} b")
    assert found(text=text) == [2]


def test_letters_of_a_broker_say_so_or_came_on_its_streams() -> None:
    letter(1, source="test", topic="answers", brokername="Fink")
    letter(2, source="FINK", topic="answers")
    letter(3, source="test", topic="elasticc-fink-2026", brokername="ALeRCE")
    letter(4, source="test", topic="answers", brokername="ALeRCE")
    letter(5, source="test", topic="answers")
    assert found(brokers={"Fink"}) == [3, 2, 1]
    assert found(brokers={"Fink", "ALeRCE"}) == [4, 3, 2, 1]


def test_an_account_without_brokers_has_no_letters() -> None:
    letter(1)
    assert found(brokers=set()) == []


def test_a_short_name_is_no_part_of_others() -> None:
    letter(1, source="alerce", topic="answers")
    letter(2, source="test", topic="answers", brokername="al")
    assert found(brokers={"al"}) == [2]


@pytest.mark.parametrize("name", ["Fink", "al", "out", "OUT_2", "x"])
def test_streams_carry_the_names_by_which_their_letters_are_found(name: str) -> None:
    letter(1, source="fink", topic="out_2026")
    assert carries({name}, source="fink", topic="out_2026") == bool(found(brokers={name}))


def test_every_stream_is_carried_for_who_sees_all() -> None:
    assert carries(None, source="fink", topic="out")
    assert not carries(set(), source="fink", topic="out")


def test_pages_go_on_where_the_last_one_ended() -> None:
    ids = [letter(offset) for offset in range(5)]
    first = letter_page(Filters(), before=None, rows=2)
    assert [one.offset for one in first.letters] == [4, 3]
    assert first.older == ids[3]
    second = letter_page(Filters(), before=first.older, rows=2)
    last = letter_page(Filters(), before=second.older, rows=2)
    assert [one.offset for one in (*second.letters, *last.letters)] == [2, 1, 0]
    assert last.older is None


def test_a_page_that_is_full_is_the_last_one_where_nothing_follows() -> None:
    letter(1)
    letter(2)
    assert letter_page(Filters(), before=None, rows=2).older is None


@pytest.mark.parametrize(("value", "size"), [(None, None), (b"", 0), (bytes(3000), 3000)])
def test_a_letter_has_its_values_size_and_not_the_value(value: bytes | None, size: int | None) -> None:
    letter(1, value=value)
    (one,) = letter_page(Filters(), before=None).letters
    assert one.size == size  # type: ignore[attr-defined]
    assert "value" in one.get_deferred_fields()


def test_letters_are_counted_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letterlist, "COUNTED", 2)
    letter(1)
    letter(2)
    assert count(Filters()) == 2
    letter(3)
    letter(4)
    assert count(Filters()) == 3
    assert count(Filters(text="no such reason")) == 0


def test_streams_are_counted() -> None:
    letter(1)
    letter(2)
    letter(3, topic="other")
    assert by_stream() == [StreamCount("fink", "fink_out", 2), StreamCount("fink", "other", 1)]

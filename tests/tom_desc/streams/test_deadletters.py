"""Dead letters: kept as they came, stored when they are valid after all, deleted when somebody says so."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from tests.tom_desc.streams.pollers import HEARD, TOO_LONG, UNHEARD_OF, Texts, beside, rows, texts, value
from tom_desc.streams import deadletters, ledger
from tom_desc.streams.batches import Batch
from tom_desc.streams.classifications import Reject
from tom_desc.streams.deadletters import AlreadyRunning, Choice, Letter, Replayed, keep, replay
from tom_desc.streams.ledger import Entry
from tom_desc.streams.positions import Partition, Reader

READER = Reader("test", "cluster", "group", "host:1")
P0, P1 = Partition("said", "id", 0), Partition("said", "id", 1)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SENT = datetime(2026, 1, 1, 11, 59, 59, 123000, tzinfo=UTC)
OFFSETS = 'SELECT "offset" FROM streams_deadletter ORDER BY id'
LEDGER = (
    "SELECT partition, night, seen, stored, duplicate, dead FROM streams_ledger ORDER BY night, partition"
)


@pytest.fixture
def campaign(db: None) -> None:
    rows(HEARD)


def letter(offset: int, content: bytes | None = b"ok", **changes: Any) -> Letter:
    partition = changes.pop("partition", P0)
    fields = {"message_time": SENT, "brokername": None, "reason": "it was not valid then"} | changes
    return Letter(partition, offset, value=content, **fields)


def keep_all(*letters: Letter, received: datetime = NOON, reader: Reader = READER) -> None:
    """As the poller does that finds them, the ledger included."""
    with transaction.atomic(), connection.cursor() as cursor:
        keep(cursor, reader, letters, received=received)
        for partition in {letter.partition for letter in letters}:
            count = sum(letter.partition == partition for letter in letters)
            entry = Entry(partition, seen=count, stored=0, dead=count)
            ledger.record(cursor, reader, ledger.night_of(received), [entry])


def replay_all(choice: Choice = Choice(), **how: Any) -> Replayed:  # noqa: B008
    return sum(replay(texts, choice, **how), Replayed())


@pytest.mark.django_db
def test_a_letter_is_kept_as_it_came() -> None:
    keep_all(letter(7, b"\x00\xff", brokername="FakeBroker", reason="no record"))
    assert rows(
        'SELECT source, cluster_id, topic, topic_id, partition, "offset", message_time, brokername, reason,'
        " encode(value, 'hex'), received FROM streams_deadletter"
    ) == [("test", "cluster", "said", "id", 0, 7, SENT, "FakeBroker", "no record", "00ff", NOON)]


@pytest.mark.django_db
def test_a_message_without_value_or_time_is_a_letter_too() -> None:
    keep_all(letter(7, None, message_time=None))
    assert rows("SELECT value, message_time FROM streams_deadletter") == [(None, None)]


@pytest.mark.django_db
def test_a_letter_that_comes_again_stays_as_it_is() -> None:
    keep_all(letter(7))
    keep_all(letter(7, reason="something else"), letter(8), received=NOON + timedelta(days=1))
    assert rows("SELECT reason, received FROM streams_deadletter ORDER BY id")[0] == (
        "it was not valid then",
        NOON,
    )
    assert rows(OFFSETS) == [(7,), (8,)]


@pytest.mark.django_db
def test_the_same_offset_of_another_life_or_reader_is_another_letter() -> None:
    keep_all(letter(7), letter(7, partition=P1), letter(7, partition=Partition("said", "other id", 0)))
    keep_all(letter(7), reader=Reader("brahms", "cluster", "group", "host:1"))
    assert value("SELECT count(*) FROM streams_deadletter") == 4


@pytest.mark.django_db
def test_names_and_reasons_that_postgresql_cannot_hold_are_written_out() -> None:
    keep_all(letter(7, brokername="Fake\0Broker", reason="what is \ud800?"))
    assert rows("SELECT brokername, reason FROM streams_deadletter") == [
        (r"Fake\x00Broker", r"what is \ud800?")
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("sizes", [[1] * 1201, [20_000_000], [3_000_000] * 5, [0] * 3])
def test_many_letters_and_large_ones_are_all_kept(sizes: Sequence[int]) -> None:
    keep_all(*[letter(offset, b"x" * size) for offset, size in enumerate(sizes)])
    kept = rows('SELECT "offset", octet_length(value) FROM streams_deadletter ORDER BY 1')
    assert kept == list(enumerate(sizes))


@pytest.mark.usefixtures("campaign")
def test_what_is_valid_now_is_stored_as_if_it_came_now_and_is_a_letter_no_more() -> None:
    keep_all(letter(7, b"ok: late"), letter(9, b"no"), letter(8, b"ok: too", partition=P1))
    assert replay_all() == Replayed(letters=3, valid=2, stored=2, dead=1)
    milliseconds = round(SENT.timestamp() * 1000)
    assert rows("SELECT * FROM heard ORDER BY 4") == [
        ("ok: late", "said", 0, 7, milliseconds),
        ("ok: too", "said", 1, 8, milliseconds),
    ]
    assert rows('SELECT "offset", reason FROM streams_deadletter') == [(9, "b'no' does not begin with ok")]
    night = date(2026, 1, 1)
    assert rows(LEDGER) == [(0, night, 2, 1, 0, 1), (1, night, 1, 1, 0, 0)]


@pytest.mark.usefixtures("campaign")
def test_replaying_again_changes_nothing() -> None:
    keep_all(letter(7, b"ok: late"), letter(9, b"no"))
    replay_all()
    before = rows(LEDGER), rows("SELECT * FROM heard")
    assert replay_all() == Replayed(letters=1, dead=1)
    assert (rows(LEDGER), rows("SELECT * FROM heard")) == before


@pytest.mark.usefixtures("campaign")
def test_a_letter_that_was_heard_meanwhile_is_a_duplicate() -> None:
    rows("INSERT INTO heard VALUES ('ok: late', 'said', 0, 100, 0)")
    keep_all(letter(7, b"ok: late"))
    assert replay_all() == Replayed(letters=1, valid=1, stored=0, dead=0)
    assert rows(LEDGER) == [(0, date(2026, 1, 1), 1, 0, 1, 0)]


@pytest.mark.usefixtures("campaign")
def test_each_night_and_life_keeps_its_own_account() -> None:
    keep_all(letter(7, b"ok: one"))
    keep_all(letter(8, b"ok: two"), received=NOON + timedelta(days=1))
    keep_all(letter(7, b"ok: three", partition=Partition("said", "other id", 0)))
    assert replay_all() == Replayed(letters=3, valid=3, stored=3)
    assert [row[2:] for row in rows(LEDGER)] == [(1, 1, 0, 0)] * 3


@pytest.mark.usefixtures("campaign")
@pytest.mark.parametrize(
    ("choice", "offsets"),
    [
        (Choice(source="brahms"), [3]),
        (Choice(topic="other"), [2]),
        (Choice(text="NUL in"), [1]),
        (Choice(topic="said", source="test"), [0, 1]),
        (Choice(ids=[]), []),
        (Choice(text="%"), []),
    ],
)
def test_only_chosen_letters_are_looked_at(choice: Choice, offsets: list[int]) -> None:
    keep_all(
        letter(0), letter(1, reason="there is a nul in it"), letter(2, partition=Partition("other", "", 0))
    )
    keep_all(letter(3), reader=Reader("brahms", "cluster", "group", "host:1"))
    assert deadletters.count(choice) == len(offsets)
    replay_all(choice)
    assert [offset for (offset,) in rows(OFFSETS)] == [n for n in range(4) if n not in offsets]


@pytest.mark.usefixtures("campaign")
def test_letters_are_chosen_by_id() -> None:
    keep_all(letter(0), letter(1), letter(2))
    ids = [letter_id for (letter_id,) in rows("SELECT id FROM streams_deadletter ORDER BY id")]
    replay_all(Choice(ids=ids[1:]))
    assert rows(OFFSETS) == [(0,)]


@pytest.mark.usefixtures("campaign")
def test_a_look_changes_nothing() -> None:
    keep_all(letter(7, b"ok: late"), letter(9, b"no"))
    assert replay_all(store=False) == Replayed(letters=2, valid=1, stored=0, dead=1)
    assert rows(OFFSETS) == [(7,), (9,)]
    assert value("SELECT count(*) FROM heard") == 0
    assert value("SELECT reason FROM streams_deadletter LIMIT 1") == "it was not valid then"


@pytest.mark.usefixtures("campaign")
def test_what_the_database_still_refuses_stays_with_its_words() -> None:
    good = [letter(n, f"ok: {n}".encode()) for n in range(10)]
    keep_all(*good[:3], letter(20, UNHEARD_OF), *good[3:], letter(21, TOO_LONG))
    assert replay_all() == Replayed(letters=12, valid=10, stored=10, dead=2)
    assert [reason[:40] for (reason,) in rows("SELECT reason FROM streams_deadletter ORDER BY id")] == [
        "the database refused it: new row for rel",
        "the database refused it: value too long ",
    ]
    assert [row[2:] for row in rows(LEDGER)] == [(12, 10, 0, 2)]


class Sizes:
    """The campaign's decode, which remembers how much it was given at once."""

    def __init__(self) -> None:
        self.letters: list[int] = []

    def __call__(self, batch: Batch) -> Texts:
        self.letters.append(len(batch))
        return Texts(batch, [Reject(row, "no") for row in range(len(batch))])


@pytest.mark.usefixtures("campaign")
@pytest.mark.parametrize(
    ("sizes", "chunks"),
    [([1] * 2001, [1000, 1000, 1]), ([20_000_000] * 3, [2, 1]), ([None] * 3, [3])],
    ids=["many", "large", "without value"],
)
def test_a_transaction_has_no_more_than_it_bears(
    sizes: Sequence[int | None], chunks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_all(*[letter(n, None if size is None else b"x" * size) for n, size in enumerate(sizes)])
    decode = Sizes()
    list(replay(decode, Choice()))
    assert decode.letters == chunks


def test_two_do_not_replay_at_once(database: str) -> None:
    with beside(database) as ask:
        ask(f"SELECT pg_advisory_lock({deadletters.LOCK})")
        with pytest.raises(AlreadyRunning):
            replay_all()
        ask(f"SELECT pg_advisory_unlock({deadletters.LOCK})")
        assert replay_all() == Replayed()


@pytest.mark.django_db
def test_old_letters_are_deleted_when_somebody_says_so() -> None:
    keep_all(letter(1))
    keep_all(letter(2), received=NOON + timedelta(seconds=1))
    assert deadletters.count_older(NOON + timedelta(seconds=1)) == 1
    assert deadletters.delete_older(NOON + timedelta(seconds=1)) == 1
    assert rows(OFFSETS) == [(2,)]

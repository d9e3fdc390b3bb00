"""Positions: who claims goes on where the last one stored, and the last one stores no more."""

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection, connections, transaction

from tests.tom_desc.streams.pollers import rows, value
from tom_desc.streams import positions
from tom_desc.streams.positions import Bounds, Claim, Fenced, Move, Outcome, Partition, Reader

FIRST = Reader("test", "cluster", "group", "first:1")
SECOND = Reader("test", "cluster", "group", "second:2")
P0, P1 = Partition("said", "id", 0), Partition("said", "id", 1)
BOUNDS = {P0: Bounds(0, 100), P1: Bounds(10, 100)}
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
STOOD = "SELECT partition, next_offset FROM streams_position ORDER BY topic_id, partition"


WAITING = """
    SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"""


def claim(reader: Reader = FIRST, bounds: Any = None, **starts: Any) -> dict[Partition, Claim]:
    with transaction.atomic(), connection.cursor() as cursor:
        return positions.claim(cursor, reader, bounds or BOUNDS, starts=starts.get("starts", {}))


def advance(*moves: Move, reader: Reader = FIRST) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        positions.advance(cursor, reader, moves)


def outcome(*moves: Move) -> Outcome:
    with connection.cursor() as cursor:
        return positions.outcome(cursor, FIRST, moves)


def move(partition: Partition, epoch: int, start: int, stop: int, moment: datetime | None = NOON) -> Move:
    return Move(partition, epoch, start, stop, end_offset=100, message_time=moment)


@pytest.mark.django_db
def test_a_partition_without_a_position_begins_with_its_first_message() -> None:
    assert claim() == {P0: Claim(1, 0, 0), P1: Claim(1, 10, 10)}


@pytest.mark.django_db
def test_or_where_it_is_told_to_begin() -> None:
    assert claim(starts={P0: 40})[P0] == Claim(1, 40, 40)


@pytest.mark.django_db
def test_who_claims_goes_on_where_the_last_one_stored_whatever_it_is_told() -> None:
    claim()
    advance(move(P0, 1, 0, 7))
    assert claim(SECOND, starts={P0: 40}) == {P0: Claim(2, 7, 7), P1: Claim(2, 10, 10)}
    assert rows("SELECT DISTINCT owner FROM streams_position") == [("second:2",)]


@pytest.mark.django_db
def test_messages_that_are_gone_are_skipped_and_told() -> None:
    claim()
    assert claim(bounds={P0: Bounds(30, 100), P1: Bounds(10, 100)})[P0] == Claim(2, 0, 30)
    assert rows(STOOD) == [(0, 30), (1, 10)]


@pytest.mark.django_db
def test_a_topic_that_was_made_anew_has_positions_of_its_own() -> None:
    claim()
    advance(move(P0, 1, 0, 7))
    anew = Partition("said", "other id", 0)
    assert claim(bounds={anew: Bounds(0, 3)}) == {anew: Claim(1, 0, 0)}
    assert rows(STOOD) == [(0, 7), (1, 10), (0, 0)]


@pytest.mark.django_db
def test_groups_have_positions_of_their_own() -> None:
    claim()
    advance(move(P0, 1, 0, 7))
    other = Reader("test", "cluster", "other group", "first:1")
    assert claim(other)[P0] == Claim(1, 0, 0)


@pytest.mark.django_db
def test_a_batch_moves_all_its_partitions() -> None:
    claim()
    advance(move(P1, 1, 10, 20, None), move(P0, 1, 0, 7))
    assert rows("SELECT next_offset, end_offset, message_time FROM streams_position ORDER BY partition") == [
        (7, 100, NOON),
        (20, 100, None),
    ]


@pytest.mark.django_db
def test_a_message_without_time_leaves_the_time_of_the_one_before() -> None:
    claim()
    advance(move(P0, 1, 0, 7))
    advance(move(P0, 1, 7, 8, None))
    assert value("SELECT message_time FROM streams_position WHERE partition = 0") == NOON


@pytest.mark.django_db
def test_the_end_is_never_before_what_was_stored() -> None:
    claim()
    advance(Move(P0, 1, 0, 7, end_offset=-1, message_time=None))
    assert value("SELECT end_offset FROM streams_position WHERE partition = 0") == 7


@pytest.mark.django_db
@pytest.mark.parametrize(
    "stale",
    [move(P1, 2, 10, 20), move(P1, 1, 11, 20), move(Partition("said", "other id", 1), 1, 10, 20)],
    ids=["epoch", "offset", "life"],
)
def test_one_partition_that_is_not_as_we_hold_it_fences_the_batch(stale: Move) -> None:
    claim()
    with pytest.raises(Fenced, match="1 of 2 partitions"):
        advance(move(P0, 1, 0, 7), stale)
    assert rows(STOOD) == [(0, 0), (1, 10)]


@pytest.mark.django_db
def test_a_batch_is_stored_once() -> None:
    claim()
    advance(move(P0, 1, 0, 7))
    with pytest.raises(Fenced):
        advance(move(P0, 1, 0, 7))


@pytest.mark.django_db
def test_what_became_of_a_batch_is_read_from_its_positions() -> None:
    claim()
    batch = move(P0, 1, 0, 7), move(P1, 1, 10, 20)
    assert outcome(*batch) is Outcome.NOT_STORED
    advance(*batch)
    assert outcome(*batch) is Outcome.STORED
    claim(SECOND)
    assert outcome(*batch) is Outcome.FENCED


@pytest.mark.django_db
def test_looking_after_partitions_says_when_and_where_they_end() -> None:
    claim()
    rows("UPDATE streams_position SET updated = '2000-01-01'")
    with connection.cursor() as cursor:
        positions.renew(cursor, FIRST, epochs={P0: 1, P1: 1}, ends={P0: 500})
    found = rows("SELECT end_offset, updated > '2026-01-01' FROM streams_position ORDER BY partition")
    assert found == [(500, True), (100, False)]


@pytest.mark.django_db
def test_who_looks_after_another_ones_partition_is_told() -> None:
    claim()
    claim(SECOND)
    with pytest.raises(Fenced), connection.cursor() as cursor:
        positions.renew(cursor, FIRST, epochs={P0: 1}, ends={P0: 500})


@pytest.mark.django_db
def test_rewinding_begins_again_and_fences_who_reads() -> None:
    claim()
    advance(move(P0, 1, 0, 7))
    with connection.cursor() as cursor:
        positions.rewind(cursor, SECOND, BOUNDS | {Partition("other", "id", 0): Bounds(5, 6)})
    with pytest.raises(Fenced):
        advance(move(P0, 1, 7, 9))
    assert rows("SELECT topic, partition, next_offset FROM streams_position ORDER BY topic, partition") == [
        ("other", 0, 5),
        ("said", 0, 0),
        ("said", 1, 10),
    ]


@pytest.mark.django_db
def test_known_positions_are_those_of_every_life_of_the_topics() -> None:
    claim(
        bounds=BOUNDS
        | {Partition("said", "other id", 0): Bounds(3, 4), Partition("x", "id", 0): Bounds(1, 1)}
    )
    with connection.cursor() as cursor:
        assert positions.known(cursor, FIRST, ["said"]) == {
            P0: 0,
            P1: 10,
            Partition("said", "other id", 0): 3,
        }


def in_thread(verb: Any) -> "tuple[threading.Thread, list[Any]]":
    """The verb in a thread of its own, with a connection of its own, and what it returns or raises."""
    came: list[Any] = []

    def run() -> None:
        try:
            came.append(verb())
        except Fenced as error:
            came.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread, came


def until_somebody_waits() -> None:
    """Until another session waits for a lock of ours."""
    while not value(WAITING):
        rows("SELECT pg_stat_clear_snapshot()")


def test_a_claim_waits_for_the_batch_in_hand_and_goes_on_after_it(database: str) -> None:
    claim()
    with transaction.atomic(), connection.cursor() as cursor:
        positions.advance(cursor, FIRST, [move(P0, 1, 0, 7)])
        thread, came = in_thread(lambda: claim(SECOND))
        until_somebody_waits()
        assert came == []
    thread.join()
    assert came == [{P0: Claim(2, 7, 7), P1: Claim(2, 10, 10)}]


def test_a_batch_that_meets_a_claim_is_fenced(database: str) -> None:
    claim()
    with transaction.atomic(), connection.cursor() as cursor:
        positions.claim(cursor, SECOND, BOUNDS, starts={})
        thread, came = in_thread(lambda: advance(move(P0, 1, 0, 7), move(P1, 1, 10, 20)))
        until_somebody_waits()
    thread.join()
    assert [type(error) for error in came] == [Fenced]
    assert rows(STOOD) == [(0, 0), (1, 10)]


def test_a_batch_that_meets_a_claim_that_is_given_up_is_stored(database: str) -> None:
    claim()
    connection.set_autocommit(False)
    with connection.cursor() as cursor:
        positions.claim(cursor, SECOND, BOUNDS, starts={})
    thread, came = in_thread(lambda: advance(move(P0, 1, 0, 7), move(P1, 1, 10, 20)))
    until_somebody_waits()
    connection.rollback()
    connection.set_autocommit(True)
    thread.join()
    assert came == [None]
    assert rows(STOOD) == [(0, 7), (1, 20)]


def test_two_who_claim_a_new_topic_at_once_both_do(database: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        positions.claim(cursor, FIRST, BOUNDS, starts={})
        thread, came = in_thread(lambda: claim(SECOND))
        until_somebody_waits()
    thread.join()
    assert came == [{P0: Claim(2, 0, 0), P1: Claim(2, 10, 10)}]

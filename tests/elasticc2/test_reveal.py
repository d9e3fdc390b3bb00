"""Reveal: what the TOM learns, and that it does not depend on when things arrive."""

import itertools

import psycopg2
import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from elasticc2.renewal import LOCK, AlreadyRunning
from elasticc2.reveal import Revealed, reveal
from tests.elasticc2.sky import add_object, add_points, hear, message, rows, value

pytestmark = pytest.mark.django_db

POINTS = [
    (60000.0, "g", 30.0, False),
    (60001.0, "g", 90.0, True),
    (60002.0, "r", 80.0, True),
    (60005.0, "r", 9.0, False),
]


def forced() -> list[float]:
    return [mjd for (mjd,) in rows("SELECT midpointtai FROM elasticc2_diaforcedsource ORDER BY 1")]


def test_an_object_comes_with_its_photometry_up_to_the_latest_known_detection() -> None:
    first, _second = add_object(7, POINTS)
    hear(message(first))
    assert reveal() == Revealed(objects=1, sources=1, forced=2)
    assert forced() == [60000.0, 60001.0]


def test_only_sources_that_brokers_spoke_of_become_known() -> None:
    first, second = add_object(7, POINTS)
    hear(message(second))
    reveal()
    assert rows("SELECT diasource_id FROM elasticc2_diasource") == [(second,)]
    assert value("SELECT firstsource_id FROM elasticc2_diaobjectinfo") == second != first


def test_revealing_again_adds_nothing() -> None:
    (source, _) = add_object(7, POINTS)
    hear(message(source))
    reveal()
    assert reveal() == Revealed()
    assert reveal(do_all=True) == Revealed()


def test_photometry_that_is_loaded_late_is_revealed_too() -> None:
    first, second = add_object(7, POINTS)
    hear(message(first), message(second))
    reveal()
    add_points(7, [(59990.0, "i", 5.0, False), (60001.5, "i", 5.0, False)], first=50)
    assert reveal() == Revealed(forced=2)
    assert forced() == [59990.0, 60000.0, 60001.0, 60001.5, 60002.0]


def test_photometry_after_the_latest_known_detection_stays_hidden() -> None:
    first, _ = add_object(7, POINTS)
    hear(message(first))
    reveal()
    add_points(7, [(60001.5, "i", 5.0, False)], first=50)
    assert reveal() == Revealed()


def test_loading_an_object_that_no_broker_spoke_of_reveals_nothing() -> None:
    add_object(7, POINTS)
    assert reveal() == Revealed()
    assert value("SELECT count(*) FROM elasticc2_loadnews") == 0


def test_an_unknown_source_waits_for_the_load_that_brings_it() -> None:
    hear(message(700001), message(999))
    assert reveal() == Revealed(unknown=2)
    assert rows("SELECT * FROM elasticc2_brokersourceids") == []
    add_object(7, POINTS)
    assert reveal() == Revealed(objects=1, sources=1, forced=2)
    assert rows("SELECT diasource_id FROM elasticc2_unknownsource") == [(999,)]


def test_ids_in_the_public_mirror_alone_are_news() -> None:
    """As after a data-only restore of the original's tables."""
    first, _ = add_object(7, POINTS)
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO elasticc2_brokersourceids VALUES (%s)", (first,))
    assert reveal() == Revealed(objects=1, sources=1, forced=2)
    assert rows("SELECT * FROM elasticc2_brokersourceids") == []


def test_news_that_came_while_a_chunk_was_revealed_stays_on_the_mirror() -> None:
    first, second = add_object(7, POINTS)
    hear(message(first))
    heard_meanwhile = iter([True])

    def hear_again(total: Revealed) -> None:
        if next(heard_meanwhile, False):
            hear(message(second))

    assert reveal(on_chunk=hear_again).sources == 2
    assert rows("SELECT * FROM elasticc2_brokersourceids") == []


def test_news_beyond_one_transaction_is_worked_off_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("elasticc2.reveal.AT_ONCE", 1)
    for objectid in (7, 8, 9):
        hear(message(add_object(objectid, POINTS)[0]))
    chunks: list[Revealed] = []
    assert reveal(on_chunk=chunks.append).objects == 3
    assert [chunk.objects for chunk in chunks][-1] == 3
    assert len(chunks) >= 3


def test_sources_that_a_load_brings_late_come_in_chunks_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("elasticc2.reveal.AT_ONCE", 2)
    late = [objectid * 100_000 + 1 for objectid in range(7, 12)]
    hear(*(message(source) for source in late))
    assert reveal() == Revealed(unknown=5)
    for objectid in range(7, 12):
        add_object(objectid, POINTS)
    chunks: list[Revealed] = []
    assert reveal(on_chunk=chunks.append).sources == 5
    totals = [0, *(chunk.sources for chunk in chunks)]
    assert max(after - before for before, after in itertools.pairwise(totals)) <= 2
    assert value("SELECT count(*) FROM elasticc2_unknownsource") == 0


def test_a_run_that_is_asked_to_stop_leaves_the_rest_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("elasticc2.reveal.AT_ONCE", 1)
    for objectid in (7, 8, 9):
        hear(message(add_object(objectid, POINTS)[0]))
    chunks: list[Revealed] = []
    assert reveal(on_chunk=chunks.append, stopping=lambda: bool(chunks)).sources == 1
    assert value("SELECT count(*) FROM elasticc2_brokersourceids") == 2
    assert reveal().sources == 2


def test_a_second_reveal_at_the_same_time_refuses() -> None:
    other = psycopg2.connect(psycopg2_dsn())
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        with pytest.raises(AlreadyRunning):
            reveal()
    other.close()


def psycopg2_dsn() -> str:
    parameters = connection.get_connection_params()
    names = ("dbname", "host", "port", "user", "password")
    return " ".join(f"{name}='{parameters.get(name, '')}'" for name in names)


def snapshot() -> list[list[tuple[object, ...]]]:
    return [
        rows(f"SELECT {columns} FROM elasticc2_{table} ORDER BY 1, 2")
        for table, columns in (
            ("diaobject", "diaobject_id, ra"),
            ("diasource", "*"),
            ("diaforcedsource", "*"),
            (
                "diaobjectinfo",
                "diaobject_id, filtername, firstsource_id, latestsource_id, maxforcedsource_id",
            ),
        )
    ]


@given(st.permutations(range(4)), st.sets(st.integers(0, 3)))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_outcome_does_not_depend_on_the_order_of_messages_and_runs(
    order: list[int], runs: set[int]
) -> None:
    """Messages in any order, reveal run after any of them: the tables come out the same."""
    with transaction.atomic():
        check_outcome(order, runs)
        transaction.set_rollback(True)


def check_outcome(order: list[int], runs: set[int]) -> None:
    sources = list(itertools.chain(add_object(7, POINTS), add_object(8, POINTS)))
    for place, which in enumerate(order):
        hear(message(sources[which]))
        if place in runs:
            reveal()
    reveal()
    assert snapshot()[1:3] == expected_rows(sources)
    assert len(snapshot()[3]) == 4


def expected_rows(sources: list[int]) -> list[list[tuple[object, ...]]]:
    known = rows("SELECT * FROM elasticc2_ppdbdiasource WHERE diasource_id = ANY(%s) ORDER BY 1, 2", sources)
    photometry = rows("SELECT * FROM elasticc2_ppdbdiaforcedsource WHERE midpointtai <= 60002 ORDER BY 1, 2")
    return [known, photometry]

"""What is kept of objects is what their rows say, whatever was done to the rows, and by whom."""

from contextlib import closing
from typing import Any

import numpy as np
import psycopg2
import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from elasticc2.hotset import COLUMNS, HOT_SET
from elasticc2.lightcurves import hot_objects, light_curves
from elasticc2.renewal import LOCK, AlreadyRunning, rebuild, renew_stale
from elasticc2.reveal import reveal
from tests.elasticc2.sky import add_object, hear, message, rows, value
from tests.elasticc2.test_reveal import psycopg2_dsn

pytestmark = pytest.mark.django_db

OBJECTS = (1, 2, 3)
MJD = st.sampled_from([60000.0, 60000.5, 60001.25, 60003.0])
BAND = st.sampled_from(["u", "g", "Y"])
FLUX = st.sampled_from([-5.5, 0.1, 30.25, 1e6, float("nan")])
OBJECT = st.sampled_from(OBJECTS)
ANY_ID = st.integers(0, 5)

FORCED = "elasticc2_diaforcedsource"
SOURCE = "elasticc2_diasource"
ADD = {
    FORCED: f"""
        INSERT INTO {FORCED} (diaforcedsource_id, midpointtai, filtername, psflux, psfluxerr, diaobject_id)
        VALUES (%s, %s, %s, %s, 1.5, %s) ON CONFLICT DO NOTHING""",
    SOURCE: f"""
        INSERT INTO {SOURCE} (diasource_id, midpointtai, filtername, psflux, psfluxerr, diaobject_id,
                              ra, decl, snr)
        VALUES (%s, %s, %s, %s, 1.5, %s, 10, -5, 7) ON CONFLICT DO NOTHING""",
}
TABLE = st.sampled_from([FORCED, SOURCE])
EDITS = st.one_of(
    st.tuples(st.just("add"), TABLE, ANY_ID, MJD, BAND, FLUX, OBJECT),
    st.tuples(st.just("change"), TABLE, MJD, FLUX, OBJECT),
    st.tuples(st.just("give"), TABLE, OBJECT, OBJECT),
    st.tuples(st.just("delete"), TABLE, OBJECT, MJD),
    st.tuples(st.just("truncate"), TABLE),
    st.tuples(st.just("reveal")),
    st.tuples(st.just("rebuild")),
)


def edit(what: str, *how: Any) -> None:
    """Do something to the rows, as an operator or a restored dump might, or renew what is kept."""
    if what == "add":
        table, number, mjd, band, flux, objectid = how
        run(ADD[table], objectid * 100_000 + number, mjd, band, flux, objectid)
    elif what == "change":
        table, mjd, flux, objectid = how
        run(
            f"UPDATE {table} SET psflux = %s WHERE midpointtai >= %s AND diaobject_id = %s",
            flux,
            mjd,
            objectid,
        )
    elif what == "give":
        # From one object to another: with forced points, from partition to partition.
        table, giver, taker = how
        run(f"UPDATE {table} SET diaobject_id = %s WHERE diaobject_id = %s", taker, giver)
    elif what == "delete":
        table, objectid, mjd = how
        run(f"DELETE FROM {table} WHERE diaobject_id = %s AND midpointtai < %s", objectid, mjd)
    elif what == "truncate":
        run("SET CONSTRAINTS ALL IMMEDIATE")
        run(f"TRUNCATE {how[0]}")
        run("SET CONSTRAINTS ALL DEFERRED")
    elif what == "reveal":
        reveal()
    else:
        assert sum(rebuild()) == len(OBJECTS)


def run(statement: str, *parameters: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def check_light_curves(until_mjd: float | None) -> None:
    """Readers see the rows, and no packed light curve that they may read is anything else."""
    (curves,) = light_curves(objectids=OBJECTS, until_mjd=until_mjd, spectra_until=lambda: 0)
    assert [row[0] for row in curves.objects] == list(OBJECTS)
    for place, objectid in enumerate(OBJECTS):
        points = curves.points.take(slice(*curves.bounds[place : place + 2]))
        expected = rows(
            f"SELECT midpointtai, filtername, psflux, psfluxerr FROM {FORCED}"
            " WHERE diaobject_id = %s AND midpointtai <= %s ORDER BY midpointtai, diaforcedsource_id",
            objectid,
            float("inf") if until_mjd is None else until_mjd,
        )
        mjd, band, flux, fluxerr = zip(*expected, strict=True) if expected else ((), (), (), ())
        assert points.mjd.tolist() == list(mjd)
        assert points.band.astype("U1").tolist() == list(band)
        np.testing.assert_array_equal(points.flux, np.array(flux, np.float32))
        np.testing.assert_array_equal(points.fluxerr, np.array(fluxerr, np.float32))


WINDOWS = ((60000.0, 60000.5), (60000.25, 60002.0), (60001.25, 60003.0), (59000.0, 61000.0))
BY_ROWS = f"""
WITH seen AS (SELECT * FROM {SOURCE} WHERE midpointtai <= %(until)s AND diaobject_id IS NOT NULL)
SELECT diaobject_id, count(*),
       (array_agg(ROW(midpointtai, filtername, psflux)::text
                  ORDER BY midpointtai DESC, diasource_id DESC))[1],
       (array_agg(ROW(midpointtai, filtername, psflux)::text
                  ORDER BY psflux = 'NaN', psflux DESC, midpointtai, diasource_id))[1]
FROM seen GROUP BY diaobject_id HAVING max(midpointtai) >= %(since)s ORDER BY diaobject_id"""
BY_SUMMARIES = f"""
WITH {HOT_SET}
SELECT diaobject_id, n_sources, ROW(latest_mjd, latest_band, latest_flux)::text,
       ROW(peak_mjd, peak_band, peak_flux)::text
FROM (SELECT {COLUMNS} FROM hot) hot ORDER BY diaobject_id"""


def check_summaries() -> None:
    """What is hot, and what it looked like by the end of the window, is what the sources say."""
    for since, until in WINDOWS:
        with connection.cursor() as cursor:
            window = {"since": since, "until": until}
            cursor.execute(BY_ROWS, window)
            expected = cursor.fetchall()
            cursor.execute(BY_SUMMARIES, window)
            assert cursor.fetchall() == expected
        assert hot_objects(since_mjd=since, until_mjd=until) == [row[0] for row in expected]


@given(edits=st.lists(EDITS, max_size=12))
@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_what_is_kept_is_what_the_rows_say(db: None, edits: list[tuple[Any, ...]]) -> None:
    with transaction.atomic():
        for objectid in OBJECTS:
            sources = add_object(objectid, [(60000.0, "g", 55.0, True), (60001.25, "r", 20.0, False)])
            hear(*(message(source) for source in sources))
        reveal()
        for one in edits:
            edit(*one)
            for until_mjd in (None, 60000.5):
                check_light_curves(until_mjd)
            check_summaries()
        transaction.set_rollback(True)


PACKED = "SELECT diaobject_id FROM elasticc2_packedlightcurve ORDER BY 1"
NOTED = "SELECT DISTINCT unnest(diaobject_ids) FROM elasticc2_staleobjects ORDER BY 1"


@pytest.fixture
def two() -> None:
    """Objects 1 and 2, revealed."""
    for objectid in (1, 2):
        sources = add_object(objectid, [(60000.0, "g", 55.0, True), (60001.25, "r", 20.0, True)])
        hear(*(message(source, classes=((2223, 0.7), (2222, 0.3))) for source in sources))
    reveal()


def test_reveal_leaves_nothing_to_renew(two: None) -> None:
    assert rows(PACKED) == [(1,), (2,)]
    assert rows(NOTED) == []


def test_whoever_else_changes_photometry_takes_the_packed_light_curve_away(two: None) -> None:
    run(f"UPDATE {FORCED} SET psflux = 1 WHERE diaobject_id = 2")
    assert rows(PACKED) == [(1,)]
    assert rows(NOTED) == [(2,)]


def test_reveal_renews_what_others_changed(two: None) -> None:
    run(f"UPDATE {FORCED} SET psflux = 7 WHERE diaobject_id = 2")
    run(f"UPDATE {SOURCE} SET psflux = 9 WHERE diaobject_id = 2")
    reveal()
    assert rows(PACKED) == [(1,), (2,)]
    assert rows(NOTED) == []
    assert value("SELECT peak_flux FROM elasticc2_objectsummary WHERE diaobject_id = 2") == 9
    assert value("SELECT max(maxforcedsourceflux) FROM elasticc2_diaobjectinfo WHERE diaobject_id = 2") == 7


def test_what_was_deleted_is_not_revealed_again(two: None) -> None:
    run(f"DELETE FROM {FORCED} WHERE diaobject_id = 2")
    reveal()
    assert value(f"SELECT count(*) FROM {FORCED} WHERE diaobject_id = 2") == 0
    assert value("SELECT n FROM elasticc2_packedlightcurve WHERE diaobject_id = 2") == 0


def test_summaries_without_a_source_go(two: None) -> None:
    run(f"DELETE FROM {SOURCE} WHERE diaobject_id = 2 AND filtername = 'g'")
    reveal()
    bands = rows("SELECT filtername FROM elasticc2_diaobjectinfo WHERE diaobject_id = 2")
    assert bands == [("r",)]
    run(f"DELETE FROM {SOURCE} WHERE diaobject_id = 2")
    reveal()
    for table in ("diaobjectinfo", "diaobjectclassification"):
        assert value(f"SELECT count(*) FROM elasticc2_{table} WHERE diaobject_id = 2") == 0
    summary = "SELECT n_sources, latest_mjd, peak_flux FROM elasticc2_objectsummary WHERE diaobject_id = 2"
    assert rows(summary) == [(0, None, None)]


def test_an_object_takes_what_is_kept_of_it_along(two: None) -> None:
    for table in ("diaobjectinfo", "diaobjectclassification", "diaforcedsource", "diasource", "diaobject"):
        run(f"DELETE FROM elasticc2_{table} WHERE diaobject_id = 2")
    run("SET CONSTRAINTS ALL IMMEDIATE")
    assert rows(PACKED) == [(1,)]
    assert rows("SELECT diaobject_id FROM elasticc2_objectsummary") == [(1,)]
    reveal()
    assert rows(PACKED) == [(1,)]


def test_a_rebuild_repairs_what_somebody_spoilt(two: None) -> None:
    kept = ("packedlightcurve", "objectsummary", "diaobjectclassification")
    before = {table: rows(f"SELECT t.*::text FROM elasticc2_{table} t ORDER BY 1") for table in kept}
    run("UPDATE elasticc2_packedlightcurve SET flux = fluxerr WHERE diaobject_id = 1")
    run("DELETE FROM elasticc2_packedlightcurve WHERE diaobject_id = 2")
    run("UPDATE elasticc2_objectsummary SET n_sources = 99, latest_mjd = 1")
    run("UPDATE elasticc2_diaobjectclassification SET probia = NULL")
    assert sum(rebuild()) == 2
    assert {table: rows(f"SELECT t.*::text FROM elasticc2_{table} t ORDER BY 1") for table in kept} == before


def test_a_rebuild_is_done_with_what_was_noted_before(two: None) -> None:
    run(f"UPDATE {FORCED} SET psflux = 7 WHERE diaobject_id = 2")
    sum(rebuild())
    assert rows(NOTED) == []


def test_what_is_noted_during_a_rebuild_waits_for_the_next_reveal(two: None) -> None:
    rebuilding = rebuild()
    next(rebuilding)
    run(f"UPDATE {FORCED} SET psflux = 7 WHERE diaobject_id = 1")
    assert list(rebuilding) == []
    assert rows(NOTED) == [(1,)]
    assert renew_stale() == 1


def test_the_probability_of_ia_is_that_of_the_latest_message_best_or_not(two: None) -> None:
    assert (
        rows("SELECT latestclass1id, probia FROM elasticc2_diaobjectclassification")
        == [(2223, pytest.approx(0.3))] * 2
    )


def test_a_classifier_that_does_not_name_ia_gives_it_nothing() -> None:
    (source,) = add_object(1, [(60000.0, "g", 55.0, True)])
    hear(message(source, classes=((2223, 1.0),)))
    reveal()
    assert rows("SELECT probia FROM elasticc2_diaobjectclassification") == [(0.0,)]


def test_only_one_at_a_time_renews() -> None:
    with closing(psycopg2.connect(psycopg2_dsn())) as other, other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        with pytest.raises(AlreadyRunning):
            next(rebuild())

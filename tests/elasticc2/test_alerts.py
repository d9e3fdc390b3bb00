import io
import json
from collections import Counter
from datetime import UTC, datetime

import fastavro
import numpy as np
import orjson
import pytest
from django.db import connection

from elasticc2 import alerts
from elasticc2.alerts import AlertAssembler
from elasticc2.campaign import NAME, OBJECT_FLOATS, avro_name
from elasticc2.keptobjects import encode_objects, not_kept
from elasticc2.models import SendBatch
from tests.elasticc2.awkward import IDS, AwkwardSky
from tom_desc.campaigns.models import Campaign
from tom_desc.streams import avro
from tom_desc.streams.schemas import ALERT, schema

WHEN = datetime(2023, 4, 1, tzinfo=UTC)
# (days_previous, nprevious): a stream's full and limited reports, and what getalert's golden values ask for.
FULL, LIMITED, LAST_TEN, LIMITED_LAST_FOUR = (365, None), (30, None), (365, 10), (30, 4)

# The rule of which rows belong to an alert, in SQL and nothing else. float4 as float8 keeps the value.
SOURCE_COLUMNS = """
    diasource_id, diaobject_id, midpointtai, filtername, ra, decl,
    psflux::float8, psfluxerr::float8, snr::float8"""
SOURCE = f"SELECT {SOURCE_COLUMNS} FROM elasticc2_ppdbdiasource WHERE diasource_id = %(source)s"
EARLIER_SOURCES = f"""
    SELECT {SOURCE_COLUMNS} FROM elasticc2_ppdbdiasource
    WHERE diaobject_id = %(object)s
      AND midpointtai < (SELECT midpointtai FROM elasticc2_ppdbdiasource WHERE diasource_id = %(source)s)
      AND midpointtai >= (SELECT midpointtai - %(days)s::float8
                          FROM elasticc2_ppdbdiasource WHERE diasource_id = %(source)s)
    ORDER BY midpointtai, diasource_id"""
EARLIER_FORCED = """
    WITH this AS (SELECT midpointtai AS t FROM elasticc2_ppdbdiasource WHERE diasource_id = %(source)s),
         first AS (SELECT min(midpointtai) AS f FROM elasticc2_ppdbdiasource WHERE diaobject_id = %(object)s),
         earlier AS (
             SELECT p.* FROM elasticc2_ppdbdiaforcedsource p, this, first
             WHERE p.diaobject_id = %(object)s AND t - f > 0.5
               AND p.midpointtai >= t - %(days)s::float8 AND p.midpointtai >= f - 30 AND p.midpointtai < t
             ORDER BY p.midpointtai DESC, p.diaforcedsource_id DESC
             LIMIT %(nprevious)s)
    SELECT diaforcedsource_id, diaobject_id, midpointtai, filtername, psflux::float8, psfluxerr::float8
    FROM earlier
    ORDER BY midpointtai, diaforcedsource_id"""
OBJECT = f"""
    SELECT diaobject_id, simversion, ra, decl,
           {", ".join(f"{name}::float8 AS {name}" for name in OBJECT_FLOATS)}
    FROM elasticc2_ppdbdiaobject WHERE diaobject_id = %(object)s"""


@pytest.fixture
def cursor(db):
    with connection.cursor() as cursor:
        yield cursor


@pytest.fixture(params=["from rows", "kept"])
def sky(cursor, request):
    """Of objects that are kept encoded, or not."""
    AwkwardSky().store()
    if request.param == "kept":
        assert sum(encode_objects(not_kept(cursor))) == len(IDS)


def dicts(cursor, query, values):
    cursor.execute(query, values)
    keys = [avro_name(column.name) for column in cursor.description]
    return [dict(zip(keys, row, strict=True)) for row in cursor.fetchall()]


def alert_by_sql(cursor, alert_id, days_previous, nprevious):
    """What an alert is, asked of the database one alert at a time."""
    cursor.execute("SELECT diasource_id FROM elasticc2_ppdbalert WHERE alert_id = %s", (alert_id,))
    (sourceid,) = cursor.fetchone()
    (source,) = dicts(cursor, SOURCE, {"source": sourceid})
    values = {
        "source": sourceid,
        "object": source["diaObjectId"],
        "days": days_previous,
        "nprevious": nprevious,
    }
    return {
        "alertId": alert_id,
        "diaSource": source,
        "prvDiaSources": dicts(cursor, EARLIER_SOURCES, values),
        "prvDiaForcedSources": dicts(cursor, EARLIER_FORCED, values),
        "diaObject": next(iter(dicts(cursor, OBJECT, values)), None),
    }


def all_alert_ids(cursor):
    cursor.execute("SELECT alert_id FROM elasticc2_ppdbalert ORDER BY alert_id")
    return [alert_id for (alert_id,) in cursor.fetchall()]


def written_by_fastavro(alert):
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, schema(ALERT), alert)
    return stream.getvalue()


def decoded(alert):
    """The alert read as a consumer reads it; nothing may be left over."""
    stream = io.BytesIO(alert)
    content = fastavro.schemaless_reader(stream, schema(ALERT), schema(ALERT))
    assert stream.read() == b""
    return content


def check_against_sql(cursor, window):
    """Every alert, its bytes and what they decode to, against SQL; repr tells -0.0 from 0.0 and knows NaN."""
    days_previous, nprevious = window
    ids = all_alert_ids(cursor)
    assembler = AlertAssembler()
    assembled = assembler.assemble(cursor, ids, days_previous=days_previous, nprevious=nprevious)
    for alert_id, alert in list(assembled):
        expected = alert_by_sql(cursor, alert_id, days_previous, nprevious)
        assert repr(decoded(alert)) == repr(expected)
        assert alert == written_by_fastavro(expected)
    return len(ids)


@pytest.mark.parametrize("window", [FULL, LIMITED, LAST_TEN, LIMITED_LAST_FOUR, (365, 0)])
def test_alerts_of_a_made_up_sky_are_what_sql_says(cursor, sky, window):
    assert check_against_sql(cursor, window) > 500


@pytest.mark.parametrize("window", [FULL, LIMITED])
def test_all_real_alerts_are_what_sql_says(cursor, real_survey, window):
    assert check_against_sql(cursor, window) == 1862


def test_the_made_up_sky_has_every_case(cursor, sky):
    """Else the comparison with SQL would show less than it seems to."""
    found = [decoded(alert) for _, alert in AlertAssembler().assemble(cursor, all_alert_ids(cursor))]
    ages = [
        (alert["diaSource"]["midPointTai"], earlier["midPointTai"])
        for alert in found
        for earlier in alert["prvDiaSources"] + alert["prvDiaForcedSources"]
    ]
    assert any(time - earlier == 365 for time, earlier in ages)
    assert any(alert["diaObject"] is None for alert in found)
    assert any(alert["diaObject"] and alert["diaObject"]["simVersion"] is None for alert in found)
    assert any(alert["diaObject"] and alert["diaObject"]["mwebv"] is None for alert in found)
    assert any(alert["diaObject"] and alert["diaObject"]["mwebv"] is not None for alert in found)
    assert any(len(alert["prvDiaForcedSources"]) > 63 for alert in found)
    assert {len(avro.long(alert["diaSource"]["diaSourceId"])) for alert in found} == set(range(1, 10))
    objects = [alert["diaObject"] for alert in found if alert["diaObject"]]
    assert {len(avro.long(record["diaObjectId"])) for record in objects} == set(range(1, 11))


def test_bytes_do_not_depend_on_what_was_asked_before(cursor, sky):
    ids = all_alert_ids(cursor)
    once = dict(AlertAssembler().assemble(cursor, ids))
    assembler = AlertAssembler()
    for alert_id in reversed(ids):
        ((_, alert),) = assembler.assemble(cursor, [alert_id])
        assert alert == once[alert_id]
    assert dict(assembler.assemble(cursor, ids)) == once


def test_alerts_come_in_the_order_asked(cursor, sky):
    ids = np.random.default_rng(1).permutation(all_alert_ids(cursor)).tolist()
    assert [alert_id for alert_id, _ in AlertAssembler().assemble(cursor, ids)] == ids


def test_a_small_memory_forgets_objects_and_changes_no_alert(cursor, sky):
    ids = all_alert_ids(cursor)
    everything = AlertAssembler()
    small = AlertAssembler(max_bytes=30_000)
    assert dict(small.assemble(cursor, ids)) == dict(everything.assemble(cursor, ids))
    assert 0 < len(small.cache) < len(everything.cache)
    assert small.cache.bytes <= 30_000


def test_what_is_remembered_is_not_encoded_again(cursor, sky):
    ids = all_alert_ids(cursor)
    assembler = AlertAssembler()
    alerts_before = dict(assembler.assemble(cursor, ids))
    cursor.execute("UPDATE elasticc2_ppdbdiaforcedsource SET psflux = 0")
    assert dict(assembler.assemble(cursor, ids)) == alerts_before
    assert dict(AlertAssembler().assemble(cursor, ids)) != alerts_before


def test_a_source_loaded_later_is_found_all_the_same(cursor, sky):
    later = AwkwardSky(1)
    assembler = AlertAssembler()
    list(assembler.assemble(cursor, all_alert_ids(cursor)))
    cursor.execute("SELECT max(diaobject_id) FROM elasticc2_ppdbdiaobject")
    later.sources_so_far = 1_000_000
    later.store_sources(cursor, cursor.fetchone()[0], np.array([61234.5]))
    cursor.execute(
        "SELECT alert_id FROM elasticc2_ppdbalert JOIN elasticc2_ppdbdiasource USING (diasource_id)"
        " WHERE midpointtai = 61234.5"
    )
    (alert_id,) = cursor.fetchone()
    ((_, alert),) = assembler.assemble(cursor, [alert_id])
    assert repr(decoded(alert)) == repr(alert_by_sql(cursor, alert_id, *FULL))


def test_an_unknown_alert_cannot_be_assembled(cursor, sky):
    with pytest.raises(alerts.UnknownAlert):
        list(AlertAssembler().assemble(cursor, [*all_alert_ids(cursor), 2**62 + 5]))


def test_json_has_the_same_content_as_avro(cursor, sky):
    for alert_id, alert in AlertAssembler().assemble(cursor, all_alert_ids(cursor)[::3]):
        as_json = orjson.loads(alerts.reconstruct(alertid=alert_id, hidden_after=None))
        assert as_single_precision(as_json) == as_single_precision(decoded(alert))


def as_single_precision(alert):
    """Floats as JSON has them: rounded to float32, and no NaN or infinity."""

    def plain(value):
        if isinstance(value, dict):
            return {key: plain(part) for key, part in value.items()}
        if isinstance(value, list):
            return [plain(part) for part in value]
        if isinstance(value, float):
            return float(np.float32(value)) if np.isfinite(value) else None
        return value

    return plain(alert)


def test_json_keeps_the_order_of_the_schema(real_survey):
    alert = json.loads(alerts.reconstruct(alertid=155218500031, hidden_after=None))
    fields = {field["name"]: field for field in schema(ALERT)["fields"]}
    assert list(alert) == list(fields)
    assert list(alert["diaSource"]) == [field["name"] for field in fields["diaSource"]["type"]["fields"]]
    assert list(alert["diaObject"]) == [field["name"] for field in fields["diaObject"]["type"][1]["fields"]]


def test_json_prints_single_precision_as_such(real_survey):
    alert = alerts.reconstruct(alertid=155218500000, hidden_after=None)
    assert b'"psFlux":3201.2878,' in alert


def test_getalert_has_the_histories_of_the_original(real_survey):
    golden = {
        (155218500005, FULL): (5, 0),
        (155218500031, FULL): (22, 31),
        (155218500013, FULL): (13, 13),
        (172671000100, FULL): (49, 100),
        (172671000100, LIMITED): (2, 31),
        (172671000100, LAST_TEN): (49, 10),
        (172671000100, LIMITED_LAST_FOUR): (2, 4),
    }
    assert {asked: history_lengths(*asked) for asked in golden} == golden


def history_lengths(alertid, window):
    """Earlier sources and forced sources of an alert."""
    days_previous, nprevious = window
    answer = alerts.reconstruct(
        alertid=alertid, days_previous=days_previous, nprevious=nprevious, hidden_after=None
    )
    alert = orjson.loads(answer)
    return len(alert["prvDiaSources"]), len(alert["prvDiaForcedSources"])


def test_an_alert_is_found_by_its_source(cursor, sky):
    cursor.execute(
        "SELECT alert_id, diasource_id FROM elasticc2_ppdbalert ORDER BY diasource_id DESC LIMIT 1"
    )
    alert_id, sourceid = cursor.fetchone()
    assert alert_id != sourceid
    by_source = alerts.reconstruct(sourceid=sourceid, hidden_after=None)
    assert by_source == alerts.reconstruct(alertid=alert_id, hidden_after=None)
    assert orjson.loads(by_source)["diaSource"]["diaSourceId"] == sourceid


def test_the_alert_goes_before_the_source(cursor, sky):
    first, second = all_alert_ids(cursor)[:2]
    cursor.execute("SELECT diasource_id FROM elasticc2_ppdbalert WHERE alert_id = %s", (second,))
    both = alerts.reconstruct(alertid=first, sourceid=cursor.fetchone()[0], hidden_after=None)
    assert both == alerts.reconstruct(alertid=first, hidden_after=None)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"alertid": 666_666}, "PPDBAlert matching query does not exist."),
        ({"alertid": 10**30}, "PPDBAlert matching query does not exist."),
        ({"sourceid": 666_666}, "Unknown sourceid 666666"),
    ],
)
def test_an_unknown_alert_is_refused_in_the_documented_words(cursor, sky, asked, sentence):
    with pytest.raises(alerts.AlertNotFound) as refusal:
        alerts.reconstruct(**asked, hidden_after=None)
    assert refusal.value.args == (sentence,)


def test_an_id_must_be_given(db):
    with pytest.raises(ValueError, match=r"^Must supply either alertid or sourceid$"):
        alerts.reconstruct(hidden_after=None)


def test_an_alert_of_the_future_is_as_unknown_as_any(real_survey):
    mjd = orjson.loads(alerts.reconstruct(alertid=155218500031, hidden_after=None))["diaSource"][
        "midPointTai"
    ]
    assert alerts.reconstruct(alertid=155218500031, hidden_after=mjd)
    for hidden_after in (np.nextafter(mjd, 0), float("-inf")):
        with pytest.raises(LookupError, match=r"^PPDBAlert matching query does not exist\.$"):
            alerts.reconstruct(alertid=155218500031, hidden_after=float(hidden_after))
        with pytest.raises(LookupError, match=r"^Unknown sourceid 155218500031$"):
            alerts.reconstruct(sourceid=155218500031, hidden_after=float(hidden_after))


def test_unsent_alerts_come_by_time_up_to_a_day_inclusive(cursor, sky):
    found = alerts.alerts_by_time(cursor, through_mjd=60000.5, limit=10_000)
    cursor.execute(
        "SELECT alert_id, diasource_id, coalesce(s.diaobject_id, 0), s.diaobject_id IS NULL, midpointtai"
        " FROM elasticc2_ppdbalert JOIN elasticc2_ppdbdiasource s USING (diasource_id)"
        " WHERE midpointtai <= 60000.5 ORDER BY midpointtai, diasource_id"
    )
    assert found.tolist() == cursor.fetchall()
    assert found["midpointtai"].max() == 60000.5
    assert alerts.alerts_by_time(cursor, through_mjd=1e9, limit=10_000)["lone"].sum() == 5


def test_alerts_that_were_sent_come_by_time_too(cursor, sky):
    everything = alerts.alerts_by_time(cursor, through_mjd=1e9, limit=10_000)
    alerts.mark_sent(cursor, everything["alert_id"][::3].tolist(), WHEN)
    sent = alerts.alerts_by_time(cursor, through_mjd=1e9, limit=10_000, sent=True)
    assert sent.tolist() == everything[::3].tolist()
    assert alerts.count_alerts(cursor, through_mjd=1e9, sent=True) == len(sent)


def test_alerts_to_leave_out_are_left_out(cursor, sky):
    everything = alerts.alerts_by_time(cursor, through_mjd=1e9, limit=10_000)
    but = everything["alert_id"][[0, 5]].tolist()
    rest = alerts.alerts_by_time(cursor, through_mjd=1e9, limit=10_000, but=but)
    assert rest["alert_id"].tolist() == [a for a in everything["alert_id"].tolist() if a not in but]
    assert alerts.count_alerts(cursor, through_mjd=1e9, but=but) == len(rest)


def test_what_somebody_else_sent_is_on_record_by_night_without_a_run(cursor, sky):
    found = alerts.alerts_by_time(cursor, through_mjd=1e9, limit=10_000)[::5]
    alerts.mark_sent(cursor, found["alert_id"].tolist(), WHEN)
    alerts.mark_sent(cursor, found["alert_id"].tolist(), WHEN)
    nights = Counter(np.ceil(found["midpointtai"] - 0.5).astype(int).tolist())
    batches = list(SendBatch.objects.order_by("night"))
    assert [(batch.night, batch.alerts) for batch in batches] == sorted(nights.items())
    assert {(batch.sendrun_id, batch.sent) for batch in batches} == {(None, WHEN)}
    assert len(nights) > 1


@pytest.mark.parametrize("marked_between", [False, True])
def test_slices_of_unsent_alerts_have_each_once(cursor, sky, marked_between):
    everything = alerts.alerts_by_time(cursor, through_mjd=1e9, limit=10_000)["alert_id"].tolist()
    seen = []
    for ids in alerts.unsent_slices(cursor, through_mjd=1e9, size=30):
        assert len(ids) <= 30
        seen += ids
        if marked_between:
            alerts.mark_sent(cursor, ids, WHEN)
    assert seen == everything
    assert alerts.count_unsent(cursor, through_mjd=1e9) == (0 if marked_between else len(everything))


def test_sent_alerts_are_not_unsent(cursor, real_survey):
    assert alerts.count_unsent(cursor, through_mjd=60578) == 545
    first = alerts.alerts_by_time(cursor, through_mjd=60578, limit=45)["alert_id"].tolist()
    alerts.mark_sent(cursor, first, WHEN)
    assert alerts.count_unsent(cursor, through_mjd=60578) == 500
    rest = alerts.alerts_by_time(cursor, through_mjd=60578, limit=10_000)["alert_id"].tolist()
    assert len(rest) == 500
    assert not set(rest) & set(first)


def test_marking_counts_and_changes_only_what_was_not_sent(cursor, sky):
    first, second = all_alert_ids(cursor)[:2]
    later = WHEN.replace(year=2024)
    assert alerts.mark_sent(cursor, [first], WHEN) == 1
    assert alerts.mark_sent(cursor, [first, second], later) == 1
    cursor.execute(
        "SELECT alert_id, alertsenttimestamp FROM elasticc2_ppdbalert WHERE alertsenttimestamp IS NOT NULL"
    )
    assert dict(cursor.fetchall()) == {first: WHEN, second: later}


def test_marking_moves_the_clock(cursor, sky):
    found = alerts.alerts_by_time(cursor, through_mjd=1e9, limit=10)
    alerts.mark_sent(cursor, found["alert_id"].tolist(), WHEN)
    assert Campaign.objects.get(name=NAME).sent_mjd == found["midpointtai"].max()

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from elasticc2.checkup import checkup
from elasticc2.keptobjects import encode_objects
from elasticc2.renewal import rebuild
from elasticc2.reveal import reveal
from tests.elasticc2.sky import add_object, hear, message, rows
from tests.elasticc2.test_coverage import add_batch, add_run, mark

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def revealed() -> None:
    """Objects 1 and 2, each with a source that has been revealed and one that has not."""
    for objectid in (1, 2):
        first, _ = add_object(objectid, [(60000.0, "g", 55.0, True), (60001.25, "r", 20.0, True)])
        hear(message(first))
    reveal()


def not_ok() -> list[tuple[str, str]]:
    return [(finding.about, finding.cure) for finding in checkup(1000) if not finding.ok]


def run(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def test_what_reveal_left_is_in_order() -> None:
    assert not_ok() == []
    assert str(list(checkup(1000))[-1]).split(maxsplit=1) == [
        "ok",
        "object summaries          are right for the 2 objects looked at",
    ]


@pytest.mark.parametrize(
    ("damage", "about"),
    [
        ("UPDATE elasticc2_packedlightcurve SET flux = fluxerr", "packed light curves"),
        ("UPDATE elasticc2_packedlightcurve SET n = n + 1", "packed light curves"),
        ("UPDATE elasticc2_objectsummary SET latest_mjd = 1 WHERE diaobject_id = 2", "object summaries"),
        ("DELETE FROM elasticc2_objectsummary", "object summaries"),
        ("DELETE FROM elasticc2_diaobjectinfo", "summaries per band"),
        ("UPDATE elasticc2_diaobjectinfo SET filtername = 'z'", "summaries per band"),
        ("UPDATE elasticc2_diaobjectclassification SET probia = 0.5", "latest classifications"),
        ("DELETE FROM elasticc2_brokermessage", "latest classifications"),
    ],
)
def test_damage_is_found_and_a_rebuild_cures_it(damage: str, about: str) -> None:
    run(damage)
    assert (about, "manage.py rebuild_summaries") in not_ok()
    list(rebuild())
    assert not_ok() == []


def test_objects_kept_encoded_are_compared_with_their_rows() -> None:
    assert said_of("objects kept encoded", 10) == ("0 of 2 looked at, and they are right", "")
    list(encode_objects([1, 2]))
    assert said_of("objects kept encoded", 10) == ("2 of 2 looked at, and they are right", "")
    run("UPDATE elasticc2_ppdbencodedobject SET isddf = true WHERE diaobject_id = 2")
    assert said_of("objects kept encoded", 10) == (
        "1 of 2 are not what their rows come to",
        "manage.py encode_elasticc2_objects --anew",
    )


def said_of(about: str, sample: int = 0) -> tuple[str, str]:
    """What is said of something, and what is to be done."""
    [finding] = [finding for finding in checkup(sample) if finding.about == about]
    return finding.said, finding.cure


def test_a_run_of_sending_that_is_finished_is_in_order() -> None:
    add_run(finished=datetime.now(UTC))
    assert said_of("sending") == ("no run is unfinished", "")


def test_a_run_of_sending_that_goes_on_is_in_order() -> None:
    run = add_run(alerts_sent=30)
    assert said_of("sending") == (
        f"run {run.pk}, through MJD 60010.5, has confirmed 30 alerts and goes on",
        "",
    )


def test_a_run_of_sending_that_was_left_is_found() -> None:
    add_run(updated=datetime.now(UTC) - timedelta(minutes=11))
    said, cure = said_of("sending")
    assert "was last heard of" in said
    assert cure.startswith("manage.py send_elasticc2_alerts")


def test_a_run_of_sending_that_failed_is_found_with_its_reason() -> None:
    add_run(failure="Kafka is away")
    said, cure = said_of("sending")
    assert said.endswith("and failed: Kafka is away")
    assert cure.startswith("manage.py send_elasticc2_alerts")


def test_alerts_marked_as_often_as_sent_are_in_order() -> None:
    assert said_of("marked alerts") == ("of 0 nights compared with what was sent: the same", "")
    mark(100_000, 200_000)
    add_batch(60000, 2)
    assert said_of("marked alerts") == ("of 1 nights compared with what was sent: the same", "")


def test_marks_that_somebody_took_away_are_found_until_the_alerts_are_sent_again() -> None:
    mark(100_000)
    add_batch(60000, 2)
    said, cure = said_of("marked alerts")
    assert said.endswith(": 1 of night 60000, of which 2 were sent")
    assert cure == "manage.py send_elasticc2_alerts --start-day 59999.5 --through-day 60000.5 --do"
    mark(200_000)
    add_batch(60000, 1)
    assert said_of("marked alerts")[1] == ""


def test_marks_of_others_are_said_and_in_order() -> None:
    mark(100_000, 200_000)
    add_batch(60000, 1)
    assert said_of("marked alerts") == (
        "of 1 nights compared with what was sent: 2 of night 60000, of which 1 were sent",
        "",
    )


def test_looking_changes_nothing() -> None:
    run("DELETE FROM elasticc2_objectsummary")
    not_ok()
    assert rows("SELECT * FROM elasticc2_objectsummary") == []


def test_what_waits_for_reveal_is_not_held_against_it() -> None:
    hear(message(100_001, classes=((2223, 1.0),)), message(200_000, brokerName="Other"))
    run("UPDATE elasticc2_diaforcedsource SET psflux = 7 WHERE diaobject_id = 2")
    found = list(checkup(1000))
    assert [finding for finding in found if not finding.ok] == []
    assert found[0].said.startswith("2 sources that brokers spoke of, 0 objects")
    assert "1 objects whose photometry" in found[0].said


def test_the_sample_is_as_large_as_asked_for_at_most() -> None:
    assert list(checkup(1))[-1].said == "are right for the 1 objects looked at"

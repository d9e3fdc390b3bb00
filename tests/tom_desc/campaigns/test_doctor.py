"""The doctor's words on a TOM with real roles and a server of its own."""

import os
import subprocess

import psycopg2
import pytest

from tests.localtom import LocalTom, manage
from tests.tom_desc.campaigns.test_grants import OBJECT
from tom_desc.findings import Finding


def doctor(tom: LocalTom, **settings: str) -> tuple[int, str]:
    """Its exit code and what it said."""

    env = {**os.environ, **tom.settings, **settings}
    done = subprocess.run(manage("doctor"), env=env, capture_output=True, text=True)
    return done.returncode, done.stdout


pytestmark = pytest.mark.full


def test_a_new_tom_is_well(tom: LocalTom) -> None:
    code, said = doctor(tom)
    assert code == 0
    assert {line.split()[0] for line in said.splitlines()} == {"ok"}


@pytest.mark.parametrize(
    ("damage", "found", "cure"),
    [
        (
            "GRANT UPDATE ON elasticc2_diaobject TO postgres_ro",
            "may change public.elasticc2_diaobject",
            "bootstrap",
        ),
        ("GRANT SELECT ON auth_user TO PUBLIC", "postgres_ro may read public.auth_user", "bootstrap"),
        (
            "REVOKE ALL ON elasticc2_diaobject FROM postgres_ro",
            "may not read public.elasticc2_diaobject",
            "bootstrap",
        ),
        ("DROP VIEW ro.elasticc2_ppdbalert", "ro.elasticc2_ppdbalert is not there", "bootstrap"),
        ("GRANT CREATE ON SCHEMA public TO postgres_ro_admin", "may create in schema public", "bootstrap"),
        (
            "INSERT INTO elasticc2_plannedspectra (reqspec_id, facility, diaobject_id)"
            " SELECT 5, 'x', diaobject_id FROM elasticc2_diaobject",
            "elasticc2_plannedspectra_reqspec_id_seq",
            "bootstrap",
        ),
    ],
)
def test_what_is_wrong_is_cured_by_what_it_says(tom: LocalTom, damage: str, found: str, cure: str) -> None:
    tom.sql("INSERT INTO elasticc2_diaobject (diaobject_id, ra, decl) VALUES (7, 1, 2)")
    tom.sql(damage)
    code, said = doctor(tom)
    assert code == 1
    assert found in said
    assert f"what to do: manage.py {cure}" in said
    tom.manage(cure)
    assert found not in doctor(tom)[1]


def test_a_clock_that_missed_an_alert_is_found(tom: LocalTom) -> None:
    tom.sql(OBJECT)
    tom.manage("campaign", "elasticc2", "--clock", "sent")
    assert doctor(tom)[0] == 0
    tom.sql("UPDATE campaigns_campaign SET sent_mjd = 1")
    code, said = doctor(tom)
    assert code == 1
    assert "the latest sent alert is that of MJD 60000" in said
    tom.manage("campaign", "elasticc2", "--clock", "sent")
    assert doctor(tom)[0] == 0


def test_a_schema_of_yesterday_is_the_only_thing_it_speaks_of(tom: LocalTom) -> None:
    tom.manage("migrate", "elasticc2", "0006", "--verbosity", "0")
    code, said = doctor(tom)
    assert code == 1
    assert "not applied: elasticc2.0007" in said
    assert said.splitlines()[-1].endswith("what to do: manage.py migrate")


def test_a_database_that_does_not_answer_is_a_finding(tom: LocalTom) -> None:
    code, said = doctor(tom, DB_NAME="nobody_made_this")
    assert code == 1
    assert said.startswith("not ok  database")


def test_a_long_transaction_of_somebody_is_waited_for_and_then_said(tom: LocalTom) -> None:
    settings = tom.connection.get_dsn_parameters()

    other = psycopg2.connect(**settings, password=os.environ["DB_PASS"])
    with other.cursor() as cursor:
        cursor.execute("INSERT INTO elasticc2_brokernews (diasource_ids) VALUES ('{1}')")
        code, said = doctor(tom)
    other.close()
    assert code == 0
    assert "not looked at: somebody writes in a long transaction" in said


def test_a_session_with_a_temporary_table_has_the_right_grants(tom: LocalTom) -> None:
    program = """
from django.db import connection
from tom_desc.campaigns.grants import wrong_grants
connection.cursor().execute("CREATE TEMPORARY TABLE mine (x int)")
assert wrong_grants() == [], wrong_grants()"""
    tom.manage("shell", "--verbosity", 0, "--command", program)


def test_a_sample_has_a_size(tom: LocalTom) -> None:
    settings = {**os.environ, **tom.settings}
    done = subprocess.run(manage("doctor", "--sample", "-5"), env=settings, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "CommandError: --sample must not be negative\n"


def test_a_role_that_may_not_know_the_servers_settings_is_told_the_rest(tom: LocalTom) -> None:
    database = tom.settings["DB_NAME"]
    tom.sql("DROP ROLE IF EXISTS test_plain_owner; CREATE ROLE test_plain_owner LOGIN PASSWORD 'plain'")
    tom.sql(f'GRANT ALL ON DATABASE "{database}" TO test_plain_owner')
    tom.sql("GRANT ALL ON ALL TABLES IN SCHEMA public TO test_plain_owner")
    tom.sql("GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO test_plain_owner")
    code, said = doctor(tom, DB_USER="test_plain_owner", DB_PASS="plain")
    tom.sql("DROP OWNED BY test_plain_owner; DROP ROLE test_plain_owner")
    assert code == 0, said
    assert "object summaries" in said


def test_a_finding_that_is_not_ok_says_what_to_do() -> None:
    assert str(Finding("disk", "full", "make room")).splitlines()[1].strip() == "what to do: make room"

"""What the SQL roles may read, tested as the table that ``decisions.md`` gives."""

import os
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest

from elasticc2.cuts import CUT_VIEWS, OPEN_TABLES
from tests.localtom import LocalTom
from tom_desc import env

pytestmark = pytest.mark.full
FORBIDDEN = ["auth_user", "django_session", "auth_permission", "accounts_brokeraccount", "django_migrations"]
OBJECT = """
INSERT INTO elasticc2_ppdbdiaobject (diaobject_id, ra, decl) VALUES (7, 1, 2), (8, 1, 2);
INSERT INTO elasticc2_ppdbdiasource
VALUES (71, 60000, 'g', 1, 2, 3, 1, 3, 7), (81, 60100, 'g', 1, 2, 3, 1, 3, 8);
INSERT INTO elasticc2_ppdbdiaforcedsource VALUES (71, 60000, 'g', 3, 1, 7), (72, 60200, 'g', 3, 1, 7);
INSERT INTO elasticc2_ppdbalert VALUES (71, now(), 7, 71), (81, NULL, 8, 81);
INSERT INTO elasticc2_diaobjecttruth
SELECT (jsonb_populate_record(NULL::elasticc2_diaobjecttruth, jsonb_object_agg(attname, 7))).*
FROM pg_attribute WHERE attrelid = 'elasticc2_diaobjecttruth'::regclass AND attnum > 0"""


class Role:
    """A connection of one of the SQL roles."""

    def __init__(self, tom: LocalTom, name: str) -> None:
        self.connection = psycopg2.connect(
            dbname=tom.settings["DB_NAME"],
            host=os.environ["DB_HOST"],
            port=os.environ["DB_PORT"],
            user=name,
            password=env.secret(f"{name}_password"),
        )
        self.connection.autocommit = True

    def __call__(self, query: str) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall()) if cursor.description else []

    def count(self, table: str) -> int:
        return int(self(f"SELECT count(*) FROM {table}")[0][0])


@pytest.fixture
def user(tom: LocalTom) -> Iterator[Role]:
    role = Role(tom, "postgres_ro")
    yield role
    role.connection.close()


@pytest.fixture
def admin(tom: LocalTom) -> Iterator[Role]:
    role = Role(tom, "postgres_ro_admin")
    yield role
    role.connection.close()


def test_both_roles_read_the_toms_own_tables(user: Role, admin: Role) -> None:
    for table in OPEN_TABLES:
        assert user.count(table) == admin.count(table)


def test_neither_role_reads_accounts(user: Role, admin: Role) -> None:
    for role in (user, admin):
        for table in FORBIDDEN:
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                role(f"SELECT * FROM {table}")


def test_neither_role_changes_or_makes_anything(user: Role, admin: Role) -> None:
    for role in (user, admin):
        for statement in (
            "DELETE FROM elasticc2_diaobject",
            "UPDATE campaigns_campaign SET ended = true",
            "CREATE TABLE public.mine (a int)",
            "CREATE TABLE ro.mine (a int)",
            "CREATE SCHEMA mine",
            "SELECT nextval('elasticc2_diaobjectinfo__id_seq')",
        ):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                role(statement)


def test_dropping_a_table_is_refused_in_the_documented_words(user: Role) -> None:
    with pytest.raises(psycopg2.Error, match="must be owner of table elasticc2_gentypeofclassid"):
        user("DROP TABLE elasticc2_gentypeofclassid")


def test_temporary_tables_are_allowed(user: Role) -> None:
    user("CREATE TEMPORARY TABLE mine AS SELECT * FROM elasticc2_gentypeofclassid")
    assert user.count("mine") == 54


def test_users_see_the_ppdb_up_to_the_clock_and_no_truth(tom: LocalTom, user: Role, admin: Role) -> None:
    tom.sql(OBJECT)
    tom.manage("campaign", "elasticc2", "--clock", "sent")
    seen = {table: (user.count(table), admin.count(table)) for table in CUT_VIEWS}
    assert seen == {
        "elasticc2_ppdbdiaobject": (1, 2),
        "elasticc2_ppdbdiasource": (1, 2),
        "elasticc2_ppdbdiaforcedsource": (1, 2),
        "elasticc2_ppdbalert": (1, 2),
        "elasticc2_diaobjecttruth": (0, 1),
        "elasticc2_trainingdiaobjecttruth": (0, 0),
    }
    tom.manage("campaign", "elasticc2", "--ended", "yes")
    assert [user.count(table) for table in CUT_VIEWS] == [admin.count(table) for table in CUT_VIEWS]


def test_the_tables_behind_the_cut_are_not_the_users(user: Role) -> None:
    for table in CUT_VIEWS:
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            user(f"SELECT * FROM public.{table}")


def test_a_hidden_row_does_not_leak_through_an_error(tom: LocalTom, user: Role) -> None:
    """A condition that fails on a hidden row is not tried on it: the view is a security barrier."""
    tom.sql(OBJECT)
    tom.manage("campaign", "elasticc2", "--clock", "sent")
    assert user("SELECT diasource_id FROM elasticc2_ppdbdiasource WHERE 1 / (diasource_id - 81) < 1") == [
        (71,)
    ]


def test_bootstrap_may_run_again(tom: LocalTom, user: Role) -> None:
    tom.manage("bootstrap")
    assert user.count("elasticc2_gentypeofclassid") == 54


def test_migrating_keeps_views_and_grants(tom: LocalTom, user: Role) -> None:
    tom.manage("migrate", "elasticc2", "0005", "--verbosity", "0")
    tom.manage("migrate", "--verbosity", "0")
    assert user.count("elasticc2_ppdbdiaobject") == 0

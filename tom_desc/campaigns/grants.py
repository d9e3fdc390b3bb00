"""The SQL roles, and the one place that says what they may read (``decisions.md``, Who sees what).

``postgres_ro`` is every user's role, ``postgres_ro_admin`` that of elasticc_admin. Both get grants and
nothing else; what users see only in part they see through views of the schema ``ro``, which comes first in
their search path, so that a query names the public table and gets the cut.
"""

from typing import Any

from django.db import connections, transaction
from psycopg2 import sql

from tom_desc import env
from tom_desc.campaigns.registry import CampaignInfo, campaigns

USERS, ADMINS = "postgres_ro", "postgres_ro_admin"
# Roles belong to the whole server: two databases granting at once would otherwise meet "tuple concurrently
# updated", and an advisory lock holds within one database only.
LOCK = "LOCK TABLE pg_catalog.pg_authid IN SHARE ROW EXCLUSIVE MODE"


def grant_sql_roles(*, using: str = "default", create: bool) -> bool:
    """Make the roles (``create``), their views and their grants; whoever makes a table calls this again.

    Returns
    -------
    bool
        False where the roles do not exist and were not to be created: nothing was granted.
    """
    connection = connections[using]
    with transaction.atomic(using=using), connection.cursor() as cursor:
        if not create and not roles_exist(cursor):
            return False
        cursor.execute(LOCK)
        for role in (USERS, ADMINS) if create else ():
            make_role(cursor, role)
        start_from_nothing(cursor, connection.settings_dict["NAME"])
        for campaign in campaigns():
            grant_campaign(cursor, campaign)
    return True


def roles_exist(cursor: Any) -> bool:
    cursor.execute("SELECT count(*) FROM pg_roles WHERE rolname IN %s", ((USERS, ADMINS),))
    return bool(cursor.fetchone()[0] == 2)


def drop_views(*, using: str = "default") -> None:
    """Views would hold on to tables that a migration is about to change; the grants bring them back."""
    with connections[using].cursor() as cursor:
        cursor.execute("DROP SCHEMA IF EXISTS ro CASCADE")


def make_role(cursor: Any, role: str) -> None:
    """A role that can log in with the password of its secret file and owns nothing."""
    name, password = sql.Identifier(role), sql.Literal(env.secret(f"{role}_password"))
    cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,))
    verb = "ALTER" if cursor.fetchone() else "CREATE"
    attributes = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT NOBYPASSRLS PASSWORD {}"
    statement = sql.SQL(f"{verb} ROLE {{}} {attributes}").format(name, password)
    cursor.execute(statement.as_string(cursor.connection))


def start_from_nothing(cursor: Any, database: str) -> None:
    """Take back what PUBLIC or an earlier version gave; leave CONNECT, TEMP and sight of the schemas."""
    roles = f"{USERS}, {ADMINS}"
    cursor.execute("CREATE SCHEMA IF NOT EXISTS ro")
    for schema in ("public", "ro"):
        cursor.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM PUBLIC, {roles}")
        cursor.execute(f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA {schema} FROM PUBLIC, {roles}")
        cursor.execute(f"REVOKE ALL ON ALL FUNCTIONS IN SCHEMA {schema} FROM PUBLIC, {roles}")
        cursor.execute(f"REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC, {roles}")
        cursor.execute(f"GRANT USAGE ON SCHEMA {schema} TO {roles}")
    cursor.execute(f'GRANT CONNECT, TEMPORARY ON DATABASE "{database}" TO {roles}')
    cursor.execute(f"ALTER ROLE {USERS} SET search_path = ro, public")


def grant_campaign(cursor: Any, campaign: CampaignInfo) -> None:
    """Open tables to both roles, cut views to users, the tables behind them to admins."""
    cursor.execute("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace")
    there = {name for (name,) in cursor.fetchall()}
    if not there.issuperset(campaign.open_tables) or not there.issuperset(campaign.cut_views):
        return  # migrated back to before its tables: nothing to grant
    for table in campaign.open_tables:
        cursor.execute(f"GRANT SELECT ON public.{table} TO {USERS}, {ADMINS}")
    for table, query in campaign.cut_views.items():
        cursor.execute(f"DROP VIEW IF EXISTS ro.{table}")
        cursor.execute(f"CREATE VIEW ro.{table} WITH (security_barrier) AS {query}")
        cursor.execute(f"GRANT SELECT ON ro.{table} TO {USERS}")
        cursor.execute(f"GRANT SELECT ON public.{table} TO {ADMINS}")


# Tables, views and partitions that a role reads or changes by a grant of its own or PUBLIC's.
PRIVILEGES = """
SELECT n.nspname || '.' || c.relname, has_table_privilege(%(role)s, c.oid, 'SELECT'),
       has_table_privilege(%(role)s, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname IN ('public', 'ro') AND c.relkind IN ('r', 'p', 'v', 'm', 'f')"""
# Of the session's own temporary schema PostgreSQL says what the database's TEMPORARY right allows.
MAY_CREATE_IN = """
SELECT nspname FROM pg_namespace
WHERE oid <> pg_my_temp_schema() AND has_schema_privilege(%s, oid, 'CREATE')"""


def wrong_grants() -> list[str]:
    """What the SQL roles may do and should not, or the reverse, in words; empty where all is right."""
    with connections["default"].cursor() as cursor:
        if not roles_exist(cursor):
            return [f"{USERS} and {ADMINS} are not both there"]
        return [wrong for role in (USERS, ADMINS) for wrong in wrong_grants_of(cursor, role)]


def wrong_grants_of(cursor: Any, role: str) -> list[str]:
    readable = should_read(role)
    cursor.execute(PRIVILEGES, {"role": role})
    privileges = cursor.fetchall()
    there = {name for name, _, _ in privileges}
    wrong = [f"{role} may change {name}" for name, _, changes in privileges if changes]
    wrong += [
        f"{role} {'may' if reads else 'may not'} read {name}"
        for name, reads, _ in privileges
        if reads != (name in readable)
    ]
    wrong += [f"{name} is not there" for name in sorted(readable - there)]
    cursor.execute(MAY_CREATE_IN, (role,))
    return wrong + [f"{role} may create in schema {name}" for (name,) in cursor.fetchall()]


def should_read(role: str) -> set[str]:
    """Names, with their schema, of what the role reads."""
    readable = {f"public.{table}" for campaign in campaigns() for table in campaign.open_tables}
    cut = "ro" if role == USERS else "public"
    return readable | {f"{cut}.{table}" for campaign in campaigns() for table in campaign.cut_views}

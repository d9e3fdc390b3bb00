"""The checks of ``manage.py doctor`` that concern all campaigns."""

import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

import django
import psycopg2
from django.conf import settings
from django.db import DatabaseError, OperationalError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.utils.module_loading import import_string

from tom_desc.campaigns.clock import now
from tom_desc.campaigns.grants import wrong_grants
from tom_desc.campaigns.models import Campaign
from tom_desc.campaigns.registry import CampaignInfo, campaigns
from tom_desc.findings import Finding
from tom_desc.mjd import utc
from tom_desc.partitions import sequences_behind
from tom_desc.streams import checkup as streams

# What the tests run on.
POSTGRES_VERSIONS = range(15, 19)
# Where the files lie is told to those only who may know the server's settings.
SIZE = """
SELECT pg_database_size(current_database()),
       CASE WHEN pg_has_role(current_user, 'pg_read_all_settings', 'USAGE')
            THEN current_setting('data_directory') END"""
MIN_FREE_BYTES = 1_000_000_000
# Room for sorting, and for rewriting a table.
MIN_FREE_SHARE_OF_DATABASE = 0.1
RECOUNT_SECONDS = 60


def checkup(*, sample: int) -> Iterator[Finding]:
    """All findings. Where the database does not answer, or is of another version, the rest would say nothing.

    Parameters
    ----------
    sample
        Objects whose summaries are compared with a recomputation, of each campaign.
    """
    try:
        connection.ensure_connection()
    except DatabaseError as error:
        said = str(error).strip().splitlines()[0]
        yield Finding("database", said, "start PostgreSQL; see DB_HOST, DB_PORT, DB_NAME, DB_USER, DB_PASS")
        return
    yield versions()
    yield (schema := migrations())
    if not schema.ok:
        return
    yield from disk()
    yield grants()
    yield from streams.checkup()
    for campaign in campaigns():
        yield sequences(campaign)
        yield clock(campaign)
        if campaign.checkup:
            yield from import_string(campaign.checkup)(sample)


def versions() -> Finding:
    major, minor = divmod(connection.pg_version, 10_000)  # type: ignore[attr-defined]
    said = (
        f"PostgreSQL {major}.{minor}, Python {platform.python_version()}, Django {django.get_version()},"
        f" psycopg2 {psycopg2.__version__.split()[0]}"
    )
    first, last = POSTGRES_VERSIONS[0], POSTGRES_VERSIONS[-1]
    cure = (
        ""
        if major in POSTGRES_VERSIONS
        else f"the TOM is tested on PostgreSQL {first} to {last}: use one of them"
    )
    return Finding("versions", said, cure)


def migrations() -> Finding:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    names = ", ".join(str(migration) for migration, _ in missing)
    if missing:
        return Finding("schema", f"not applied: {names}", "manage.py migrate")
    return Finding("schema", f"all {len(executor.loader.applied_migrations)} migrations are applied")


def disk() -> Iterator[Finding]:
    """Free space where we write, and where the database lies, if that is this machine."""
    with connection.cursor() as cursor:
        cursor.execute(SIZE)
        size, data = cursor.fetchone()
    yield Finding("database", f"{gigabytes(size)} in {settings.DATABASES['default']['NAME']}")
    needed = {settings.QUERY_RESULTS: MIN_FREE_BYTES, settings.LOGDIR: MIN_FREE_BYTES}
    if data:
        needed[Path(data)] = max(MIN_FREE_BYTES, int(MIN_FREE_SHARE_OF_DATABASE * size))
    for directory, least in needed.items():
        if is_there(directory):
            free = shutil.disk_usage(directory).free
            cure = "" if free >= least else f"make room: at least {gigabytes(least)} should be free"
            yield Finding("disk", f"{gigabytes(free)} free in {directory}", cure)


def is_there(directory: Path) -> bool:
    """Whether it is a directory that we may look at."""
    try:
        return directory.is_dir()
    except PermissionError:
        return False


def gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"


def grants() -> Finding:
    if wrong := wrong_grants():
        return Finding("SQL roles", "; ".join(wrong), "manage.py bootstrap")
    return Finding("SQL roles", "may read what they should and nothing else")


def sequences(campaign: CampaignInfo) -> Finding:
    if behind := sequences_behind(f"{campaign.name}_"):
        return Finding(
            "sequences", f"behind the ids that are there: {', '.join(behind)}", "manage.py bootstrap"
        )
    return Finding("sequences", f"of {campaign.title} are past all ids")


def clock(campaign: CampaignInfo) -> Finding:
    """The clock and, where it follows the alerts, whether what triggers keep is what the alerts say."""
    row = Campaign.objects.get(name=campaign.name)
    mjd = now(campaign).mjd
    shown = f"MJD {mjd:.4f} ({utc(mjd):%Y-%m-%d %H:%M} UTC)" if mjd is not None else "nothing is loaded yet"
    said = f"of {campaign.title} is {row.clock}: {shown}"
    if row.clock != Campaign.Clock.SENT:
        return Finding("clock", said)
    try:
        kept, counted = latest_sent(campaign)
    except OperationalError:
        return Finding("clock", f"{said}; too many alerts to look for the latest within {RECOUNT_SECONDS} s")
    if counted != kept:
        cure = f"manage.py campaign {campaign.name} --clock sent"
        return Finding("clock", f"{said}; the latest sent alert is that of MJD {counted}", cure)
    return Finding("clock", said)


def latest_sent(campaign: CampaignInfo) -> tuple[float | None, float | None]:
    """Time of the latest sent alert, MJD (TAI): as triggers keep it, and as all alerts say at that moment.

    Raises
    ------
    OperationalError
        Where looking at all alerts takes too long.
    """
    both = f"SELECT sent_mjd, ({campaign.latest_sent}) FROM campaigns_campaign WHERE name = %s"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", (f"{RECOUNT_SECONDS}s",))
        cursor.execute(both, (campaign.name,))
        kept, counted = cursor.fetchone()
    return kept, counted

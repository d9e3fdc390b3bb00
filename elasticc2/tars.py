"""Alerts as files: a tar for each day of the survey, one member an alert, schemaless Avro."""

import io
import math
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from elasticc2.alerts import AlertAssembler

MODE = 0o664

DAYS = """
SELECT floor(midpointtai)::int AS day, count(*)
FROM elasticc2_ppdbalert JOIN elasticc2_ppdbdiasource USING (diasource_id)
WHERE midpointtai >= %s AND midpointtai < %s
GROUP BY day ORDER BY day"""
OF_DAY = """
SELECT alert_id
FROM elasticc2_ppdbalert JOIN elasticc2_ppdbdiasource USING (diasource_id)
WHERE midpointtai >= %s AND midpointtai < %s
ORDER BY midpointtai, diasource_id"""


def days_with_alerts(cursor: Any, *, start_day: float, through_day: float) -> dict[int, int]:
    """How many alerts there are, sent or not, on each day from the first to the last, which is included.

    A day is a whole MJD (TAI): from midnight to midnight, not a night.
    """
    cursor.execute(DAYS, (math.floor(start_day), math.floor(through_day) + 1))
    return dict(cursor.fetchall())


def tar_of(directory: Path, day: int) -> Path:
    """Where the alerts of a day are, or will be."""
    return directory / f"{day}.tar"


def refuse_existing(directory: Path, days: dict[int, int]) -> None:
    """FileExistsError where there is already a tar of one of the days."""
    there = [str(tar_of(directory, day)) for day in days if tar_of(directory, day).exists()]
    if there:
        raise FileExistsError(f"{', '.join(there)}: there already")


def write_tar(cursor: Any, assembler: AlertAssembler, directory: Path, day: int) -> Iterator[int]:
    """Write the alerts of a day in order of time; the file is there whole or not at all.

    Yields
    ------
    int
        The id of each alert written.
    """
    cursor.execute(OF_DAY, (day, day + 1))
    alert_ids = [alert_id for (alert_id,) in cursor.fetchall()]
    draft = directory / f".{day}.tar.new"
    with tarfile.open(draft, "w") as tar:
        for alert_id, alert in assembler.assemble(cursor, alert_ids):
            tar.addfile(member(alert_id, len(alert)), io.BytesIO(alert))
            yield alert_id
    draft.replace(tar_of(directory, day))


def member(alert_id: int, size: int) -> tarfile.TarInfo:
    found = tarfile.TarInfo(f"{alert_id}.avro")
    found.size, found.mode, found.mtime = size, MODE, int(time.time())
    return found

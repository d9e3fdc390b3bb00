"""A small invented sky: objects whose every row a test chooses."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from django.db import connection

from elasticc2.campaign import OBJECT_COLUMNS
from elasticc2.ingest import Stored, ingest
from tom_desc.bulkcopy import copy_in
from tom_desc.streams.classifications import check

# An object's points: (mjd, band, flux, detected).
Point = tuple[float, str, float, bool]
FLUXERR = 10.0


def add_object(objectid: int, points: Sequence[Point], *, ra: float = 10.0, decl: float = -5.0) -> list[int]:
    """An object of the PPDB with its photometry; ids of its sources, which are those of its alerts."""
    rows = dict.fromkeys(OBJECT_COLUMNS) | {
        "diaobject_id": np.array([objectid]),
        "ra": np.array([ra]),
        "decl": np.array([decl]),
        "isddf": np.array([False]),
    }
    with connection.cursor() as cursor:
        copy_in(cursor, "elasticc2_ppdbdiaobject", rows)
    return add_points(objectid, points, first=0)


def add_points(objectid: int, points: Sequence[Point], *, first: int) -> list[int]:
    """More photometry of an object; its point ids start at ``first``."""
    if not points:
        return []
    mjd, band, flux, detected = (np.array(column) for column in zip(*points, strict=True))
    ids = objectid * 100_000 + first + np.arange(len(points))
    forced: dict[str, Any] = {
        "diaforcedsource_id": ids,
        "midpointtai": mjd,
        "filtername": band.astype("S1"),
        "psflux": flux,
        "psfluxerr": np.full(len(points), FLUXERR),
        "diaobject_id": np.full(len(points), objectid),
    }
    sources = {name: values[detected] for name, values in forced.items()}
    count = len(sources["midpointtai"])
    source_ids = sources.pop("diaforcedsource_id")
    position = {"ra": np.full(count, 10.0), "decl": np.full(count, -5.0)}
    snr = {"snr": sources["psflux"] / FLUXERR, "diasource_id": source_ids}
    alerts = {"alert_id": source_ids, "diasource_id": source_ids, "diaobject_id": sources["diaobject_id"]}
    with connection.cursor() as cursor:
        copy_in(cursor, "elasticc2_ppdbdiaforcedsource", forced)
        copy_in(cursor, "elasticc2_ppdbdiasource", sources | position | snr)
        copy_in(cursor, "elasticc2_ppdbalert", alerts)
        cursor.execute("INSERT INTO elasticc2_loadnews (diaobject_ids) VALUES (%s)", ([objectid],))
    return [int(source) for source in source_ids]


def message(
    source: int, *, classes: Sequence[tuple[int, float]] = ((2222, 1.0),), **changes: Any
) -> dict[str, Any]:
    """A broker message about a source, as REST brings it."""
    return {
        "alertId": source,
        "diaSourceId": source,
        "elasticcPublishTimestamp": 1_700_000_000_000,
        "brokerIngestTimestamp": 1_700_000_001_000,
        "brokerName": "FakeBroker",
        "brokerVersion": "v1.0",
        "classifierName": "NugentClassifier",
        "classifierParams": "100%",
        "classifications": [{"classId": classid, "probability": p} for classid, p in classes],
    } | changes


def hear(*messages: dict[str, Any]) -> Stored:
    """Ingest messages that must all be valid."""
    batch, rejects = check(list(messages))
    assert not rejects
    return ingest(batch)


def rows(query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters or None)
        return list(cursor.fetchall())


def value(query: str, *parameters: Any) -> Any:
    return rows(query, *parameters)[0][0]

"""Load: survey files into the PPDB tables (or the training set's).

One file pair is one transaction, so that a crash leaves whole files only, and loading a file again adds
what is missing and nothing else. Keys and indexes stay in place.
"""

import logging
import multiprocessing
import os
import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from django.db import DatabaseError, IntegrityError, connection, connections, transaction
from numpy.typing import NDArray

from elasticc2 import keptobjects
from elasticc2.campaign import (
    ALERT_COLUMNS,
    ALERT_ZEROPOINT,
    DEFAULT_SIMVERSION,
    FLUX_UNITS,
    FORCED_COLUMNS,
    NAME,
    OBJECT_COLUMNS,
    SNANA_ZEROPOINT,
    SOURCE_COLUMNS,
)
from elasticc2.encoding import encode_batch
from elasticc2.histories import batches
from tom_desc.bulkcopy import Column, copy_in, insert_new
from tom_desc.campaigns.models import Campaign
from tom_desc.partitions import analyze_if_grown
from tom_desc.snana.reading import SurveyFile, read_survey_file, read_truth
from tom_desc.tally import Tally

PPDB, TRAINING = "ppdb", "training"
HEAD_PATTERN = "*HEAD.FITS.gz"

log = logging.getLogger(__name__)


class LoadError(Exception):
    """The load as a whole cannot be done; the message says why."""


@dataclass(frozen=True)
class LoadOptions:
    """How to read survey files and where to put them. Zeropoints are AB magnitudes of flux 1."""

    kind: str = PPDB
    simversion: str = DEFAULT_SIMVERSION
    max_sources_per_object: int = 100_000
    photflag_detect: int = 4096
    snana_zeropoint: float = SNANA_ZEROPOINT
    alert_zeropoint: float = ALERT_ZEROPOINT
    store: bool = True

    def table(self, name: str) -> str:
        if name == "diaobjecttruth":
            return "elasticc2_diaobjecttruth" if self.kind == PPDB else "elasticc2_trainingdiaobjecttruth"
        return f"elasticc2_{self.kind}{name}"


@dataclass(frozen=True)
class Counts(Tally):
    """Rows read or added, by table."""

    objects: int = 0
    sources: int = 0
    forced: int = 0
    alerts: int = 0
    truth: int = 0

    def __str__(self) -> str:
        return (
            f"{self.objects} objects, {self.sources} sources, {self.forced} forced sources,"
            f" {self.alerts} alerts, {self.truth} truth rows"
        )


@dataclass(frozen=True)
class Outcome:
    """What came of one file: rows added (read, where nothing is stored), or why it failed."""

    path: Path
    counts: Counts = Counts()
    error: str = ""


def remember_units(options: LoadOptions) -> None:
    """Store the zeropoint and unit of the fluxes with the campaign.

    Raises
    ------
    LoadError
        Where photometry of another zeropoint is there already: one campaign, one unit.
    """
    zeropoint = options.alert_zeropoint
    with transaction.atomic(), connection.cursor() as cursor:
        row = Campaign.objects.select_for_update().get(name=NAME)
        if row.zeropoint is not None and row.zeropoint != zeropoint:
            for kind in (PPDB, TRAINING):
                cursor.execute(f"SELECT EXISTS (SELECT FROM elasticc2_{kind}diasource)")
                if cursor.fetchone()[0]:
                    raise LoadError(
                        f"photometry at zeropoint {row.zeropoint:g} is loaded; --alert-zeropoint"
                        f" {zeropoint:g} would mix units"
                    )
        unit = FLUX_UNITS.get(zeropoint, f"AB zeropoint {zeropoint:g}")
        Campaign.objects.filter(name=NAME).update(zeropoint=zeropoint, flux_unit=unit)


def load_files(heads: list[Path], *, options: LoadOptions, processes: int) -> Generator[Outcome]:
    """Load each HEAD file with its PHOT file, in worker processes unless one is enough, as they finish."""
    load = partial(load_survey_file, options=options)
    if processes == 1 or len(heads) < 2:
        yield from map(load, heads)
    else:
        yield from in_processes(load, heads, processes)


def in_processes(load: Callable[[Path], Outcome], heads: list[Path], processes: int) -> Generator[Outcome]:
    """A connection belongs to one process: it is closed before the workers part, each opens its own."""
    connections.close_all()
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(min(processes, len(heads)), context, initializer=end_with_parent) as pool:
        waiting = {pool.submit(load, head): head for head in heads}
        try:
            for future in as_completed(waiting):
                yield outcome_of(future, waiting[future])
        finally:
            # Who stops listening gets no more files loaded than are in hand.
            pool.shutdown(cancel_futures=True)


def outcome_of(future: "Future[Outcome]", head: Path) -> Outcome:
    try:
        return future.result()
    except BrokenProcessPool:
        return Outcome(head, error="a worker process died; load the file again")


def end_with_parent() -> None:
    """A worker whose parent was killed ends too, rather than wait for files for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def load_survey_file(head: Path, *, options: LoadOptions) -> Outcome:
    """Read one file pair and store it in one transaction."""
    try:
        survey = read_survey_file(
            head,
            max_sources_per_object=options.max_sources_per_object,
            photflag_detect=options.photflag_detect,
            snana_zeropoint=options.snana_zeropoint,
            alert_zeropoint=options.alert_zeropoint,
        )
        return Outcome(head, store(survey, options) if options.store else read_counts(survey))
    except (LoadError, DatabaseError, OSError, ValueError, TypeError) as error:
        # A file can be wrong in more ways than the reader knows; whichever, the others are loaded.
        return Outcome(head, error=f"{type(error).__name__}: {error}".strip())


def read_counts(survey: SurveyFile) -> Counts:
    """What a file holds."""
    sources = int(survey.photometry["detected"].sum())
    return Counts(len(ids_of(survey)), sources, len(survey.photometry["diaforcedsource_id"]), sources)


def store(survey: SurveyFile, options: LoadOptions) -> Counts:
    """Rows of a file that the database does not have. A file seen for the first time goes the fast way."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            if not check_known_objects(cursor, survey, options):
                return store_all(cursor, survey, options)
    except IntegrityError as error:
        # Somebody loaded one of these objects since we looked; the careful way settles who was first.
        log.info("the same is being loaded by somebody else: %s", error)
    return store_missing(survey, options)


def store_all(cursor: Any, survey: SurveyFile, options: LoadOptions) -> Counts:
    """All rows of a file of whose objects none is there."""
    with keptobjects.nothing_is_kept(cursor):
        counts = insert(cursor, survey, options, copy_in)
    if options.kind == PPDB:
        forced = survey.photometry
        for batch in batches(survey.objects, detections(forced), forced, simversion=options.simversion):
            keptobjects.keep(cursor, encode_batch(batch))
    append_news(cursor, survey, counts, options)
    return counts


def store_missing(survey: SurveyFile, options: LoadOptions) -> Counts:
    """The rows of a file that are not there."""
    with transaction.atomic(), connection.cursor() as cursor:
        check_known_objects(cursor, survey, options)
        counts = insert(cursor, survey, options, insert_new)
        append_news(cursor, survey, counts, options)
    if options.kind == PPDB:
        encode_missing(ids_of(survey).tolist())
    return counts


def encode_missing(ids: list[int]) -> None:
    """Keep objects encoded that were there, of which nothing is kept any more once they got rows."""
    with connection.cursor() as cursor:
        missing = keptobjects.not_kept(cursor, ids)
    encoded = sum(keptobjects.encode_objects(missing))
    log.info("encoded %s of %s objects anew", encoded, len(ids))


def check_known_objects(cursor: Any, survey: SurveyFile, options: LoadOptions) -> bool:
    """Whether some of the file's objects are loaded already.

    Raises
    ------
    LoadError
        Where one is loaded with another position: two objects of one id would lose one of them.
    """
    ids, ra, decl = (survey.objects[name] for name in ("diaobject_id", "ra", "decl"))
    assert ids is not None and ra is not None and decl is not None
    cursor.execute(
        f"SELECT diaobject_id, ra, decl FROM {options.table('diaobject')} WHERE diaobject_id = ANY(%s)",
        (ids.tolist(),),
    )
    known = {row[0]: row[1:] for row in cursor.fetchall()}
    for objectid, position in zip(ids.tolist(), zip(ra.tolist(), decl.tolist(), strict=True), strict=True):
        if objectid in known and known[objectid] != position:
            raise LoadError(f"object {objectid} is loaded already, at another position: {known[objectid]}")
    return bool(known)


Insert = Callable[[Any, str, dict[str, Column]], int]


def insert(cursor: Any, survey: SurveyFile, options: LoadOptions, write: Insert) -> Counts:
    """Write the four tables of a file, parents first."""
    objects: dict[str, Column] = dict(survey.objects)
    objects["simversion"] = np.full(len(ids_of(survey)), options.simversion.encode())
    forced = survey.photometry
    sources = detections(forced)
    alerts = {
        name: sources["diaobject_id" if name == "diaobject_id" else "diasource_id"] for name in ALERT_COLUMNS
    }
    return Counts(
        objects=write(cursor, options.table("diaobject"), {name: objects[name] for name in OBJECT_COLUMNS}),
        sources=write(cursor, options.table("diasource"), {name: sources[name] for name in SOURCE_COLUMNS}),
        forced=write(
            cursor, options.table("diaforcedsource"), {name: forced[name] for name in FORCED_COLUMNS}
        ),
        alerts=write(cursor, options.table("alert"), dict(alerts)),
    )


def detections(photometry: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The detected points; a source has the id of its forced point."""
    found = photometry["detected"]
    sources = {name: values[found] for name, values in photometry.items()}
    return sources | {"diasource_id": sources["diaforcedsource_id"]}


def append_news(cursor: Any, survey: SurveyFile, counts: Counts, options: LoadOptions) -> None:
    """Tell reveal for which objects there is more, where there is."""
    if options.kind == PPDB and counts != Counts():
        ids = ids_of(survey).tolist()
        cursor.execute("INSERT INTO elasticc2_loadnews (diaobject_ids) VALUES (%s)", (ids,))


def ids_of(survey: SurveyFile) -> NDArray[np.int64]:
    ids = survey.objects["diaobject_id"]
    assert ids is not None
    return ids


def load_truth(directory: Path, *, options: LoadOptions) -> Outcome:
    """The directory's DUMP file into the truth table, for objects that are loaded."""
    dump = directory / f"{directory.resolve().name}.DUMP"
    try:
        truth = read_truth(dump)
        if not options.store:
            return Outcome(dump, Counts(truth=len(truth["diaobject_id"])))
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                f"SELECT diaobject_id FROM {options.table('diaobject')} WHERE diaobject_id = ANY(%s)",
                (truth["diaobject_id"].tolist(),),
            )
            loaded = np.isin(truth["diaobject_id"], [row[0] for row in cursor.fetchall()])
            columns: dict[str, Column] = {name: values[loaded] for name, values in truth.items()}
            added = insert_new(cursor, options.table("diaobjecttruth"), columns)
    except (DatabaseError, OSError, ValueError, TypeError) as error:
        return Outcome(dump, error=f"{type(error).__name__}: {error}".strip())
    return Outcome(dump, Counts(truth=added))


def head_files(directories: Iterable[Path], names: list[str] | None) -> list[Path]:
    """The HEAD files to load, in order.

    Raises
    ------
    LoadError
        Where a directory, or a named file, is not there, or a directory has no HEAD file.
    """
    heads = []
    for directory in directories:
        if not directory.is_dir():
            raise LoadError(f"{directory} is not a directory")
        found = [named_file(directory, name) for name in names or ()] or sorted(directory.glob(HEAD_PATTERN))
        missing = [head for head in found if not head.is_file()]
        if missing or not found:
            raise LoadError(f"{missing[0]} is missing" if missing else f"{directory} has no {HEAD_PATTERN}")
        heads += found
    return heads


def named_file(directory: Path, name: str) -> Path:
    """A HEAD file by its name, or by that which LIST files have: without .gz."""
    zipped = directory / f"{name}.gz"
    return zipped if zipped.is_file() else directory / name


def refresh_statistics(counts: Counts, options: LoadOptions) -> None:
    """ANALYZE the tables that grew."""
    added = {
        "diaobject": counts.objects,
        "diasource": counts.sources,
        "diaforcedsource": counts.forced,
        "alert": counts.alerts,
    }
    with connection.cursor() as cursor:
        analyze_if_grown(cursor, {options.table(name): rows for name, rows in added.items()})

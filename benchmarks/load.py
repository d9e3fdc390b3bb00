"""Load: a simulated survey's files into the tables, keys and indexes in place.

``load``: value is rows a second of ``load_snana_fits`` with a worker process for each processor, reading,
truth and statistics included. Limit: rows a second of copying the same rows, encoded beforehand, into the
same tables of another new database, a transaction for each file, by as many connections.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from django.db import connection

from benchmarks import databases
from benchmarks.bench import WORKERS, Bench, load_survey
from benchmarks.copying import Rows, copy_at_once, copy_form
from benchmarks.measuring import Result, at_least, in_turn, seconds
from benchmarks.profiling import profile
from elasticc2.load import LoadOptions, head_files, insert, load_survey_file
from tom_desc.bulkcopy import Column
from tom_desc.snana.reading import read_survey_file

DATABASE = "load"
OPTIONS = LoadOptions()
FEWEST_RUNS = 3


def run(bench: Bench) -> list[Result]:
    """Loading beside copying."""
    directories = bench.survey()
    heads = head_files(directories, None)
    with bench.progress.step("load"):
        with databases.fresh(DATABASE):
            files = [prepared(head) for head in heads]
        of_load, of_copy = in_turn(
            max(FEWEST_RUNS, bench.scale.runs // 2),
            partial(in_new_database, partial(load_survey, directories)),
            partial(in_new_database, partial(copy_at_once, DATABASE, files, connections=WORKERS)),
        )
    count = sum(rows.count for file in files for rows in file)
    parts = f"{count:,} rows; load {of_load:.2f}, COPY {of_copy:.2f} s"
    limit = count / of_copy
    inside = partial(profile_of, max(heads, key=lambda head: head.stat().st_size))
    return [Result("load", count / of_load, "rows/s", limit, at_least(0.6), parts, inside)]


def prepared(head: Path) -> list[Rows]:
    """The rows of a file pair, table by table."""
    survey = read_survey_file(
        head,
        max_sources_per_object=OPTIONS.max_sources_per_object,
        photflag_detect=OPTIONS.photflag_detect,
        snana_zeropoint=OPTIONS.snana_zeropoint,
        alert_zeropoint=OPTIONS.alert_zeropoint,
    )
    tables: list[Rows] = []

    def keep(cursor: object, table: str, columns: dict[str, Column]) -> int:
        tables.append(copy_form(cursor, table, columns))
        return tables[-1].count

    with connection.cursor() as cursor:
        insert(cursor, survey, OPTIONS, keep)
    return tables


def in_new_database(work: Callable[[], object]) -> float:
    """Seconds of the work on empty tables."""
    with databases.fresh(DATABASE):
        return seconds(work)


def profile_of(head: Path) -> str:
    """Where the time of loading one file goes."""
    with databases.fresh(DATABASE):
        return profile(partial(load_survey_file, head, options=OPTIONS))

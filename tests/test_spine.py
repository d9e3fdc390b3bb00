"""From survey files to light curves, on the real data, through real processes.

migrate, bootstrap, load, PUT, reveal, ltcv and hot, with the numbers of the original system.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.localtom import LocalTom

MESSAGES = "SELECT count(*), sum(cardinality(probability)) FROM elasticc2_brokermessage"
FIRST_SEEN = "SELECT count(*) FROM elasticc2_diaobjectinfo WHERE firstsource_id IS NOT NULL"
PPDB = ("ppdbdiaobject", "ppdbdiasource", "ppdbdiaforcedsource", "ppdbalert", "diaobjecttruth")
TRAINING = ("trainingdiaobject", "trainingdiasource", "trainingdiaforcedsource", "trainingdiaobjecttruth")
REVEALED = ("brokersourceids", "diaobject", "diasource", "diaforcedsource")


@pytest.fixture
def loaded(tom: LocalTom, real_survey_directories: list[Path]) -> LocalTom:
    tom.manage("load_snana_fits", "--ppdb", "--do", "-d", *real_survey_directories)
    return tom


def answer_and_reveal(tom: LocalTom, through_mjd: float) -> None:
    tom.manage("fakebroker", "--rest", tom.url, "--through-day", through_mjd)
    tom.manage("update_elasticc2_sources")


def test_the_training_set_leaves_the_ppdb_alone(tom: LocalTom, real_survey_directories: list[Path]) -> None:
    tom.manage("load_snana_fits", "--train", "--do", "-d", *real_survey_directories)
    assert tom.counts(*TRAINING) == (346, 1862, 52172, 346)
    assert tom.counts(*PPDB) == (0, 0, 0, 0, 0)


def test_the_alert_cycle_has_the_numbers_of_the_original(loaded: LocalTom) -> None:
    tom = loaded
    assert tom.counts(*PPDB) == (346, 1862, 52172, 1862, 346)

    answer_and_reveal(tom, 60578)
    assert tom.sql(MESSAGES) == [(1090, 11445)]
    assert tom.counts(*REVEALED) == (0, 102, 545, 4242)
    assert tom.one(FIRST_SEEN) == 216

    answer_and_reveal(tom, 60675.5)
    assert tom.sql(MESSAGES) == [(1300, 13650)]
    assert tom.counts(*REVEALED) == (0, 131, 650, 5765)
    assert tom.one(FIRST_SEEN) == 268

    tom.manage("fakebroker", "--rest", tom.url, "--through-day", 60675.5, "--classifiers", "api")
    assert tom.sql(MESSAGES) == [(1950, 14950)]
    assert tom.counts("brokerclassifier", *REVEALED[1:]) == (3, 131, 650, 5765)

    check_hot_and_light_curves(tom)
    check_that_nothing_changes_when_all_is_done_again(tom)


def check_hot_and_light_curves(tom: LocalTom) -> None:
    client = tom.client()
    hot = client.post("elasticc2/gethottransients", json={"detected_since_mjd": 60660}).json()["diaobject"]
    points = {entry["objectid"]: len(entry["photometry"]["mjd"]) for entry in hot}
    assert points == {
        15232: 6,
        416626: 117,
        1045654: 15,
        1263066: 48,
        1286131: 71,
        1684659: 34,
        1913410: 49,
        2110476: 59,
    }
    first = hot[0]
    assert (first["ra"], first["dec"], first["zp"]) == (126.210937, 9.140394, 31.4)
    photometry: dict[str, Any] = first["photometry"]
    assert photometry["mjd"] == [60671.2479, 60671.2709, 60675.2818, 60675.2826, 60675.301, 60675.3019]
    assert photometry["band"] == ["u", "g", "u", "u", "r", "r"]
    assert photometry["flux"] == [683.85583, 983.85876, -39.323704, 472.62228, 2212.8777, 2089.0193]

    asked = {"objectids": [1731906, 1102362, 800290], "return_format": 2}
    curves = client.post("elasticc2/ltcv", json=asked).json()["diaobject"]
    assert curves["objectid"] == [800290, 1102362, 1731906]
    assert [len(mjd) for mjd in curves["mjd"]] == [77, 102, 122]


def check_that_nothing_changes_when_all_is_done_again(tom: LocalTom) -> None:
    tom.manage("update_elasticc2_sources")
    tables = [f"elasticc2_{name}" for name in (*PPDB, *REVEALED, "diaobjectinfo", "diaobjectclassification")]
    before = {table: tom.contents(table) for table in tables}
    answer_and_reveal(tom, 60675.5)
    tom.manage("update_elasticc2_sources", "--doall")
    assert {table: tom.contents(table) for table in tables} == before


def test_loading_again_changes_nothing(loaded: LocalTom, real_survey_directories: list[Path]) -> None:
    before = {table: loaded.contents(f"elasticc2_{table}") for table in PPDB}
    loaded.manage("load_snana_fits", "--ppdb", "--do", "-d", *real_survey_directories)
    assert {table: loaded.contents(f"elasticc2_{table}") for table in PPDB} == before

"""Whole answers about the seeded simulator's sky, compared with those kept in ``tests/golden``.

``pytest tests/elasticc2/test_golden.py --write-golden`` writes them anew after a change that means to
change them; the difference is then read like any other.
"""

from pathlib import Path
from typing import Any

import orjson
import pytest

from elasticc2.load import LoadOptions, load_survey_file, load_truth, remember_units
from elasticc2.reveal import reveal
from tests.elasticc2.conftest import Ask, Snapshot, restore, take
from tests.elasticc2.sky import hear, rows
from tom_desc.snana.simulate import simulate_survey
from tom_desc.streams.fakebroker import CLASSIFIERS

pytestmark = pytest.mark.django_db

GOLDEN = Path(__file__).parent.parent / "golden"
SEED, OBJECTS, LAST_MJD = 42, 60, 60700.0
PUBLISHED_MS = 1_700_000_000_000
ALERTS = (
    "SELECT alert_id, diasource_id FROM elasticc2_ppdbalert JOIN elasticc2_ppdbdiasource USING (diasource_id)"
)
CLASSIFICATIONS = """
SELECT diaobject_id, classifiername, latestclass1id, latestclass1prob, latestclass2id, latestclass2prob
FROM elasticc2_diaobjectclassification JOIN elasticc2_brokerclassifier USING (classifier_id)
ORDER BY 1, 2"""
INFO = """
SELECT diaobject_id, filtername, firstsource_id, firstsourcemjd, latestsource_id, latestsourceflux,
       maxforcedsource_id, maxforcedsourceflux, latestforcedsource_id, latestforcedsourcemjd
FROM elasticc2_diaobjectinfo ORDER BY 1, 2"""


@pytest.fixture
def simulated(db: None, snapshots: dict[str, Snapshot], tmp_path: Path) -> None:
    """The simulated sky, its alerts up to 20 days before the end answered by both classifiers."""
    remember_units(LoadOptions())
    if "simulated" in snapshots:
        restore(snapshots["simulated"])
    else:
        for directory in simulate_survey(tmp_path, objects=OBJECTS, seed=SEED, last_mjd=LAST_MJD):
            for head in sorted(directory.glob("*HEAD.FITS.gz")):
                assert not load_survey_file(head, options=LoadOptions()).error
            assert not load_truth(directory, options=LoadOptions()).error
        snapshots["simulated"] = take()
    answered = rows(f"{ALERTS} WHERE midpointtai <= %s ORDER BY midpointtai, diasource_id", LAST_MJD - 20)
    hear(*(opinion(alert, source, which) for alert, source in answered for which in ("nugent", "random")))
    reveal()


def opinion(alert_id: int, diasource_id: int, which: str) -> dict[str, Any]:
    return CLASSIFIERS[which].answer(
        alert_id=alert_id, diasource_id=diasource_id, published_ms=PUBLISHED_MS, now_ms=PUBLISHED_MS
    )


def check_golden(name: str, answer: Any, request: pytest.FixtureRequest) -> None:
    """The answer is the golden one, whole; indented so that differences can be read."""
    text = orjson.dumps(orjson.loads(answer), option=orjson.OPT_INDENT_2)
    path = GOLDEN / f"{name}.json"
    if request.config.getoption("--write-golden"):
        GOLDEN.mkdir(exist_ok=True)
        path.write_bytes(text + b"\n")
    assert text + b"\n" == path.read_bytes()


def objects_with_most_sources(number: int) -> list[int]:
    query = (
        "SELECT diaobject_id FROM elasticc2_diasource GROUP BY 1 HAVING count(*) < 25"
        " ORDER BY count(*) DESC, 1 LIMIT %s"
    )
    return [objectid for (objectid,) in rows(query, number)]


@pytest.mark.usefixtures("simulated")
class TestGolden:
    def test_light_curves(self, ask: Ask, request: pytest.FixtureRequest) -> None:
        asked = {
            "objectids": [*objects_with_most_sources(3), 1],
            "include_hostinfo": True,
            "return_format": 2,
        }
        check_golden("ltcv", ask("ltcv", asked).content, request)

    def test_hot_transients(self, ask: Ask, request: pytest.FixtureRequest) -> None:
        asked = {"mjd_now": LAST_MJD - 20, "detected_in_last_days": 0.5}
        check_golden("gethottransients", ask("gethottransients", asked).content, request)

    def test_an_alert(self, ask: Ask, request: pytest.FixtureRequest) -> None:
        (objectid,) = objects_with_most_sources(1)
        query = "SELECT max(diasource_id) FROM elasticc2_diasource WHERE diaobject_id = %s"
        ((source,),) = rows(query, objectid)
        check_golden("getalert", ask("getalert", {"sourceid": source}).content, request)

    @pytest.mark.parametrize(("name", "query"), [("classifications", CLASSIFICATIONS), ("info", INFO)])
    def test_summaries(self, name: str, query: str, request: pytest.FixtureRequest) -> None:
        check_golden(name, orjson.dumps(rows(query)), request)

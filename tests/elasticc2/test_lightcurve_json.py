"""Answers that are made in pieces are those that would have been made whole."""

import json
from typing import Any

import pytest

from elasticc2 import lightcurve_json
from elasticc2.lightcurves import light_curves
from elasticc2.reveal import reveal
from tests.elasticc2.conftest import Ask
from tests.elasticc2.sky import add_object, hear, message, rows, value

pytestmark = pytest.mark.django_db

OBJECTS = (3, 5, 7, 11, 13)


@pytest.fixture
def five() -> None:
    """Five objects, 5 without a point."""
    for objectid in OBJECTS:
        points = [(60000.0 + k, "ugrizY"[k], 50.0 + k, k == 2) for k in range(objectid % 5 + 3)]
        hear(*(message(source) for source in add_object(objectid, points)))
    reveal()
    rows("DELETE FROM elasticc2_diaforcedsource WHERE diaobject_id = 5 RETURNING 1")


@pytest.fixture
def in_small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("lightcurves", "lightcurve_json"):
        monkeypatch.setattr(f"elasticc2.{module}.OBJECTS_AT_ONCE", 2)
    monkeypatch.setattr("tom_desc.jsonpost.STREAM_FROM", 1)


def asked(ask: Ask, page: str, body: dict[str, Any]) -> Any:
    response = ask(page, body)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    return json.loads(response.getvalue())


REQUESTS = [
    (page, body | {"return_format": return_format, "include_hostinfo": hostinfo})
    for return_format in (0, 1, 2)
    for hostinfo in (False, True)
    for page, body in (
        ("ltcv", {"objectids": [13, 3, 99, 5, 7, 3, 11]}),
        ("ltcv", {"objectids": [3, 7, 11], "mjd_now": 60001.5}),
        ("gethottransients", {"mjd_now": 60005}),
        ("gethotsne", {"mjd_now": 60005}),
        ("gethottransients", {"mjd_now": 50000}),
    )
]


@pytest.mark.usefixtures("five")
def test_parts_make_the_whole(ask: Ask, request: pytest.FixtureRequest) -> None:
    whole = [asked(ask, page, body) for page, body in REQUESTS]
    request.getfixturevalue("in_small_parts")
    assert [asked(ask, page, body) for page, body in REQUESTS] == whole
    assert [entry["objectid"] for entry in whole[0]["diaobject"]] == list(OBJECTS)
    assert whole[0]["unknown"] == [99]


@pytest.mark.usefixtures("five", "in_small_parts")
def test_a_large_answer_is_sent_while_it_is_made(ask: Ask) -> None:
    assert ask("ltcv", {"objectids": OBJECTS}).streaming


@pytest.mark.usefixtures("five")
def test_a_small_answer_has_a_length(ask: Ask) -> None:
    assert int(ask("ltcv", {"objectids": OBJECTS}).headers["Content-Length"]) > 100


@pytest.mark.usefixtures("in_small_parts")
def test_an_object_without_points_is_an_entry_of_ltcv_and_not_hot(five: None, ask: Ask) -> None:
    assert asked(ask, "ltcv", {"objectid": 5})["diaobject"][0]["photometry"] == {
        "mjd": [],
        "band": [],
        "flux": [],
        "fluxerr": [],
    }
    hot = asked(ask, "gethottransients", {"mjd_now": 60005})["diaobject"]
    assert [entry["objectid"] for entry in hot] == [3, 7, 11, 13]


@pytest.mark.usefixtures("five")
def test_objects_come_light_curves_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("elasticc2.lightcurves.OBJECTS_AT_ONCE", 2)
    pieces = light_curves(
        objectids=[13, 3, 3, 7, 5, 11], until_mjd=None, spectra_until=lambda: 0, hostinfo=False
    )
    assert [[row[0] for row in piece.objects] for piece in pieces] == [[3, 5], [7, 11], [13]]


def test_no_objects_are_an_empty_list() -> None:
    none = light_curves(objectids=[], until_mjd=None, spectra_until=lambda: 0, hostinfo=False)
    answer = b"".join(lightcurve_json.ltcv(none, objectids=[], return_format=0, hostinfo=False))
    assert json.loads(answer) == {"status": "ok", "diaobject": [], "unknown": []}
    assert value("SELECT count(*) FROM elasticc2_diaobject") == 0

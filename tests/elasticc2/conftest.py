"""The real survey and a small invented one, loaded inside a test's transaction."""

import io
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client

from elasticc2.load import LoadOptions, load_survey_file, load_truth, remember_units
from tom_desc.accounts.groups import make_groups

TABLES = (
    "ppdbdiaobject",
    "ppdbdiasource",
    "ppdbdiaforcedsource",
    "ppdbalert",
    "diaobjecttruth",
    # After the photometry, with which triggers would delete it.
    "ppdbencodedobject",
)
Snapshot = dict[str, bytes]


@pytest.fixture(scope="session")
def snapshots() -> dict[str, Snapshot]:
    """Tables of a survey loaded before, so that only the first test that wants it reads the files."""
    return {}


@pytest.fixture
def real_survey(db: None, snapshots: dict[str, Snapshot], real_survey_directories: list[Path]) -> None:
    """The real data in the PPDB tables: 346 objects, 1,862 sources, 52,172 forced sources."""
    remember_units(LoadOptions())
    if "real" in snapshots:
        restore(snapshots["real"])
        return
    for directory in real_survey_directories:
        for head in sorted(directory.glob("*HEAD.FITS.gz")):
            assert not load_survey_file(head, options=LoadOptions()).error
        assert not load_truth(directory, options=LoadOptions()).error
    snapshots["real"] = take()


def take() -> Snapshot:
    snapshot = {}
    for table in TABLES:
        stream = io.BytesIO()
        with connection.cursor() as cursor:
            cursor.copy_expert(f"COPY (SELECT * FROM elasticc2_{table}) TO STDOUT (FORMAT binary)", stream)
        snapshot[table] = stream.getvalue()
    return snapshot


def restore(snapshot: Snapshot) -> None:
    for table, rows in snapshot.items():
        with connection.cursor() as cursor:
            cursor.copy_expert(f"COPY elasticc2_{table} FROM STDIN (FORMAT binary)", io.BytesIO(rows))


@pytest.fixture
def root(db: None) -> Any:
    return get_user_model().objects.create_superuser("root", password="testing")


@pytest.fixture
def astronomer(db: None) -> Any:
    """A user without any special right."""
    return get_user_model().objects.create_user("astronomer", password="testing")


@pytest.fixture
def broker(db: None) -> Any:
    """An account that may PUT broker messages."""
    make_groups()
    user = get_user_model().objects.create_user("apibroker", password="testing")
    user.groups.add(user.groups.model.objects.get(name="elasticc_broker"))
    return user


@pytest.fixture
def ask(astronomer: Any) -> "Ask":
    return Ask(astronomer)


class Ask:
    """Posts JSON to an endpoint as a user."""

    def __init__(self, user: Any) -> None:
        self.client = Client()
        self.client.force_login(user)

    def __call__(self, page: str, body: Any = None, **headers: str) -> Any:
        return self.client.post(
            f"/elasticc2/{page}",
            body if body is not None else {},
            content_type="application/json",
            headers=headers,
        )

    def put(self, body: Any, *, query: str = "") -> Any:
        return self.client.put(f"/elasticc2/brokermessage/{query}", body, content_type="application/json")

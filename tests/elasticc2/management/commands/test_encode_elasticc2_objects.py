import io
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from elasticc2.keptobjects import encode_objects
from tests.elasticc2.sky import add_object, rows

pytestmark = pytest.mark.django_db

KEPT = "SELECT diaobject_id, isddf FROM elasticc2_ppdbencodedobject ORDER BY 1"


@pytest.fixture(autouse=True)
def one_of_two_kept() -> None:
    for objectid in (7, 8):
        add_object(objectid, [(60000.0, "g", 55.0, True)])
    list(encode_objects([7]))


def encode(*arguments: str) -> str:
    said = io.StringIO()
    call_command("encode_elasticc2_objects", *arguments, stdout=said)
    return said.getvalue()


def test_it_encodes_what_is_not_kept() -> None:
    assert encode() == "encoded 1 of 1 objects that were not kept\n"
    assert rows(KEPT) == [(7, False), (8, False)]
    assert encode() == "encoded 0 of 0 objects that were not kept\n"


def check_constraints() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_it_encodes_all_anew() -> None:
    rows("UPDATE elasticc2_ppdbencodedobject SET isddf = true RETURNING 1")
    # Foreign keys are looked at when the test's transaction ends, and before that nothing can be emptied.
    check_constraints()
    assert encode("--anew") == "encoded 2 of 2 objects that were not kept\n"
    assert rows(KEPT) == [(7, False), (8, False)]


def test_who_stops_it_is_told_how_far_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    def terminated(objects: Iterator[int], **_: Any) -> Iterator[int]:
        os.kill(os.getpid(), signal.SIGTERM)
        yield from objects

    monkeypatch.setattr("elasticc2.keptobjects.OBJECTS_AT_ONCE", 1)
    monkeypatch.setattr("elasticc2.management.commands.encode_elasticc2_objects.progress", terminated)
    add_object(9, [])
    with pytest.raises(CommandError, match="stopped after 1 objects"):
        encode()

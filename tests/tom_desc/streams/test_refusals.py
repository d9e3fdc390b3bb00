"""What the database refuses is told from what passes."""

import pytest
from django.db import Error, ProgrammingError, connection, transaction

from tom_desc.streams.refusals import Refused, refusals

pytestmark = pytest.mark.django_db


def run(statement: str) -> None:
    with refusals(), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("SELECT 1 / 0", "the database refused it: division by zero"),
        (
            "INSERT INTO streams_gap (source) VALUES (NULL)",
            'the database refused it: null value in column "source" of relation "streams_gap" violates'
            " not-null constraint",
        ),
        (
            "SELECT row_to_json(t) FROM (SELECT " + ", ".join("1" for _ in range(1700)) + ") t",
            "the database refused it: target lists can have at most 1664 entries",
        ),
    ],
    ids=["data", "constraint", "limit"],
)
def test_what_cannot_be_held_is_refused_in_the_databases_words(statement: str, words: str) -> None:
    with pytest.raises(Refused) as refused:
        run(statement)
    assert str(refused.value) == words


@pytest.mark.parametrize(
    "statement",
    ["SELECT * FROM nothing", "DO $$BEGIN RAISE 'x' USING ERRCODE = '40P01'; END$$"],
    ids=["no table", "deadlock"],
)
def test_everything_else_passes_as_it_is(statement: str) -> None:
    with pytest.raises(Error):
        run(statement)


def test_an_error_that_the_database_did_not_send_passes() -> None:
    with pytest.raises(ProgrammingError), refusals():
        raise ProgrammingError("ours")

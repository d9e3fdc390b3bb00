"""The command: what would be done, what is done, and in one line each."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from tests.elasticc2.sky import rows, value
from tests.elasticc2.test_poll import encoded
from tom_desc.streams.deadletters import Letter, keep
from tom_desc.streams.positions import Partition, Reader

pytestmark = pytest.mark.django_db

READER = Reader("test", "cluster", "group", "host:1")
MESSAGES = "SELECT count(*) FROM elasticc2_brokermessage"
LETTERS = "SELECT count(*) FROM streams_deadletter"


@pytest.fixture
def letters() -> None:
    """Two that are valid now, and one that is not; one came two days ago."""
    contents = (encoded(5), encoded(6), b"\xff")
    ages = (0, 0, 2)
    partition = Partition("classifications", "id", 0)
    for offset, (content, age) in enumerate(zip(contents, ages, strict=True)):
        with connection.cursor() as cursor:
            letter = Letter(partition, offset, None, None, f"reason {offset}", content)
            keep(cursor, READER, [letter], received=datetime.now(UTC) - timedelta(days=age))


def run(*arguments: Any) -> str:
    said = StringIO()
    call_command("replay_dead_letters", *arguments, stdout=said)
    return said.getvalue()


@pytest.mark.usefixtures("letters")
def test_without_do_it_says_what_would_be() -> None:
    said = "looked at, nothing stored (--do stores): 3 letters, 2 valid, 0 stored, 1 dead\n"
    assert (run(), run()) == (said, said)
    assert (value(MESSAGES), value(LETTERS)) == (0, 3)
    assert rows("SELECT * FROM elasticc2_brokerclassifier") == []


@pytest.mark.usefixtures("letters")
def test_valid_letters_are_stored_and_are_letters_no_more() -> None:
    assert run("--do") == "replayed 3 letters, 2 valid, 2 stored, 1 dead\n"
    assert run("--do") == "replayed 1 letters, 0 valid, 0 stored, 1 dead\n"
    assert rows("SELECT alert_id, streammessage_id, topicname FROM elasticc2_brokermessage ORDER BY 1") == [
        (5, 0, "classifications"),
        (6, 1, "classifications"),
    ]
    assert value(LETTERS) == 1


@pytest.mark.usefixtures("letters")
@pytest.mark.parametrize(
    ("choice", "letters_chosen"),
    [
        (("--reason", "REASON 1"), 1),
        (("--source", "test", "--topic", "classifications"), 3),
        (("--source", "brahms"), 0),
        (("--topic", "other"), 0),
    ],
)
def test_letters_are_chosen(choice: tuple[str, ...], letters_chosen: int) -> None:
    assert f": {letters_chosen} letters," in run(*choice)


@pytest.mark.usefixtures("letters")
def test_letters_are_chosen_by_id() -> None:
    first, second, _ = rows("SELECT id FROM streams_deadletter ORDER BY id")
    assert run("--id", *first, *second, "--do") == "replayed 2 letters, 2 valid, 2 stored, 0 dead\n"


@pytest.mark.usefixtures("letters")
def test_old_letters_are_deleted_with_do() -> None:
    assert run("--delete-older-than", 1) == "1 letters, not deleted (--do deletes)\n"
    assert value(LETTERS) == 3
    assert run("--delete-older-than", 1, "--do") == "deleted 1 letters\n"
    assert run("--delete-older-than", 1, "--do") == "deleted 0 letters\n"
    assert rows("SELECT reason FROM streams_deadletter ORDER BY id") == [("reason 0",), ("reason 1",)]


@pytest.mark.parametrize("age", ["-1", "nan", "inf", "soon"])
def test_an_age_is_a_number_of_days(age: str) -> None:
    with pytest.raises(CommandError, match="--delete-older-than"):
        run(f"--delete-older-than={age}")


def test_deleting_and_choosing_do_not_go_together() -> None:
    with pytest.raises(CommandError, match="by age alone"):
        run("--delete-older-than", 1, "--source", "test")

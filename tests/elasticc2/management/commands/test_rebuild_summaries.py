import io

import psycopg2
import pytest
from django.core.management import CommandError, call_command

from elasticc2.renewal import LOCK
from elasticc2.reveal import reveal
from tests.elasticc2.sky import add_object, hear, message, rows
from tests.elasticc2.test_reveal import psycopg2_dsn

pytestmark = pytest.mark.django_db


def rebuild_summaries() -> str:
    said = io.StringIO()
    call_command("rebuild_summaries", stdout=said)
    return said.getvalue()


def test_it_says_how_many_objects_there_were() -> None:
    for objectid in (7, 8):
        hear(message(add_object(objectid, [(60000.0, "g", 55.0, True)])[0]))
    reveal()
    assert rebuild_summaries() == "rebuilt what is kept of 2 objects\n"
    assert rows("SELECT diaobject_id, n FROM elasticc2_packedlightcurve ORDER BY 1") == [(7, 1), (8, 1)]


def test_it_fails_while_reveal_runs() -> None:
    other = psycopg2.connect(psycopg2_dsn())
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        with pytest.raises(CommandError, match="already running"):
            rebuild_summaries()
    other.close()

"""Alerts into tars, a day each."""

import io
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import fastavro
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from elasticc2.alerts import AlertAssembler, mark_sent
from elasticc2.tars import days_with_alerts
from tests.elasticc2.sky import add_object
from tom_desc.streams.schemas import ALERT, schema

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def sky() -> None:
    """Two objects; of the second, sources on both sides of a midnight, and one on it."""
    add_object(1, [(60_000.1, "r", 100.0, True), (60_001.2, "g", 200.0, True)])
    add_object(2, [(60_000.9, "r", 100.0, True), (60_001.0, "r", 50.0, True), (60_003.5, "i", 90.0, True)])


def dump(*arguments: str, to: Path) -> str:
    said = io.StringIO()
    call_command(
        "dump_elasticc2_alert_tars", *arguments, "--outdir", str(to), stdout=said, stderr=io.StringIO()
    )
    return said.getvalue()


def members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


def test_every_day_with_alerts_gets_a_tar(tmp_path: Path) -> None:
    dump("--start-day", "60000", "-d", "60003", "--do", to=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["60000.tar", "60001.tar", "60003.tar"]


def test_a_day_lasts_from_midnight_to_midnight() -> None:
    with connection.cursor() as cursor:
        found = days_with_alerts(cursor, start_day=60_000, through_day=60_001)
    assert found == {60_000: 2, 60_001: 2}


def test_members_are_named_by_alert_and_come_in_order_of_time(tmp_path: Path) -> None:
    dump("--start-day", "60001", "-d", "60001", "--do", to=tmp_path)
    assert list(members(tmp_path / "60001.tar")) == ["200001.avro", "100001.avro"]


def test_a_member_is_the_alert_as_it_is_sent(tmp_path: Path) -> None:
    dump("--start-day", "60001", "-d", "60001", "--do", to=tmp_path)
    with connection.cursor() as cursor:
        ((_, alert),) = AlertAssembler().assemble(cursor, [100_001])
    found = members(tmp_path / "60001.tar")["100001.avro"]
    assert found == alert
    decoded = fastavro.schemaless_reader(io.BytesIO(found), schema(ALERT), None)
    assert [source["diaSourceId"] for source in decoded["prvDiaSources"]] == [100_000]  # type: ignore[call-overload,index]


def test_members_are_readable_by_others(tmp_path: Path) -> None:
    dump("--start-day", "60000", "-d", "60000", "--do", to=tmp_path)
    with tarfile.open(tmp_path / "60000.tar") as tar:
        assert {member.mode for member in tar} == {0o664}


def test_sent_alerts_are_dumped_too(tmp_path: Path) -> None:
    with connection.cursor() as cursor:
        mark_sent(cursor, [100_000], datetime(2024, 1, 1, tzinfo=UTC))
    dump("--start-day", "60000", "-d", "60000", "--do", to=tmp_path)
    assert "100000.avro" in members(tmp_path / "60000.tar")


def test_without_do_it_says_what_would_be_written(tmp_path: Path) -> None:
    said = dump("--start-day", "60000", "-d", "60003", to=tmp_path)
    assert said.splitlines() == [
        "60000.tar: 2 alerts",
        "60001.tar: 2 alerts",
        "60003.tar: 1 alerts",
        "nothing was written (--do writes)",
    ]
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_replaced_only_when_asked(tmp_path: Path) -> None:
    (tmp_path / "60001.tar").write_bytes(b"precious")
    with pytest.raises(CommandError, match=r"60001\.tar: there already"):
        dump("--start-day", "60000", "-d", "60003", "--do", to=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["60001.tar"]
    dump("--start-day", "60000", "-d", "60003", "--clobber", "--do", to=tmp_path)
    assert len(members(tmp_path / "60001.tar")) == 2


def test_a_choice_by_gentype_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="--gentype is not implemented"):
        dump("--start-day", "60000", "-d", "60003", "-g", "10", to=tmp_path)

"""Alerts from tars and directories to a real Kafka."""

import io
import math
import tarfile
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from elasticc2.alertfiles import NotAnAlert, alerts_of, days_of
from elasticc2.encoding import alert_id_of
from tests.elasticc2.sky import add_object
from tests.kafkalog import KafkaLog, topic_name

EVER = {"start_day": 0.0, "through_day": 1e6}


@pytest.fixture
def tars(tmp_path: Path, db: None) -> Path:
    """Tars of three days of two objects; on the first the later source has the lower id."""
    add_object(1, [(60_000.4, "r", 100.0, True), (60_001.2, "g", 200.0, True)])
    add_object(2, [(60_000.1, "r", 100.0, True), (60_002.0, "r", 50.0, True)])
    arguments = ["--start-day", "60000", "-d", "60002", "-o", str(tmp_path / "tars"), "--do"]
    call_command("dump_elasticc2_alert_tars", *arguments, stdout=io.StringIO(), stderr=io.StringIO())
    return tmp_path / "tars"


@pytest.fixture
def directories(tars: Path, tmp_path: Path) -> Path:
    """The same as directories."""
    for tar in tars.iterdir():
        with tarfile.open(tar) as opened:
            opened.extractall(tmp_path / "directories" / tar.stem)
    return tmp_path / "directories"


@pytest.fixture
def topic(kafka: str) -> str:
    return KafkaLog(kafka).make(topic_name("alertfiles"))


def send(kafka: str, topic: str, *arguments: str) -> str:
    said = io.StringIO()
    call = ["send_elasticc2_alert_files", *arguments, "--topic", topic, "-k", kafka]
    call_command(*call, stdout=said, stderr=io.StringIO())
    return said.getvalue().strip()


def keys_and_ids(kafka: str, topic: str) -> list[tuple[bytes | None, int]]:
    return [
        (message.key(), alert_id_of(message.value() or b"") or 0) for message in KafkaLog(kafka).read(topic)
    ]


IN_ORDER = [(b"2", 200_000), (b"1", 100_000), (b"1", 100_001), (b"2", 200_001)]


@pytest.mark.parametrize("kind", ["tars", "directories"])
def test_alerts_go_out_in_order_of_time_under_their_objects_key(
    kind: str, request: pytest.FixtureRequest, kafka: str, topic: str
) -> None:
    place = request.getfixturevalue(kind)
    assert send(kafka, topic, str(place), "--do").startswith("sent 4 alerts")
    assert keys_and_ids(kafka, topic) == IN_ORDER


def test_a_directory_of_alerts_needs_no_day_in_its_name(directories: Path, kafka: str, topic: str) -> None:
    (directories / "60000").rename(directories.parent / "some")
    send(kafka, topic, str(directories.parent / "some"), "--do")
    assert keys_and_ids(kafka, topic) == IN_ORDER[:2]


def test_days_can_be_chosen(tars: Path, kafka: str, topic: str) -> None:
    send(kafka, topic, str(tars), "--start-day", "60000.3", "-d", "60001", "--do")
    assert keys_and_ids(kafka, topic) == IN_ORDER[1:3]


def test_messages_say_what_they_are(tars: Path, kafka: str, topic: str) -> None:
    send(kafka, topic, str(tars), "--do")
    headers = dict(next(iter(KafkaLog(kafka).read(topic))).headers() or [])
    assert headers["schema"] == b"elasticc.v0_9_1.alert"
    assert headers["sent"]


def test_without_do_nothing_is_sent(tars: Path, kafka: str, topic: str) -> None:
    assert send(kafka, topic, str(tars)).startswith("nothing was sent (--do sends): 4 alerts")
    assert keys_and_ids(kafka, topic) == []


def test_a_rate_is_a_number_above_zero(tars: Path, kafka: str, topic: str) -> None:
    with pytest.raises(CommandError, match="--rate must be greater than 0"):
        send(kafka, topic, str(tars), "--rate", "0", "--do")


def test_a_file_that_is_no_alert_is_named(tmp_path: Path) -> None:
    (tmp_path / "7.avro").write_bytes(b"\x02")
    with pytest.raises(NotAnAlert, match=r"7\.avro: does not begin as elasticc\.v0_9_1\.alert"):
        alerts_of([tmp_path], **EVER)


def test_a_broken_tar_is_named(tmp_path: Path) -> None:
    (tmp_path / "60000.tar").write_bytes(b"no tar" * 200)
    with pytest.raises(NotAnAlert, match=r"60000\.tar"):
        alerts_of([tmp_path / "60000.tar"], **EVER)


def test_a_path_that_holds_no_alerts_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="neither tars nor directories"):
        days_of([tmp_path], **EVER)
    with pytest.raises(FileNotFoundError, match="not there"):
        days_of([tmp_path / "nowhere"], **EVER)


def test_days_come_in_order_and_the_unnamed_first(tmp_path: Path) -> None:
    for name in ("60002", "60000", "60001"):
        (tmp_path / name).mkdir()
    (tmp_path / "unnamed").mkdir()
    (tmp_path / "unnamed" / "1.avro").touch()
    found = days_of([tmp_path, tmp_path / "unnamed"], **EVER)
    assert list(found) == [-math.inf, 60_000, 60_001, 60_002]

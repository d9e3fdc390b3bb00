"""The poller: whatever happens to topics, to the database and to other pollers, each message counts once."""

import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from django.db import connection

from tests.conftest import in_server
from tests.crashes.proxy import Proxy
from tests.kafkalog import KafkaLog, topic_name
from tests.tom_desc.streams.pollers import (
    SECONDS,
    TOO_LONG,
    UNHEARD_OF,
    beside,
    heard,
    poll_through,
    poll_until,
    poller,
    polling,
    rows,
    said,
    texts,
    value,
)
from tom_desc.streams import membership, subscription
from tom_desc.streams.batches import Batch
from tom_desc.streams.consume import Counts, Poller

pytestmark = pytest.mark.usefixtures("database")

STOOD = "SELECT topic, partition, next_offset FROM streams_position ORDER BY updated, topic, partition"
LEDGER = "SELECT sum(seen), sum(stored), sum(duplicate), sum(dead) FROM streams_ledger"
GAPS = "SELECT partition, first_offset, end_offset, reason FROM streams_gap ORDER BY id"
EPOCHS = "SELECT max(epoch) FROM streams_position"

Make = Callable[..., Poller]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Topics are looked at ten times as often."""
    monkeypatch.setattr(membership, "LOOK_SECONDS", 0.5)
    monkeypatch.setitem(subscription.SETTINGS, "topic.metadata.refresh.interval.ms", 500)


@pytest.fixture
def listen(kafka: str, group: str) -> Iterator[Make]:
    """Makes pollers of one group, which leave it in the end."""
    made: list[Poller] = []

    def make(*topics: str, group: str = group, **how: Any) -> Poller:
        made.append(poller(kafka, group, *topics, **how))
        return made[-1]

    yield make
    for one in made:
        one.leave()


def test_every_message_is_stored_once_and_the_next_poller_goes_on(
    log: KafkaLog, topic: str, listen: Make
) -> None:
    log.put(topic, said(1200))
    first = listen(topic)
    assert poll_through(first, 1200) == Counts(1200, 1200)
    first.leave()
    log.put(topic, said(3, what="more"))
    assert poll_through(listen(topic), 3) == Counts(3, 3)
    assert rows(STOOD) == [(topic, 0, 1203)]
    assert rows(LEDGER) == [(1203, 1203, 0, 0)]


def test_messages_are_stored_with_where_and_when_they_came(log: KafkaLog, topic: str, listen: Make) -> None:
    log.put(topic, [b"ok", None])
    log.put(topic, [b"ok again"], timestamp=1_700_000_000_123)
    poll_through(listen(topic), 3)
    assert rows('SELECT value, topic, partition, "offset" FROM heard ORDER BY 4') == [
        ("ok", topic, 0, 0),
        ("ok again", topic, 0, 2),
    ]
    assert value("SELECT kafka_ms FROM heard WHERE value = 'ok again'") == 1_700_000_000_123
    assert value("SELECT message_time::text FROM streams_position") == "2023-11-14 22:13:20.123+00"


def test_another_group_reads_all_again_and_finds_only_duplicates(
    log: KafkaLog, topic: str, listen: Make
) -> None:
    log.put(topic, said(50))
    poll_through(listen(topic), 50)
    assert poll_through(listen(topic, group=topic_name("group")), 50) == Counts(50, 0, 50)
    assert heard() == 50
    assert rows(LEDGER) == [(100, 50, 50, 0)]


def test_the_same_message_again_is_a_duplicate_wherever_it_comes(
    log: KafkaLog, topic: str, listen: Make
) -> None:
    log.add_partitions(topic, to=3)
    log.put(topic, said(40) + said(40)[::-1])
    assert poll_through(listen(topic), 80) == Counts(80, 40, 40)


def test_what_is_not_valid_is_kept_and_the_batch_goes_on(log: KafkaLog, topic: str, listen: Make) -> None:
    log.put(topic, [*said(10), b"\xff\x00", None, b"", *said(5, what="after")])
    assert poll_through(listen(topic), 18) == Counts(18, 15, 0, 3)
    assert rows(
        "SELECT source, topic, \"offset\", encode(value, 'hex') FROM streams_deadletter ORDER BY 3"
    ) == [
        ("test", topic, 10, "ff00"),
        ("test", topic, 11, None),
        ("test", topic, 12, ""),
    ]
    assert rows(LEDGER) == [(18, 15, 0, 3)]


def test_a_letter_that_comes_again_is_one_letter(log: KafkaLog, topic: str, listen: Make) -> None:
    log.put(topic, [b"no", *said(3)])
    for one in (listen(topic), listen(topic, group=topic_name("group"))):
        assert poll_through(one, 4).dead == 1
        one.leave()
    assert value("SELECT count(*) FROM streams_deadletter") == 1


def test_what_the_database_refuses_is_found_and_kept_with_its_words(
    log: KafkaLog, topic: str, listen: Make
) -> None:
    log.put(topic, [*said(300), UNHEARD_OF, *said(200, what="between"), TOO_LONG, b"no"])
    assert poll_through(listen(topic), 503) == Counts(503, 500, 0, 3)
    assert rows('SELECT "offset", reason FROM streams_deadletter ORDER BY 1') == [
        (
            300,
            'the database refused it: new row for relation "heard" violates check constraint'
            ' "heard_value_check"',
        ),
        (501, "the database refused it: value too long for type character varying(200)"),
        (502, "b'no' does not begin with ok"),
    ]
    assert rows(LEDGER) == [(503, 500, 0, 3)]


def test_senseless_times_do_not_stop_anybody(log: KafkaLog, topic: str, listen: Make) -> None:
    log.set(topic, message_timestamp_after_max_ms=str(2**63 - 1))
    log.put(topic, [b"no"], timestamp=2**62)
    log.put(topic, [b"no"], timestamp=5)
    poll_through(listen(topic), 2)
    assert rows('SELECT message_time::text FROM streams_deadletter ORDER BY "offset"') == [
        ("9999-12-31 23:59:59+00",),
        ("1970-01-01 00:00:00.005+00",),
    ]
    assert value("SELECT message_time FROM streams_position") is None


@pytest.mark.parametrize("how", ["name", "pattern"])
def test_a_topic_that_comes_later_is_read(log: KafkaLog, listen: Make, how: str) -> None:
    name = topic_name("late")
    one = listen(name if how == "name" else rf"^{name[:-3]}.*[0-9a-f]$")
    for _ in range(3):
        assert one.poll_once() == Counts()
    log.make(name)
    log.put(name, said(5))
    made = time.monotonic()
    assert poll_through(one, 5) == Counts(5, 5)
    # The promise is 10 s; this is only not to wait for ever.
    assert time.monotonic() - made < SECONDS
    log.delete(name)


@pytest.mark.full
def test_a_second_topic_of_a_pattern_is_read_beside_the_first(log: KafkaLog, listen: Make) -> None:
    prefix = topic_name("pattern")
    one = listen(f"^{prefix}-\\d+$")
    log.put(log.make(f"{prefix}-1"), said(5, what="first"))
    poll_through(one, 5)
    log.put(log.make(f"{prefix}-22"), said(5, what="second"))
    log.put(f"{prefix}-1", said(5, what="first again"))
    assert poll_through(one, 10) == Counts(10, 10)
    log.delete(f"{prefix}-1")
    log.delete(f"{prefix}-22")


def test_a_new_partition_is_read_from_its_first_message(log: KafkaLog, topic: str, listen: Make) -> None:
    log.put(topic, said(5))
    one = listen(topic)
    poll_through(one, 5)
    log.add_partitions(topic, to=2)
    log.put(topic, said(7, what="added"), partition=1)
    assert poll_through(one, 7) == Counts(7, 7)


def remake(log: KafkaLog, topic: str, messages: int) -> None:
    """Delete the topic and make it anew, with other messages."""
    log.delete(topic)
    log.make(topic)
    log.put(topic, said(messages, what="anew"))


@pytest.mark.parametrize("anew", [3, 10, 40], ids=["shorter", "as long", "longer"])
@pytest.mark.parametrize("meanwhile", ["reading", pytest.param("down", marks=pytest.mark.full)])
def test_a_topic_that_is_made_anew_is_another_topic(
    log: KafkaLog, topic: str, listen: Make, anew: int, meanwhile: str
) -> None:
    log.put(topic, said(10))
    one = listen(topic)
    poll_through(one, 10)
    if meanwhile == "down":
        one.leave()
    remake(log, topic, anew)
    poll_until(listen(topic) if meanwhile == "down" else one, lambda: heard() == 10 + anew)
    assert rows(STOOD) == [(topic, 0, 10), (topic, 0, anew)]
    assert rows(LEDGER) == [(10 + anew, 10 + anew, 0, 0)]
    ((partition, first, end, reason),) = rows(GAPS)
    assert (partition, first, end) == (0, 10, None)
    assert reason.startswith("the topic was deleted and made anew; all that was there had been read when")


def test_what_was_not_read_of_a_deleted_topic_is_a_gap(log: KafkaLog, topic: str, listen: Make) -> None:
    log.put(topic, said(10))
    one = listen(topic)
    poll_through(one, 10)
    one.leave()
    log.put(topic, said(5, what="never read"))
    rows("UPDATE streams_position SET end_offset = 15")
    remake(log, topic, 20)
    poll_through(listen(topic), 20)
    assert "at least the offsets up to 14 were not read when last looked at" in rows(GAPS)[0][3]


class Disturbed:
    """The campaign, disturbed when it first gets a batch."""

    def __init__(self, disturb: Callable[[], object]) -> None:
        self.disturb: Callable[[], object] | None = disturb

    def __call__(self, batch: Batch) -> Any:
        if self.disturb:
            disturb, self.disturb = self.disturb, None
            disturb()
        return texts(batch)


def test_what_was_fetched_of_a_topic_that_is_made_anew_before_it_is_stored_is_dropped(
    log: KafkaLog, topic: str, listen: Make
) -> None:
    log.put(topic, said(10))

    def remake_and_fail() -> None:
        remake(log, topic, 20)
        rows("SELECT pg_terminate_backend(pg_backend_pid())")

    one = listen(topic, decode=Disturbed(remake_and_fail))
    assert poll_through(one, 20) == Counts(20, 20)
    assert value("SELECT count(*) FROM heard WHERE value LIKE 'ok: anew%%'") == 20
    assert rows(STOOD) == [(topic, 0, 0), (topic, 0, 20)]


def test_messages_that_were_gone_are_a_gap_and_the_rest_is_read(
    log: KafkaLog, topic: str, listen: Make, caplog: pytest.LogCaptureFixture
) -> None:
    log.put(topic, said(10))
    one = listen(topic)
    poll_through(one, 10)
    one.leave()
    log.put(topic, said(20, what="later"))
    log.admin.delete_records([TopicPartition(topic, 0, 25)])[TopicPartition(topic, 0, 25)].result()
    assert poll_through(listen(topic), 5) == Counts(5, 5)
    assert [gap[:3] for gap in rows(GAPS)] == [(0, 10, 25)]
    assert f"{topic} [0]: offsets 10 to 24 were gone before they were read" in caplog.text


def test_a_partition_that_ends_before_its_position_is_not_read_and_others_are(
    log: KafkaLog, topic: str, listen: Make, caplog: pytest.LogCaptureFixture
) -> None:
    log.add_partitions(topic, to=2)
    log.put(topic, said(5), partition=0)
    one = listen(topic)
    poll_through(one, 5)
    one.leave()
    rows("UPDATE streams_position SET next_offset = 1000 WHERE partition = 0")
    log.put(topic, said(5, what="unread"), partition=0)
    log.put(topic, said(7, what="other"), partition=1)
    two = listen(topic)
    assert poll_through(two, 7) == Counts(7, 7)
    two.poll_once()
    assert heard() == 12
    assert [gap[:3] for gap in rows(GAPS)] == [(0, 10, 1000)]
    assert "[0] ends at 10, before the position 1000, and is the same topic" in caplog.text


def commit_in_kafka(kafka: str, group: str, topic: str, offset: int) -> None:
    """As a consumer does that keeps its place there."""
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": group})
    consumer.commit(offsets=[TopicPartition(topic, 0, offset)], asynchronous=False)
    consumer.close()


def test_who_read_before_us_stood_where_kafka_says(
    log: KafkaLog, kafka: str, topic: str, group: str, listen: Make
) -> None:
    log.put(topic, said(10))
    commit_in_kafka(kafka, group, topic, 6)
    assert poll_through(listen(topic), 4) == Counts(4, 4)
    assert rows(GAPS) == []


def test_kafkas_word_counts_for_nothing_where_it_may_be_of_an_earlier_life(
    log: KafkaLog, kafka: str, topic: str, group: str, listen: Make
) -> None:
    log.put(topic, said(10))
    one = listen(topic)
    poll_through(one, 10)
    one.leave()
    log.delete(topic)
    log.make(topic)
    log.put(topic, said(8, what="anew"))
    commit_in_kafka(kafka, group, topic, 6)
    assert poll_through(listen(topic), 8) == Counts(8, 8)


def test_nor_where_it_is_beyond_the_end(
    log: KafkaLog, kafka: str, topic: str, group: str, listen: Make
) -> None:
    log.put(topic, said(10))
    commit_in_kafka(kafka, group, topic, 11)
    assert poll_through(listen(topic), 10) == Counts(10, 10)


def test_rewinding_reads_all_again_once(log: KafkaLog, topic: str, listen: Make) -> None:
    log.put(topic, said(10))
    one = listen(topic)
    poll_through(one, 10)
    one.leave()
    two = listen(topic, rewind=True)
    assert poll_through(two, 10) == Counts(10, 0, 10)
    two.leave()
    log.put(topic, said(1, what="new"))
    assert poll_through(two, 1) == Counts(1, 1)


def transactional(kafka: str) -> Producer:
    producer = Producer({"bootstrap.servers": kafka, "transactional.id": topic_name("writer")})
    producer.init_transactions()
    return producer


def test_ends_of_transactions_are_passed_and_nothing_seems_to_wait(
    kafka: str, topic: str, listen: Make
) -> None:
    producer = transactional(kafka)
    for ending in (producer.commit_transaction, producer.abort_transaction):
        producer.begin_transaction()
        for message in said(5, what=ending.__name__):
            producer.produce(topic, message)
        producer.flush()
        ending()
    one = listen(topic)
    assert poll_through(one, 5) == Counts(5, 5)
    poll_until(one, lambda: rows("SELECT next_offset, end_offset FROM streams_position") == [(12, 12)])
    assert rows(LEDGER) == [(5, 5, 0, 0)]


def test_who_has_nothing_to_do_looks_after_his_partitions(log: KafkaLog, topic: str, listen: Make) -> None:
    log.put(topic, said(3))
    one = listen(topic)
    poll_through(one, 3)
    rows("UPDATE streams_position SET updated = '2000-01-01', end_offset = 0")
    poll_until(
        one, lambda: rows("SELECT end_offset, updated > '2001-01-01' FROM streams_position") == [(3, True)]
    )


def test_who_is_fenced_stores_nothing_and_joins_anew(log: KafkaLog, topic: str, listen: Make) -> None:
    log.put(topic, said(10))
    somebody_claims = partial(rows, "UPDATE streams_position SET epoch = epoch + 1")
    one = listen(topic, decode=Disturbed(somebody_claims))
    assert poll_through(one, 10) == Counts(10, 10)
    assert value(EPOCHS) == 3


def test_two_pollers_share_a_topic_and_one_goes_on_alone(log: KafkaLog, topic: str, listen: Make) -> None:
    log.add_partitions(topic, to=4)
    one, two = listen(topic), listen(topic)
    with polling(one):
        with polling(two):
            for turn in range(5):
                log.put(topic, said(500, what=f"turn {turn}"))
            poll_for(lambda: heard() == 2500)
            owners = value("SELECT count(DISTINCT epoch) FROM streams_position")
        log.put(topic, said(500, what="alone"))
        poll_for(lambda: heard() == 3000)
    assert owners >= 1
    assert rows(LEDGER) == [(3000, 3000, 0, 0)]
    assert rows("SELECT sum(next_offset) FROM streams_position") == [(3000,)]


def poll_for(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not done():
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.05)


# The database


def end_other_sessions(database: str) -> None:
    in_server(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        f" WHERE datname = '{database}' AND pid <> pg_backend_pid()"
    )


def test_a_database_that_is_away_is_waited_for_in_the_group(
    database: str, log: KafkaLog, topic: str, listen: Make, caplog: pytest.LogCaptureFixture
) -> None:
    log.put(topic, said(10))
    one = listen(topic)
    poll_through(one, 10)
    in_server(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS false')
    end_other_sessions(database)
    log.put(topic, said(20, what="meanwhile"))
    for _ in range(4):
        assert one.poll_once() == Counts()
    log.put(topic, said(5, what="later"))
    in_server(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS true')
    assert poll_through(one, 25) == Counts(25, 25)
    assert value(EPOCHS) == 1
    assert "test: waiting for the database: " in caplog.text


@pytest.mark.full
def test_partitions_that_the_group_takes_while_the_database_is_away_are_left_to_others(
    database: str, log: KafkaLog, topic: str, listen: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(membership, "LOOK_SECONDS", SECONDS)
    log.add_partitions(topic, to=2)
    one, two = listen(topic), listen(topic)
    poll_until(one, lambda: one.member is not None and len(one.member.held) == 2)
    in_server(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS false')
    end_other_sessions(database)
    for partition in (0, 1):
        log.put(topic, said(10, what=str(partition)), partition=partition)
    while not one.waiting:
        one.poll_once()
    with polling(two):
        deadline = time.monotonic() + SECONDS
        while one.waiting and time.monotonic() < deadline:
            one.poll_once()
        assert not one.waiting
        in_server(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS true')
        poll_until(one, lambda: heard() == 20)
    assert rows(LEDGER) == [(20, 20, 0, 0)]


AT_COMMIT = """
CREATE SEQUENCE commits;
CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN IF nextval('commits') = 1 THEN PERFORM {act}; END IF; RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON streams_ledger DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION at_commit()"""
COMMITTING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND state = 'active' AND query = 'COMMIT'"""


def test_a_batch_whose_commit_failed_is_stored_once(
    log: KafkaLog, topic: str, listen: Make, caplog: pytest.LogCaptureFixture
) -> None:
    rows(AT_COMMIT.format(act="pg_terminate_backend(pg_backend_pid())"))
    log.put(topic, [*said(10), b"no"])
    assert poll_through(listen(topic), 11) == Counts(11, 10, 0, 1)
    assert rows(LEDGER) == [(11, 10, 0, 1)]
    assert value(EPOCHS) == 1
    assert "a COMMIT that nobody confirmed: not stored" in caplog.text


def test_a_batch_whose_commit_was_done_and_not_confirmed_is_stored_once(
    database: str,
    log: KafkaLog,
    topic: str,
    listen: Make,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    rows(AT_COMMIT.format(act="pg_sleep(0.5)"))
    log.put(topic, [*said(10), b"no"])
    with beside(database) as ask, Proxy(int(os.environ["DB_PORT"])) as proxy:
        monkeypatch.setitem(connection.settings_dict, "PORT", str(proxy.listen))
        with polling(listen(topic)):
            poll_for(lambda: ask(COMMITTING) == [(1,)])
            proxy.hold()
            poll_for(lambda: ask("SELECT count(*) FROM heard") == [(10,)])
            proxy.cut()
            proxy.mend()
            log.put(topic, said(2, what="later"))
            poll_for(lambda: ask("SELECT count(*) FROM heard") == [(12,)])
        assert ask(LEDGER) == [(13, 12, 0, 1)]
        assert ask(EPOCHS) == [(1,)]
    assert "a COMMIT that nobody confirmed: stored" in caplog.text

"""A member of a consumer group, on a real Kafka."""

import time
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Producer

from tests.kafkalog import KafkaLog, topic_name
from tests.tom_desc.streams.pollers import SECONDS, said
from tom_desc.streams.batches import Batch
from tom_desc.streams.subscription import MOST_BYTES, MOST_MESSAGES, Rejoin, Subscription, pattern_of

Subscribe = Callable[..., Subscription]


@pytest.fixture
def subscribe(kafka: str, group: str) -> Iterator[Subscribe]:
    """Joins the group, and reads from the offsets that are given, once the group has given partitions."""
    made: list[Subscription] = []

    def make(*topics: str, start: int = 0) -> Subscription:
        made.append(Subscription({"bootstrap.servers": kafka, "group.id": group}, topics))
        wait(lambda: (made[-1].read() and False) or made[-1].offered)
        made[-1].begin(dict.fromkeys(made[-1].offered, start))
        return made[-1]

    yield make
    for one in made:
        one.close()


def wait(done: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not done():
        assert time.monotonic() < deadline, "it takes too long"


def read_through(subscription: Subscription, messages: int) -> list[Batch]:
    batches: list[Batch] = []
    wait(lambda: batches.append(subscription.read()) or sum(map(len, batches)) >= messages)  # type: ignore[func-returns-value]
    return batches


@pytest.mark.parametrize(
    ("topic", "pattern"), [("said-\\d", "said-\\d"), ("^said-\\d+$", "^said-[0-9]+$"), ("said", "said")]
)
def test_patterns_are_as_librdkafka_has_them(topic: str, pattern: str) -> None:
    assert pattern_of(topic) == pattern


def test_nothing_is_read_before_somebody_says_where_to_begin(
    kafka: str, log: KafkaLog, topic: str, group: str
) -> None:
    log.put(topic, said(10))
    one = Subscription({"bootstrap.servers": kafka, "group.id": group}, [topic])
    wait(lambda: len(one.read()) or one.offered)
    assert len(one.read()) == 0
    one.begin({(topic, 0): 4})
    assert [len(batch) for batch in read_through(one, 6) if batch] == [6]
    one.close()


def test_a_batch_has_no_more_messages_than_it_may(log: KafkaLog, topic: str, subscribe: Subscribe) -> None:
    log.put(topic, said(2 * MOST_MESSAGES + 1))
    batches = read_through(subscribe(topic), 2 * MOST_MESSAGES + 1)
    assert max(map(len, batches)) == MOST_MESSAGES
    offsets = [offset for batch in batches for offset in batch.offsets]
    assert offsets == list(range(2 * MOST_MESSAGES + 1))


def test_nor_many_more_bytes(log: KafkaLog, topic: str, subscribe: Subscribe) -> None:
    log.set(topic, max_message_bytes="12000000")
    huge = 10_000_000
    log.put(topic, [b"x" * 100_000] * 100)
    log.producer.flush()
    one = subscribe(topic)
    read_through(one, 100)
    put_huge(log, topic, [b"y" * huge] * 20)
    sizes = [sum(map(len, filter(None, batch.values))) for batch in read_through(one, 20)]
    # What comes as a surprise may be more than the limit, once.
    assert sorted(sizes)[-2] <= MOST_BYTES + huge
    assert sum(sizes) == 20 * huge


def put_huge(log: KafkaLog, topic: str, values: list[bytes]) -> None:
    producer = Producer({"bootstrap.servers": log.server, "message.max.bytes": 12_000_000})
    for content in values:
        producer.produce(topic, content)
        producer.flush()


def test_the_end_of_a_partition_is_told(log: KafkaLog, topic: str, subscribe: Subscribe) -> None:
    log.put(topic, said(10))
    one = subscribe(topic)
    batches = read_through(one, 10)
    wait(lambda: any(batch.reached for batch in batches) or batches.append(one.read()))  # type: ignore[func-returns-value]
    assert [batch.reached for batch in batches if batch.reached] == [{(topic, 0): 10}]
    assert one.known_end((topic, 0)) == 10


def test_an_offset_that_is_not_there_is_a_reason_to_join_anew(
    log: KafkaLog, topic: str, subscribe: Subscribe
) -> None:
    one = subscribe(topic, start=100)
    with pytest.raises(Rejoin, match=rf"{topic} \[0\]: .*Offset out of range"):
        wait(lambda: one.read() and False)


def test_a_topic_that_is_not_there_is_said_once(
    kafka: str, group: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    name = topic_name("nowhere")
    one = Subscription({"bootstrap.servers": kafka, "group.id": group}, [name])
    wait(lambda: one.read() or name in caplog.text)
    for _ in range(5):
        assert not one.read()
    one.close()
    assert caplog.text.count(f"Subscribed topic not available: {name}") == 1


def test_whoever_is_held_reads_nothing_and_then_goes_on_where_he_was(
    log: KafkaLog, topic: str, subscribe: Subscribe
) -> None:
    log.put(topic, said(20_000))
    one = subscribe(topic)
    offsets: list[int] = []
    while len(offsets) < 20_000:
        offsets += one.read().offsets.tolist()
        one.hold(0.1)
        assert len(one.read()) == 0
        one.release()
    assert offsets == list(range(20_000))


@pytest.mark.full
def test_whoever_is_held_still_hears_the_group(
    kafka: str, log: KafkaLog, topic: str, group: str, subscribe: Subscribe
) -> None:
    log.add_partitions(topic, to=2)
    one = subscribe(topic)
    before = one.generation
    other = Subscription({"bootstrap.servers": kafka, "group.id": group}, [topic])
    wait(lambda: one.hold(0.1) or other.read() or (len(one.offered), len(other.offered)) == (1, 1))  # type: ignore[func-returns-value]
    assert one.generation > before
    other.close()


@pytest.mark.full
def test_a_partition_that_was_taken_while_held_is_read_when_it_is_given_back(
    kafka: str, log: KafkaLog, topic: str, group: str, subscribe: Subscribe
) -> None:
    one = subscribe(topic)
    one.hold(0.1)
    other = Subscription({"bootstrap.servers": kafka, "group.id": group}, [topic])
    wait(lambda: one.read() or other.read() or one.generation == 3)
    other.close()
    wait(lambda: one.read() or one.generation == 5)
    one.begin({(topic, 0): 0})
    log.put(topic, said(5))
    assert sum(map(len, read_through(one, 5))) == 5

"""A broker that goes on saying all sorts of things on several topics, and what was said on them at last."""

import random
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from confluent_kafka import KafkaError, Message, TopicCollection

from tests.crashes.sayings import Value, huge, saying
from tests.kafkalog import SECONDS, KafkaLog, topic_name

POOL = 2000
# So few times that the same message often comes again, at the same time or at another.
KAFKA_TIMES = 40
FIRST_MS = 1_720_000_000_000
AT_ONCE, PAUSE_SECONDS = 40, 0.02
LARGEST_BYTES = 12_000_000


@dataclass(frozen=True)
class Life:
    """A topic from its making to its deletion, and all that was on it."""

    topic: str
    topic_id: str
    messages: list[Message] = field(repr=False)
    is_over: bool


class Topics:
    """Topics of one broker, by what they are called here; their names begin alike."""

    def __init__(self, log: KafkaLog) -> None:
        self.log = log
        self.prefix = topic_name("chatter")
        self.past: list[Life] = []
        self.present: set[str] = set()

    def name(self, topic: str) -> str:
        return f"{self.prefix}-{topic}"

    def make(self, topic: str, *, partitions: int = 1) -> None:
        # The times of messages are long ago.
        settings = {"retention_ms": "-1", "max_message_bytes": str(LARGEST_BYTES)}
        self.log.make(self.name(topic), partitions=partitions, **settings)
        self.present.add(topic)

    def add_partitions(self, topic: str, *, to: int) -> None:
        self.log.add_partitions(self.name(topic), to=to)

    def life(self, topic: str, *, is_over: bool = False) -> Life:
        """The topic as it is now."""
        name = self.name(topic)
        return Life(name, self.topic_id(topic), self.log.read(name), is_over)

    def topic_id(self, topic: str) -> str:
        name = self.name(topic)
        found = self.log.admin.describe_topics(TopicCollection([name]))[name]
        return str(found.result(SECONDS).topic_id)

    def end(self, topic: str) -> None:
        """Delete a topic on which nobody says anything any more."""
        self.past.append(self.life(topic, is_over=True))
        self.log.delete(self.name(topic))
        self.present.remove(topic)

    def lives(self) -> list[Life]:
        """All topics that there are, and that there were."""
        return self.past + [self.life(topic) for topic in sorted(self.present)]

    def clean(self) -> None:
        for topic in self.present:
            self.log.delete(self.name(topic))


class Chatter:
    """Says things on the topics it was told of, however often Kafka is away meanwhile."""

    def __init__(self, topics: Topics, dice: random.Random) -> None:
        self.topics = topics
        # Two threads draw: what each draws depends on its own dice alone.
        self.dice = random.Random(dice.random())
        self.pool = [saying(dice) for _ in range(POOL)]
        self.producer = topics.log.new_producer(message_timeout_ms="600000")
        self.names: list[str] = []
        self.said = 0
        self.counting = threading.Lock()
        self.talking = threading.Lock()
        self.failed: list[KafkaError] = []

    def again_and_again(self, stop: threading.Event) -> None:
        """Until stopped; then all was heard by Kafka."""
        while not stop.is_set():
            with self.talking:
                for name in self.names or ():
                    self.say(name, AT_ONCE // len(self.names) + 1)
            time.sleep(PAUSE_SECONDS)
        self.flush()

    def start(self, topic: str) -> None:
        self.names = [*self.names, self.topics.name(topic)]

    def stop(self, topic: str) -> None:
        """All that was said there so far was heard by Kafka when this returns."""
        with self.talking:
            self.names = [name for name in self.names if name != self.topics.name(topic)]
        self.flush()

    def flush(self) -> None:
        assert self.producer.flush(2 * SECONDS) == 0
        assert not self.failed, self.failed

    def say(self, name: str, count: int) -> None:
        for _ in range(count):
            self.put(name, self.dice.choice(self.pool))
        self.producer.poll(0)

    def say_huge(self, topic: str) -> None:
        """A valid message of 10 MB, and one that ends too early."""
        value = huge(self.dice)
        self.put(self.topics.name(topic), value)
        self.put(self.topics.name(topic), value[:-3])

    def put(self, name: str, value: Value) -> None:
        moment = FIRST_MS + 997 * self.dice.randrange(KAFKA_TIMES)
        while True:
            try:
                self.producer.produce(name, value, on_delivery=self.delivered, timestamp=moment)
            except BufferError:
                self.producer.poll(0.1)
            else:
                self.add(1)
                return

    def add(self, messages: int) -> None:
        """Count what was said; somebody else may have said it."""
        with self.counting:
            self.said += messages

    def delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self.failed.append(error)


def count(lives: list[Life]) -> int:
    """How many messages were on the topics."""
    return sum(len(life.messages) for life in lives)


def partitions(lives: list[Life]) -> Iterator[tuple[Life, int, list[Message]]]:
    """The messages of each partition that has some, in order."""
    for life in lives:
        parted: dict[int, list[Message]] = defaultdict(list)
        for message in life.messages:
            parted[message.partition() or 0].append(message)
        for number, messages in parted.items():
            yield life, number, messages

"""A member of a consumer group: reads batches from the offsets at which it was told to begin.

Kafka's own notion of where the group stands is not used. Partitions that the group gives us are *offered*:
nothing is read before :meth:`Subscription.begin` says where.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from tom_desc.streams.batches import EMPTY, Batch, batch_of
from tom_desc.streams.positions import Place
from tom_desc.streams.topics import CLIENT_SETTINGS, REQUEST_SECONDS

log = logging.getLogger(__name__)

MOST_MESSAGES = 5_000
MOST_BYTES = 32 * 2**20
SECONDS = 0.5
# Messages of a call, and how long it may take: fast, and no more than some 100 MB where they are huge.
AT_ONCE = 500
CALL_SECONDS = 0.1

SETTINGS: dict[str, Any] = {
    # A killed member's partitions are given to another after so long; librdkafka's own thread beats.
    "session.timeout.ms": 10_000,
    "heartbeat.interval.ms": 2_000,
    # Longer than any transaction lasts; whoever hangs is killed by the supervisor before.
    "max.poll.interval.ms": 600_000,
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "error",
    "isolation.level": "read_committed",
    # Tells how far was read where the last offsets are no messages but ends of transactions.
    "enable.partition.eof": True,
    "topic.metadata.refresh.interval.ms": 5_000,
    "queued.max.messages.kbytes": 65_536,
}


class Rejoin(Exception):
    """What was read, or is to be read, is not what was claimed: leave the group, and claim anew."""


class Subscription:
    """One consumer; ``generation`` changes whenever the group gives or takes partitions.

    Parameters
    ----------
    settings
        librdkafka's: server, group and security.
    topics
        Names, and patterns that begin with ``^``; there need not be such topics yet.
    """

    def __init__(self, settings: Mapping[str, Any], topics: Sequence[str]) -> None:
        self.generation = 0
        self.offered: list[Place] = []
        self.largest = MOST_BYTES
        self.held = False
        self.said: set[str] = set()
        self.consumer = Consumer({**SETTINGS, **CLIENT_SETTINGS, **settings})
        self.consumer.subscribe(
            [pattern_of(topic) for topic in topics],
            on_assign=self.on_assign,
            on_revoke=self.on_revoke,
            on_lost=self.on_revoke,
        )

    def on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self.generation += 1
        self.offered = sorted((partition.topic, partition.partition) for partition in partitions)
        # Not yet: what the call that we are in returns was read before.
        consumer.assign([])

    def on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self.generation += 1
        self.offered = []
        if self.held:
            # A partition that is taken while it is held would still be held when it is given back.
            consumer.resume(partitions)
            self.held = False
        consumer.unassign()

    def begin(self, next_offsets: Mapping[Place, int]) -> None:
        """Read from these offsets on; what is offered and not named is not read."""
        self.consumer.assign([TopicPartition(*place, offset) for place, offset in next_offsets.items()])

    def committed(self, places: Sequence[Place]) -> dict[Place, int]:
        """Where Kafka has the group, in the partitions where it has it anywhere."""
        if not places:
            return {}
        asked = [TopicPartition(*place) for place in places]
        found = self.consumer.committed(asked, timeout=REQUEST_SECONDS)
        return {(at.topic, at.partition): at.offset for at in found if at.offset >= 0}

    def known_end(self, place: Place) -> int:
        """Where the partition ended when it was last read from; negative where that is not known."""
        bounds = self.consumer.get_watermark_offsets(TopicPartition(*place), cached=True)
        return bounds[1] if bounds else -1

    def read(self) -> Batch:
        """The messages that there are, as many as a batch has; waits a moment for some.

        Nothing where the group gave or took partitions meanwhile: others may read by now what was read.

        Raises
        ------
        Rejoin
            Where the next offset is not there.
        """
        generation, until = self.generation, time.monotonic() + SECONDS
        messages: list[Message] = []
        reached: dict[Place, int] = {}
        size = 0
        while len(messages) < MOST_MESSAGES and size < MOST_BYTES and (left := until - time.monotonic()) > 0:
            many = min(MOST_MESSAGES - len(messages), self.next_many(size))
            events = self.consumer.consume(many, timeout=min(left, CALL_SECONDS))
            if self.generation != generation:
                return EMPTY
            came = [event for event in events if event.error() is None]
            if len(came) < len(events):
                self.note(events, reached)
            size += self.measure(came)
            messages += came
        return batch_of(messages, reached)

    def next_many(self, size: int) -> int:
        """How many messages to ask for, should they be as large as the largest lately."""
        return max(1, min(AT_ONCE, (MOST_BYTES - size) // self.largest))

    def measure(self, messages: Sequence[Message]) -> int:
        """The bytes of the messages' values; remembers the largest."""
        if not messages:
            return 0
        sizes = [len(message.value() or b"") for message in messages]
        self.largest = max(1, *sizes)
        return sum(sizes)

    def note(self, events: Sequence[Message], reached: dict[Place, int]) -> None:
        """Take account of what is no message."""
        for event in events:
            error = event.error()
            if error is None:
                continue
            if error.code() == KafkaError._PARTITION_EOF:
                reached[event.topic(), event.partition()] = event.offset()  # type: ignore[index,assignment]
            else:
                self.heed(error, event)

    def heed(self, error: KafkaError, event: Message) -> None:
        """What Kafka complains of: a topic that is not there yet, or an offset that is not there any more."""
        if error.code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
            raise Rejoin(f"{event.topic()} [{event.partition()}]: {error.str()}")
        if error.fatal():
            raise Rejoin(error.str())
        if error.str() not in self.said:
            self.said.add(error.str())
            level = logging.INFO if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART else logging.WARNING
            log.log(level, "Kafka says: %s", error.str())

    def hold(self, seconds: float) -> None:
        """Stay in the group without reading on, for a while or until it gives or takes partitions.

        :meth:`release` ends that.
        """
        if not self.held:
            self.consumer.pause(self.consumer.assignment())
            self.held = True
        generation, until = self.generation, time.monotonic() + seconds
        while self.generation == generation and (left := until - time.monotonic()) > 0:
            event = self.consumer.poll(left)
            if event is None:
                continue
            if (error := event.error()) is None:
                raise Rejoin("a message came while nothing was read")
            if error.code() != KafkaError._PARTITION_EOF:
                self.heed(error, event)

    def release(self) -> None:
        """Read on."""
        if self.held:
            self.consumer.resume(self.consumer.assignment())
            self.held = False

    def close(self) -> None:
        """Leave the group; others need not wait for us."""
        try:
            self.consumer.close()
        except KafkaException as error:
            log.warning("leaving the group: %s", error)


def pattern_of(topic: str) -> str:
    r"""As librdkafka has patterns: POSIX, without ``\d``."""
    return topic.replace(r"\d", "[0-9]") if topic.startswith("^") else topic

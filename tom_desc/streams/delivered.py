"""What a killed producer had delivered: its topics are read from where it began to where they end."""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from tom_desc.streams.topics import Topics

# Without a message for so long the server has gone away.
SILENT_S = 30.0
MESSAGES_AT_ONCE, STEP_S = 1000, 0.1
# Kafka wants a name for who reads; nothing is kept under it.
READER = "tom-delivered"


@dataclass(frozen=True)
class Ends:
    """Where a topic ends: the id it has now, and the next offset of each partition.

    A topic that does not exist yet has no id and no partitions.
    """

    topic_id: str
    offsets: Mapping[int, int]

    @classmethod
    def of_json(cls, kept: Mapping[str, Any]) -> Self:
        return cls(kept["topic_id"], {int(partition): end for partition, end in kept["ends"].items()})

    def as_json(self) -> dict[str, Any]:
        """As it is kept in a JSON column."""
        return {"topic_id": self.topic_id, "ends": {str(part): end for part, end in self.offsets.items()}}


NOWHERE = Ends("", {})


def topic_ends(topics: Topics, names: Iterable[str]) -> dict[str, Ends]:
    """Id and ends of all these topics; asking makes none."""
    names = sorted(set(names))
    partitions = topics.matching(names)
    ids = topics.ids(set(partitions))
    ends = topics.ends([(topic, part) for topic in ids for part in partitions[topic]])
    return {
        topic: Ends(
            ids.get(topic, ""), {part: end for (of_topic, part), end in ends.items() if of_topic == topic}
        )
        for topic in names
    }


def messages_since(
    settings: Mapping[str, Any], topic: str, starts: Mapping[int, int], ends: Mapping[int, int]
) -> Iterator[Message]:
    """The messages of a topic between two offsets of each partition, each partition in order.

    Parameters
    ----------
    settings
        librdkafka's: server and security.
    starts, ends
        First offset, and the one after the last; a partition without a start is read from its beginning.

    Raises
    ------
    KafkaException
        Where the server goes away.
    """
    behind = {partition: end for partition, end in ends.items() if end > starts.get(partition, 0)}
    if not behind:
        return
    consumer = Consumer(
        {
            **settings,
            "group.id": READER,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
        }
    )
    try:
        consumer.assign([TopicPartition(topic, part, starts.get(part, 0)) for part in behind])
        heard = time.monotonic()
        while behind:
            # The call waits for as many as it may bring, however many came.
            events = consumer.consume(MESSAGES_AT_ONCE, timeout=STEP_S)
            if events:
                heard = time.monotonic()
            elif time.monotonic() - heard > SILENT_S:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"nothing comes from {topic}"))
            for event in events:
                offset, partition = event.offset() or 0, event.partition() or 0
                if is_end(event) or offset + 1 >= ends[partition]:
                    behind.pop(partition, None)
                if event.error() is None and offset < ends[partition]:
                    yield event
    finally:
        consumer.close()


def is_end(event: Message) -> bool:
    """Whether this is no message but the end of a partition; any other error is raised."""
    error = event.error()
    if error is not None and error.code() != KafkaError._PARTITION_EOF:
        raise KafkaException(error)
    return error is not None

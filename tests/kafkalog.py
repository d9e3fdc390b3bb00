"""Topics on a real Kafka, as tests make, fill and read them."""

import time
import uuid
from collections.abc import Iterable
from typing import Any

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._listoffsets import OffsetSpec
from confluent_kafka.admin._resource import ResourceType
from confluent_kafka.cimpl import NewPartitions, NewTopic

SECONDS = 180.0
ANY_PARTITION = -1
# Where a test kills the server, that its clients notice is no news.
QUIET = 0
Value = bytes | None


def topic_name(purpose: str) -> str:
    """A name that nobody had before."""
    return f"test-{purpose}-{uuid.uuid4().hex[:10]}"


class KafkaLog:
    """One server, by its address."""

    def __init__(self, server: str) -> None:
        self.server = server
        self.admin = AdminClient({"bootstrap.servers": server, "log_level": QUIET})
        self.producer = self.new_producer()

    def new_producer(self, **settings: str) -> Producer:
        """A producer; settings are librdkafka's, with underscores for dots."""
        return Producer(
            {
                "bootstrap.servers": self.server,
                "log_level": QUIET,
                "enable.idempotence": True,
                "linger.ms": 5,
                "message.max.bytes": 20_000_000,
                **{name.replace("_", "."): value for name, value in settings.items()},
            }
        )

    def make(self, topic: str, *, partitions: int = 1, **config: str) -> str:
        """A topic; settings are Kafka's, with underscores for dots."""
        settings = {name.replace("_", "."): value for name, value in config.items()}
        made = self.admin.create_topics([NewTopic(topic, partitions, 1, config=settings)])
        made[topic].result()
        self.wait_for(topic, partitions)
        return topic

    def wait_for(self, topic: str, partitions: int) -> None:
        """Until the server tells of so many partitions: what it has done it knows a little later."""
        while len(self.partitions(topic)) != partitions:
            time.sleep(0.05)

    def add_partitions(self, topic: str, *, to: int) -> None:
        self.admin.create_partitions([NewPartitions(topic, to)])[topic].result()
        self.wait_for(topic, to)
        # The old one would learn of them only now and then.
        self.producer = self.new_producer()

    def set(self, topic: str, **config: str) -> None:
        """Change settings of a topic."""
        resource = ConfigResource(ResourceType.TOPIC, topic)
        for name, value in config.items():
            resource.add_incremental_config(
                ConfigEntry(name.replace("_", "."), value, incremental_operation=AlterConfigOpType.SET)
            )
        self.admin.incremental_alter_configs([resource])[resource].result()

    def delete(self, topic: str) -> None:
        self.admin.delete_topics([topic], operation_timeout=SECONDS)[topic].result()

    def put(self, topic: str, values: Iterable[Value], *, partition: int = ANY_PARTITION, **how: Any) -> None:
        """Write and wait until all of it is there; ``how``: key, headers, timestamp (ms since 1970)."""
        failures: list[KafkaError] = []

        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                failures.append(error)

        for value in values:
            self.producer.produce(topic, value, partition=partition, on_delivery=delivered, **how)
            self.producer.poll(0)
        assert self.producer.flush(SECONDS) == 0 and not failures, failures

    def partitions(self, topic: str) -> list[int]:
        """Empty where there is no such topic."""
        found = self.admin.list_topics(timeout=SECONDS).topics.get(topic)
        return sorted(found.partitions) if found and found.error is None else []

    def end(self, topic: str, partition: int = 0) -> int:
        """Offset after all that is in the partition; the end of a transaction has one, too."""
        asked = TopicPartition(topic, partition)
        return int(self.admin.list_offsets({asked: OffsetSpec.latest()})[asked].result(SECONDS).offset)

    def read(self, topic: str, *, committed: bool = True) -> list[Message]:
        """All messages that the topic has now, partition by partition.

        Parameters
        ----------
        committed
            Leave out those of transactions that were given up or still go on.
        """
        consumer = Consumer(
            {
                "bootstrap.servers": self.server,
                "log_level": QUIET,
                "group.id": f"test-{uuid.uuid4().hex}",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "error",
                "isolation.level": "read_committed" if committed else "read_uncommitted",
                "fetch.wait.max.ms": 50,
            }
        )
        left = set(self.partitions(topic))
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in left])
        messages: list[Message] = []
        while left:
            for event in consumer.consume(1000, timeout=0.1):
                error = event.error()
                if error is None:
                    messages.append(event)
                elif error.code() == KafkaError._PARTITION_EOF:
                    left.discard(event.partition())
                else:
                    raise KafkaException(error)
        consumer.close()
        return sorted(messages, key=lambda message: (message.partition(), message.offset()))

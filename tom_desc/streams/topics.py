"""What Kafka says of its topics: ids, partitions, first and last offsets.

A topic that was deleted and made anew has another id. Asking for a topic does not make it.
"""

import logging
import re
import time
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from tom_desc.streams.positions import Bounds, Place

# Bounds how long a stop waits while Kafka is away.
REQUEST_SECONDS = 5.0
# How a server that knows no topic ids (Kafka before 2.8) writes that.
NO_ID = "A" * 22
# The partition has just been made, or is moving: soon somebody is its leader.
UNSETTLED = {KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE}
STEP_SECONDS = 0.1
# The topic, or the partition, is not there (any more).
GONE = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION}

# Where Kafka cannot be reached because it will not have us, or nobody knows where it is.
REFUSALS = {KafkaError._AUTHENTICATION, KafkaError._SSL, KafkaError._RESOLVE}

log = logging.getLogger(__name__)


def complain(error: KafkaError) -> None:
    """Say why a server cannot be reached, where waiting will not help."""
    if error.code() in REFUSALS:
        # It goes on with how long that took, and how often it was the same.
        complain_once(error.str().split(" (")[0])


@lru_cache(maxsize=100)
def complain_once(words: str) -> None:
    log.error("Kafka refuses us: %s", words)


# What every client that waits for its server is told. What librdkafka would say of each try to connect, the
# one who waits says now and then.
CLIENT_SETTINGS: dict[str, Any] = {
    "reconnect.backoff.ms": 250,
    "reconnect.backoff.max.ms": 2_000,
    "log_level": 2,
    "error_cb": complain,
}


class Topics:
    """Asks one cluster. Whatever it is asked raises KafkaException where the cluster does not answer.

    Parameters
    ----------
    settings
        librdkafka's: server and security.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.client = AdminClient({**CLIENT_SETTINGS, **settings})

    def cluster_id(self) -> str:
        """The cluster's own name. What is asked first: where it will not have us, that is said."""
        try:
            described = self.client.describe_cluster(request_timeout=REQUEST_SECONDS).result()
        except KafkaException:
            # Lets librdkafka say what it knows.
            self.client.poll(0)
            raise
        return str(described.cluster_id)

    def matching(self, names: Sequence[str]) -> dict[str, list[int]]:
        """Partitions of those topics that there are, by name or by a pattern that begins with ``^``."""
        found = self.client.list_topics(timeout=REQUEST_SECONDS).topics
        return {
            topic: sorted(metadata.partitions)
            for topic, metadata in found.items()
            if any(re.search(name, topic) if name.startswith("^") else name == topic for name in names)
        }

    def ids(self, topics: Collection[str]) -> dict[str, str]:
        """Ids of those topics that there are; '' where the server knows no ids."""
        if not topics:
            return {}
        asked = self.client.describe_topics(TopicCollection(sorted(topics)), request_timeout=REQUEST_SECONDS)
        ids = {topic: str(found.topic_id) for topic, found in there_is(asked).items()}
        return {topic: "" if found == NO_ID else found for topic, found in ids.items()}

    def bounds(self, places: Collection[Place]) -> dict[Place, Bounds]:
        """First offsets, and those after the last committed messages, of those partitions that there are."""
        lows, ends = self.offsets(places, OffsetSpec.earliest()), self.offsets(places, OffsetSpec.latest())
        return {place: Bounds(lows[place], ends[place]) for place in lows if place in ends}

    def ends(self, places: Collection[Place]) -> dict[Place, int]:
        """The offset after the last committed message, of those partitions that there are."""
        return self.offsets(places, OffsetSpec.latest())

    def offsets(self, places: Collection[Place], which: OffsetSpec) -> dict[Place, int]:
        if not places:
            return {}
        until = time.monotonic() + REQUEST_SECONDS
        while True:
            asked = self.client.list_offsets(
                {TopicPartition(*place): which for place in places},
                isolation_level=IsolationLevel.READ_COMMITTED,
                request_timeout=REQUEST_SECONDS,
            )
            try:
                return {(at.topic, at.partition): found.offset for at, found in there_is(asked).items()}
            except KafkaException as error:
                if error.args[0].code() not in UNSETTLED or time.monotonic() > until:
                    raise
            time.sleep(STEP_SECONDS)


def there_is(asked: Mapping[Any, Any]) -> dict[Any, Any]:
    """The answers, but of what is gone."""
    found = {}
    for what, answer in asked.items():
        try:
            found[what] = answer.result()
        except KafkaException as error:
            if error.args[0].code() not in GONE:
                raise
    return found

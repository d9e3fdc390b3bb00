"""A poller's place in a consumer group: joining, claiming what the group gives, looking after it, leaving."""

import logging
import math
import os
import socket
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from django.db import connection, transaction

from tom_desc.streams import positions
from tom_desc.streams.batches import EMPTY, Batch
from tom_desc.streams.brokers import Broker
from tom_desc.streams.claims import Claimed, Held, claim
from tom_desc.streams.positions import Partition, Place, Reader
from tom_desc.streams.subscription import Rejoin, Subscription
from tom_desc.streams.topics import Topics

log = logging.getLogger(__name__)

# How often topics are looked at: whether they are the same, and where they end.
LOOK_SECONDS = 5.0
# After so long without a sign of anybody a partition is untended; and the group has until the next look to
# change that.
UNTENDED_SECONDS = 15.0
PATIENCE_SECONDS = 4.0
# So long none of the messages that a partition has may come; slow lines take long for those of one request.
STILL_SECONDS = 60.0


class Membership:
    """One member of a broker's consumer group, from joining to leaving.

    Parameters
    ----------
    rewind
        Begin every topic that there is from its first message again.
    """

    def __init__(self, broker: Broker, *, now: Callable[[], datetime], rewind: bool = False) -> None:
        self.broker = broker
        self.now = now
        settings = broker.settings()
        self.topics = Topics(settings)
        owner = f"{socket.gethostname()}:{os.getpid()}"
        self.reader = Reader(broker.name, self.topics.cluster_id(), broker.group, owner)
        self.names = self.wanted()
        if rewind:
            self.rewind()
        # As they were before there was a consumer, which would look for a topic of another id in vain.
        self.ids = {partition.topic: partition.topic_id for partition in self.there()}
        self.subscription = Subscription(settings | {"group.id": broker.group}, self.names)
        self.claimed = Claimed({}, {}, {})
        self.generation = 0
        self.looked = time.monotonic()
        # Since when each is known to be so; of what stands still also where.
        self.untended: dict[Partition, float] = {}
        self.still: dict[tuple[Place, int], float] = {}

    def wanted(self) -> list[str]:
        """What to subscribe to today."""
        return self.broker.topics_on(self.now().astimezone(UTC).date())

    def there(self) -> list[Partition]:
        """The partitions that there are of our topics."""
        matching = self.topics.matching(self.names)
        ids = self.topics.ids(matching)
        return [Partition(topic, ids[topic], n) for topic in ids for n in matching[topic]]

    def rewind(self) -> None:
        """Set positions in all topics that there are to their first messages."""
        there = self.there()
        found = self.topics.bounds([partition.place for partition in there])
        bounds = {partition: found[partition.place] for partition in there if partition.place in found}
        with transaction.atomic(), connection.cursor() as cursor:
            positions.rewind(cursor, self.reader, bounds)
        log.info("%s: %d partitions begin again", self.broker.name, len(bounds))

    @property
    def held(self) -> dict[Place, Held]:
        """The partitions that we read."""
        return self.claimed.held

    @property
    def is_current(self) -> bool:
        """Whether the group has given and taken nothing since the last claim."""
        return self.generation == self.subscription.generation

    def read(self) -> Batch:
        """A batch of what is ours; nothing where there is nothing, or the group gave or took partitions.

        Raises
        ------
        Rejoin
        """
        if not self.is_current:
            self.claim()
        batch = self.subscription.read()
        if not self.is_current:
            return EMPTY
        if not batch.follows({place: held.next_offset for place, held in self.held.items()}):
            raise Rejoin("messages came that do not follow those before")
        return batch

    def claim(self) -> None:
        """Claim what the group has given, and begin to read it.

        Raises
        ------
        Rejoin
            Where a topic was made anew since the consumer knows it: it would wait for the earlier one.
        """
        generation, subscription = self.subscription.generation, self.subscription
        self.claimed = Claimed({}, {}, {})
        self.untended = {}
        if subscription.offered:
            offered = subscription.offered
            self.claimed = claim(self.reader, self.topics, offered, committed=subscription.committed)
            for topic, topic_id in self.claimed.ids.items():
                if self.ids.setdefault(topic, topic_id) != topic_id:
                    raise Rejoin(f"the topic {topic} was made anew")
            subscription.begin({place: held.next_offset for place, held in self.held.items()})
        self.generation = generation

    def check(self, topics: set[str]) -> None:
        """Whether they are the topics that were claimed: what was read of others is not to be stored.

        A topic that is gone stands: what was read of it was there.

        Raises
        ------
        Rejoin
        """
        for topic, topic_id in self.topics.ids(topics).items():
            if self.claimed.ids.get(topic) != topic_id:
                raise Rejoin(f"the topic {topic} was made anew")

    def look_when_due(self) -> None:
        """Every now and then, see that all topics are the same, and say where they end.

        Raises
        ------
        Rejoin, Fenced
        """
        if time.monotonic() - self.looked < LOOK_SECONDS or not self.is_current:
            return
        if self.wanted() != self.names:
            raise Rejoin("a new day has other topics")
        if self.subscription.offered:
            self.check({topic for topic, _ in self.subscription.offered})
            self.renew()
        self.look_for_untended()
        self.looked = time.monotonic()

    def look_for_untended(self) -> None:
        """See whether somebody reads each partition that there is.

        A group can overlook a topic that was deleted and made anew while it shared out what there was: each
        member then knows the topic, so that to none of them it is new, and nobody has been given it.

        Raises
        ------
        Rejoin
        """
        there = self.there()
        with connection.cursor() as cursor:
            found = positions.untended(cursor, self.reader, there, seconds=UNTENDED_SECONDS)
        self.ids = {partition.topic: partition.topic_id for partition in there} | self.ids
        moment = time.monotonic()
        self.untended = {partition: self.untended.get(partition, moment) for partition in found}
        for (topic, _, number), since in self.untended.items():
            # Who has heard nothing from the group yet had better wait for it.
            if self.generation and moment - since > PATIENCE_SECONDS:
                raise Rejoin(f"nobody in the group reads {topic} [{number}]")

    def look_for_still(self, ends: Mapping[Place, int]) -> None:
        """See whether messages come where there are some, while we read.

        Raises
        ------
        Rejoin
        """
        behind = [
            (place, held.next_offset)
            for place, held in self.held.items()
            if ends.get(place, 0) > held.next_offset and not self.subscription.held
        ]
        moment = time.monotonic()
        self.still = {at: self.still.get(at, moment) for at in behind}
        for ((topic, number), _), since in self.still.items():
            if moment - since > STILL_SECONDS:
                raise Rejoin(f"the messages on {topic} [{number}] do not come")

    def look_soon(self) -> None:
        """Look at the next opportunity, rather than when it is due."""
        self.looked = -math.inf

    def renew(self) -> None:
        """Say of our partitions that they were looked at, and where they end.

        Raises
        ------
        Rejoin, Fenced
        """
        claimed = self.claimed.held | self.claimed.beyond
        ends = self.topics.ends(list(claimed))
        ours = [(claimed[place], end) for place, end in ends.items()]
        with transaction.atomic(), connection.cursor() as cursor:
            positions.renew(
                cursor,
                self.reader,
                epochs={held.partition: held.epoch for held, _ in ours},
                ends={held.partition: end for held, end in ours},
            )
        self.look_for_still(ends)

    def leave(self) -> None:
        """Leave the group."""
        self.subscription.close()

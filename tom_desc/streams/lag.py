"""How far behind each stream is read, in messages and seconds, as its poller last saw it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

# A topic that was deleted and made anew, or that another cluster has now, is the one heard of last; what it
# was before may have had more partitions.
LAGS = """
WITH latest AS (
    SELECT DISTINCT ON (source, consumer_group, topic) source, consumer_group, topic, cluster_id, topic_id
    FROM streams_position
    WHERE %(sources)s::text[] IS NULL OR source = ANY(%(sources)s)
    ORDER BY source, consumer_group, topic, updated DESC
)
SELECT source, consumer_group, topic, partition,
       end_offset - least(next_offset, end_offset),
       CASE WHEN end_offset > next_offset
            THEN greatest(extract(epoch FROM now() - coalesce(message_time, updated)), 0) ELSE 0 END::float8,
       updated, next_offset, end_offset, message_time
FROM streams_position JOIN latest USING (source, consumer_group, topic, cluster_id, topic_id)
ORDER BY source, consumer_group, topic, partition"""


@dataclass(frozen=True)
class Lag:
    """How far behind a partition is read.

    Attributes
    ----------
    messages
        Offsets between the next one to read and the partition's end when the poller last looked: at least
        the messages that wait, since offsets have holes. None while it has not looked yet.
    seconds
        Age of the last message stored while others wait, else 0. Where none was stored yet, the time since
        the poller saw that some wait, which is the least that it can be.
    heard
        When the poller last looked.
    message_time
        Kafka's time of the last message stored.
    """

    source: str
    consumer_group: str
    topic: str
    partition: int
    messages: int | None
    seconds: float
    heard: datetime
    next_offset: int
    end_offset: int | None
    message_time: datetime | None


def lags(*, sources: Collection[str] | None = None) -> list[Lag]:
    """Every partition of the topics that there are now, by source, consumer group, topic and partition.

    Parameters
    ----------
    sources
        The only sources to list; None: all.
    """
    with connection.cursor() as cursor:
        cursor.execute(LAGS, {"sources": None if sources is None else list(sources)})
        return [Lag(*row) for row in cursor.fetchall()]

"""What the TOM knows of the streams it reads: positions, counts, gaps, and messages that are not valid.

A stream's partition is named by the cluster, topic and partition, and by the topic's id: a topic that was
deleted and made anew has another one, and its offsets start over. ``source`` is the consumer's name, as in
``brokerpoll2 --do-NAME``.
"""

from django.db import models
from django.db.models.functions import Now


class Position(models.Model):
    """Where a consumer group goes on in a partition; moved by the transaction that stores a batch.

    ``epoch`` grows with each claim: who holds an older one is fenced off (``data_layer.md`` 3).
    ``end_offset`` and ``updated`` are what the poller last saw of the partition's end, and when;
    ``message_time`` is the Kafka time of the last message stored.
    """

    pk = models.CompositePrimaryKey(
        "source", "cluster_id", "consumer_group", "topic", "topic_id", "partition"
    )
    source = models.TextField()
    cluster_id = models.TextField()
    consumer_group = models.TextField()
    topic = models.TextField()
    topic_id = models.TextField()
    partition = models.IntegerField()
    next_offset = models.BigIntegerField()
    epoch = models.BigIntegerField(default=0, db_default=0)
    owner = models.TextField(default="", db_default="")
    updated = models.DateTimeField(db_default=Now())
    end_offset = models.BigIntegerField(null=True)
    message_time = models.DateTimeField(null=True)

    class Meta:
        db_table = "streams_position"


class Ledger(models.Model):
    """What became of the messages that were read in a night: seen = stored + duplicate + dead.

    A night is named by the UTC date on which it begins at noon.
    """

    pk = models.CompositePrimaryKey("source", "cluster_id", "topic", "topic_id", "partition", "night")
    source = models.TextField()
    cluster_id = models.TextField()
    topic = models.TextField()
    topic_id = models.TextField()
    partition = models.IntegerField()
    night = models.DateField()
    seen = models.BigIntegerField(default=0, db_default=0)
    stored = models.BigIntegerField(default=0, db_default=0)
    duplicate = models.BigIntegerField(default=0, db_default=0)
    dead = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        db_table = "streams_ledger"


class Gap(models.Model):
    """Offsets that were gone before they were read: from ``first_offset`` up to ``end_offset``, not included.

    ``end_offset`` is NULL where it cannot be known any more, as of a topic that was deleted.
    """

    source = models.TextField()
    cluster_id = models.TextField()
    topic = models.TextField()
    topic_id = models.TextField()
    partition = models.IntegerField()
    first_offset = models.BigIntegerField()
    end_offset = models.BigIntegerField(null=True)
    reason = models.TextField()
    noticed = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "streams_gap"


class DeadLetter(models.Model):
    """A message that cannot be stored, as it came, and why.

    ``brokername`` is what it says of itself, where that much could be read of it.
    """

    source = models.TextField()
    cluster_id = models.TextField(default="", db_default="")
    topic = models.TextField()
    topic_id = models.TextField(default="", db_default="")
    partition = models.IntegerField()
    offset = models.BigIntegerField()
    message_time = models.DateTimeField(null=True)
    brokername = models.TextField(null=True)
    reason = models.TextField()
    value = models.BinaryField(null=True)
    received = models.DateTimeField(db_default=Now(), db_index=True)

    class Meta:
        db_table = "streams_deadletter"
        constraints = (
            models.UniqueConstraint(
                fields=("source", "cluster_id", "topic", "topic_id", "partition", "offset"),
                name="streams_deadletter_position",
            ),
        )

"""What brokers said, and reveal's work lists."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Func, Value
from django.db.models.functions import Now

from tom_desc.fields import Float32Field


class BrokerClassifier(models.Model):
    """A classifier is named by its broker, both versions and its parameters; empty versions are equal."""

    classifier_id = models.BigAutoField(primary_key=True)
    brokername = models.CharField(max_length=100)
    brokerversion = models.TextField(null=True)
    classifiername = models.CharField(max_length=200)
    classifierparams = models.TextField(null=True)
    modified = models.DateTimeField(auto_now=True, db_default=Now())

    class Meta:
        db_table = "elasticc2_brokerclassifier"
        constraints = (
            models.UniqueConstraint(
                fields=("brokername", "brokerversion", "classifiername", "classifierparams"),
                nulls_distinct=False,
                name="elasticc2_brokerclassifier_unique",
            ),
        )


class BrokerMessage(models.Model):
    """One opinion of one classifier on one source: class ids with their probabilities, in parallel arrays.

    Partitioned by hash of diasource_id; (diasource_id, digest) is the message's identity (``data_layer.md``
    2), so that the same message from Kafka, REST or a dump is one row. There are no foreign keys: a broker
    may know a source before we do.
    """

    brokermessage_id = models.BigAutoField(primary_key=True)
    streammessage_id = models.BigIntegerField(null=True)
    topicname = models.CharField(max_length=200, null=True)
    alert_id = models.BigIntegerField()
    diasource_id = models.BigIntegerField()
    msghdrtimestamp = models.DateTimeField(null=True)
    descingesttimestamp = models.DateTimeField(db_default=Now(), db_index=True)
    elasticcpublishtimestamp = models.DateTimeField(null=True)
    brokeringesttimestamp = models.DateTimeField(null=True)
    classid = ArrayField(models.SmallIntegerField())
    classifier_id = models.BigIntegerField()
    probability = ArrayField(Float32Field())
    topicpartition = models.SmallIntegerField(null=True)
    digest = models.GeneratedField(
        expression=Func(
            Func(
                F("alert_id"),
                F("classifier_id"),
                F("msghdrtimestamp"),
                F("classid"),
                F("probability"),
                function="ROW",
            ),
            Value(0),
            function="hash_record_extended",
        ),
        output_field=models.BigIntegerField(),
        db_persist=True,
    )

    class Meta:
        db_table = "elasticc2_brokermessage"
        constraints = (
            models.UniqueConstraint(
                fields=("diasource_id", "digest"), name="elasticc2_brokermessage_identity"
            ),
        )


class BrokerNews(models.Model):
    """Sources that a batch of messages spoke of: appended by ingest, taken by reveal, never updated."""

    news_id = models.BigAutoField(primary_key=True)
    diasource_ids = ArrayField(models.BigIntegerField())

    class Meta:
        db_table = "elasticc2_brokernews"


class LoadNews(models.Model):
    """Objects for which a load added PPDB rows: appended by load, taken by reveal, never updated."""

    news_id = models.BigAutoField(primary_key=True)
    diaobject_ids = ArrayField(models.BigIntegerField())

    class Meta:
        db_table = "elasticc2_loadnews"


class BrokerSourceIds(models.Model):
    """Public mirror of the sources heard of since the last reveal."""

    diasource_id = models.BigIntegerField(primary_key=True)

    class Meta:
        db_table = "elasticc2_brokersourceids"


class UnknownSource(models.Model):
    """Sources that brokers spoke of and the PPDB does not have; tried again after each load."""

    diasource_id = models.BigIntegerField(primary_key=True)
    since = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "elasticc2_unknownsource"


class ImportPPDBRunning(models.Model):
    """The original's lock flag. Kept for who reads it; reveal locks with an advisory lock."""

    running = models.BooleanField()

    class Meta:
        db_table = "elasticc2_importppdbrunning"

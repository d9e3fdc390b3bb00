"""What reveal keeps about each object, so that nobody has to compute it while a user waits."""

from django.db import models

from elasticc2.models.brokers import BrokerClassifier
from elasticc2.models.objects import DiaObject
from tom_desc.fields import Float32Field


class DiaObjectInfo(models.Model):
    """Per object and band with a source: first and latest source, brightest and latest forced point.

    The only index is the unique one, so that updates are HOT.
    """

    id = models.BigAutoField(primary_key=True, db_column="_id")
    filtername = models.TextField()
    firstsource_id = models.BigIntegerField(null=True)
    firstsourceflux = models.FloatField(null=True)
    firstsourcefluxerr = models.FloatField(null=True)
    firstsourcemjd = models.FloatField(null=True)
    maxforcedsource_id = models.BigIntegerField(null=True)
    maxforcedsourceflux = models.FloatField(null=True)
    maxforcedsourcefluxerr = models.FloatField(null=True)
    maxforcedsourcemjd = models.FloatField(null=True)
    latestsource_id = models.BigIntegerField(null=True)
    latestsourceflux = models.FloatField(null=True)
    latestsourcefluxerr = models.FloatField(null=True)
    latestsourcemjd = models.FloatField(null=True)
    latestforcedsource_id = models.BigIntegerField(null=True)
    latestforcedsourceflux = models.FloatField(null=True)
    latestforcedsourcefluxerr = models.FloatField(null=True)
    latestforcedsourcemjd = models.FloatField(null=True)
    diaobject = models.ForeignKey(DiaObject, models.CASCADE, db_index=False)

    class Meta:
        db_table = "elasticc2_diaobjectinfo"
        constraints = (
            models.UniqueConstraint(fields=("diaobject", "filtername"), name="diaobjectinfo_unique"),
        )


class DiaObjectClassification(models.Model):
    """Per object and classifier: the four best classes of the latest message."""

    id = models.BigAutoField(primary_key=True, db_column="_id")
    latestclass1id = models.SmallIntegerField()
    latestclass2id = models.SmallIntegerField(null=True)
    latestclass3id = models.SmallIntegerField(null=True)
    latestclass4id = models.SmallIntegerField(null=True)
    latestclass1prob = Float32Field()
    latestclass2prob = Float32Field(null=True)
    latestclass3prob = Float32Field(null=True)
    latestclass4prob = Float32Field(null=True)
    classifier = models.ForeignKey(BrokerClassifier, models.CASCADE)
    diaobject = models.ForeignKey(DiaObject, models.CASCADE, db_index=False)

    class Meta:
        db_table = "elasticc2_diaobjectclassification"
        constraints = (
            models.UniqueConstraint(
                fields=("diaobject", "classifier"), name="diaobjectclassification_unique"
            ),
        )

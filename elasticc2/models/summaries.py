"""What reveal keeps about each object, so that nobody has to compute it while a user waits."""

from django.contrib.postgres.fields import ArrayField
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
    # Probability of class 2222 (Ia) in that message, among the four best or not; 0 where it is not named.
    probia = Float32Field(null=True)
    classifier = models.ForeignKey(BrokerClassifier, models.CASCADE)
    diaobject = models.ForeignKey(DiaObject, models.CASCADE, db_index=False)

    class Meta:
        db_table = "elasticc2_diaobjectclassification"
        constraints = (
            models.UniqueConstraint(
                fields=("diaobject", "classifier"), name="diaobjectclassification_unique"
            ),
        )


class ObjectSummary(models.Model):
    """One row an object, for searches: its detections (sources), and how many forced points there are.

    To be trusted where the object is not in ``staleobjects``. Fluxes are in the campaign's unit; of an object
    without sources all but the numbers are NULL. The row goes with its object, by the database's own cascade.
    """

    diaobject = models.OneToOneField(DiaObject, models.CASCADE, primary_key=True, db_constraint=False)
    n_sources = models.IntegerField()
    n_forced = models.IntegerField()
    first_mjd = models.FloatField(null=True)
    latest_mjd = models.FloatField(null=True)
    latest_band = models.TextField(null=True)
    latest_flux = Float32Field(null=True)
    latest_fluxerr = Float32Field(null=True)
    peak_mjd = models.FloatField(null=True)
    peak_band = models.TextField(null=True)
    peak_flux = Float32Field(null=True)
    peak_fluxerr = Float32Field(null=True)

    class Meta:
        db_table = "elasticc2_objectsummary"
        indexes = (models.Index(fields=("latest_mjd",), name="e2_objectsummary_latest"),)


class PackedLightCurve(models.Model):
    """An object's forced photometry in one row: a cache of ``diaforcedsource``, which is the truth.

    ``n`` points in ascending (midpointtai, diaforcedsource_id): ``mjd`` big-endian float64, ``band`` one
    byte, ``flux`` and ``fluxerr`` big-endian float32. Triggers delete the rows of objects whose photometry
    changes; who finds none reads the points themselves. The row goes with its object, too.
    """

    diaobject = models.OneToOneField(DiaObject, models.CASCADE, primary_key=True, db_constraint=False)
    n = models.IntegerField()
    mjd = models.BinaryField()
    band = models.BinaryField()
    flux = models.BinaryField()
    fluxerr = models.BinaryField()

    class Meta:
        db_table = "elasticc2_packedlightcurve"


class StaleObjects(models.Model):
    """Objects whose photometry somebody else than reveal changed: appended by triggers, taken by reveal.

    Usually empty. What is kept of an object in it is not to be trusted.
    """

    news_id = models.BigAutoField(primary_key=True)
    diaobject_ids = ArrayField(models.BigIntegerField())

    class Meta:
        db_table = "elasticc2_staleobjects"

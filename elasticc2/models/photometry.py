"""Detections (sources) and forced photometry. Fluxes are in the campaign's unit and zeropoint.

The forced-source tables are partitioned by hash of diaobject_id (``data_layer.md`` 1): the key that Django
declares is the original's, the database's is (diaforcedsource_id, diaobject_id), and only ``bulkcopy``
writes to them.
"""

from django.db import models

from elasticc2.models.objects import DiaObject, PPDBDiaObject, TrainingDiaObject
from tom_desc.fields import Float32Field


class DiaSourceColumns(models.Model):
    diasource_id = models.BigIntegerField(primary_key=True)
    midpointtai = models.FloatField(db_index=True)
    filtername = models.TextField()
    ra = models.FloatField()
    decl = models.FloatField()
    psflux = Float32Field()
    psfluxerr = Float32Field()
    snr = Float32Field()

    class Meta:
        abstract = True


class DiaForcedSourceColumns(models.Model):
    diaforcedsource_id = models.BigIntegerField(primary_key=True)
    midpointtai = models.FloatField()
    filtername = models.TextField()
    psflux = Float32Field()
    psfluxerr = Float32Field()

    class Meta:
        abstract = True


class PPDBDiaSource(DiaSourceColumns):
    diaobject = models.ForeignKey(PPDBDiaObject, models.CASCADE, null=True, db_index=False)

    class Meta:
        db_table = "elasticc2_ppdbdiasource"
        indexes = (models.Index(fields=("diaobject", "midpointtai"), name="e2_ppdbdiasource_of_object"),)


class TrainingDiaSource(DiaSourceColumns):
    diaobject = models.ForeignKey(TrainingDiaObject, models.CASCADE, null=True, db_index=False)

    class Meta:
        db_table = "elasticc2_trainingdiasource"
        indexes = (models.Index(fields=("diaobject", "midpointtai"), name="e2_traindiasource_of_object"),)


class DiaSource(DiaSourceColumns):
    diaobject = models.ForeignKey(DiaObject, models.CASCADE, null=True, db_index=False)

    class Meta:
        db_table = "elasticc2_diasource"
        indexes = (models.Index(fields=("diaobject", "midpointtai"), name="e2_diasource_of_object"),)


class PPDBDiaForcedSource(DiaForcedSourceColumns):
    diaobject = models.ForeignKey(PPDBDiaObject, models.CASCADE, db_index=False)

    class Meta:
        db_table = "elasticc2_ppdbdiaforcedsource"
        indexes = (models.Index(fields=("diaobject", "midpointtai"), name="e2_ppdbdiaforced_of_object"),)


class TrainingDiaForcedSource(DiaForcedSourceColumns):
    diaobject = models.ForeignKey(TrainingDiaObject, models.CASCADE, db_index=False)

    class Meta:
        db_table = "elasticc2_trainingdiaforcedsource"
        indexes = (models.Index(fields=("diaobject", "midpointtai"), name="e2_traindiaforced_of_object"),)


class DiaForcedSource(DiaForcedSourceColumns):
    diaobject = models.ForeignKey(DiaObject, models.CASCADE, db_index=False)

    class Meta:
        db_table = "elasticc2_diaforcedsource"
        indexes = (models.Index(fields=("diaobject", "midpointtai"), name="e2_diaforced_of_object"),)

"""The sky: what the survey has (PPDB), what classifiers trained on, what the TOM has learned of."""

from django.db import models

from elasticc2.campaign import OBJECT_FLOATS
from tom_desc.fields import Float32Field


class DiaObjectColumns(models.Model):
    """One object: position (deg), redshift, dust and up to two host candidates, SNANA's sentinels kept.

    The 68 nullable float columns of ``campaign.OBJECT_FLOATS`` and ``isddf`` are added below, in the order
    of the public table.
    """

    diaobject_id = models.BigIntegerField(primary_key=True)
    simversion = models.TextField(null=True)
    ra = models.FloatField()
    decl = models.FloatField()

    class Meta:
        abstract = True


for _column in OBJECT_FLOATS:
    DiaObjectColumns.add_to_class(_column, Float32Field(null=True))
DiaObjectColumns.add_to_class("isddf", models.BooleanField(default=False, db_default=False))


class PPDBDiaObject(DiaObjectColumns):
    class Meta:
        db_table = "elasticc2_ppdbdiaobject"


class TrainingDiaObject(DiaObjectColumns):
    class Meta:
        db_table = "elasticc2_trainingdiaobject"


class DiaObject(DiaObjectColumns):
    class Meta:
        db_table = "elasticc2_diaobject"


class DiaObjectOfTarget(models.Model):
    """Which target of a TOM Toolkit beside us is which object."""

    tomtarget_id = models.BigIntegerField(db_index=True)
    diaobject = models.ForeignKey(DiaObject, on_delete=models.CASCADE)

    class Meta:
        db_table = "elasticc2_diaobjectoftarget"

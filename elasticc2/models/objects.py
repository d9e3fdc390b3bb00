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


class PPDBEncodedObject(models.Model):
    """An object of the PPDB and all its photometry in the Avro of its alerts (v0_9_1), in one row: a cache.

    Triggers delete the rows of objects that change, or whose photometry does; the row goes with its object,
    too. Who finds none encodes the PPDB's rows. Each record, of sources and of forced sources in order of
    time, is ``records[offsets[i]:offsets[i + 1]]``; ``record`` is the object. Ids (int64), mjds (float64)
    and offsets (int32) are little-endian.
    """

    diaobject = models.OneToOneField(PPDBDiaObject, models.CASCADE, primary_key=True, db_constraint=False)
    isddf = models.BooleanField()
    record = models.BinaryField()
    source_ids = models.BinaryField()
    source_mjds = models.BinaryField()
    source_offsets = models.BinaryField()
    source_records = models.BinaryField()
    forced_mjds = models.BinaryField()
    forced_offsets = models.BinaryField()
    forced_records = models.BinaryField()

    class Meta:
        db_table = "elasticc2_ppdbencodedobject"


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

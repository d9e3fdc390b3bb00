"""Spectra: wanted, planned, taken."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from elasticc2.models.objects import DiaObject
from tom_desc.fields import Float32Field


class WantedSpectra(models.Model):
    """``wantspec_id`` is "<diaobject_id> ; <requester>"."""

    wantspec_id = models.TextField(primary_key=True)
    wanttime = models.DateTimeField(db_index=True)
    requester = models.TextField(null=True)
    priority = models.IntegerField()
    diaobject = models.ForeignKey(DiaObject, models.CASCADE)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.RESTRICT)

    class Meta:
        db_table = "elasticc2_wantedspectra"


class PlannedSpectra(models.Model):
    reqspec_id = models.AutoField(primary_key=True)
    facility = models.TextField()
    created_at = models.DateTimeField(db_default=Now())
    plantime = models.DateTimeField(null=True)
    comment = models.TextField(default="", db_default="")
    diaobject = models.ForeignKey(DiaObject, models.CASCADE)

    class Meta:
        db_table = "elasticc2_plannedspectra"


class SpectrumInfo(models.Model):
    """A spectrum that was taken; ``mjd`` is float32 as in the public table, so rounded to 1/256 day."""

    specinfo_id = models.AutoField(primary_key=True)
    facility = models.TextField(null=True)
    inserted_at = models.DateTimeField(db_default=Now())
    mjd = Float32Field(db_index=True)
    z = Float32Field(null=True)
    classid = models.IntegerField(null=True, db_index=True)
    diaobject = models.ForeignKey(DiaObject, models.CASCADE)

    class Meta:
        db_table = "elasticc2_spectruminfo"

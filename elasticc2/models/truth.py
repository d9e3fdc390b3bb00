"""What the simulation knows and nobody else should, until the campaign has ended."""

from django.db import models

from elasticc2.models.objects import PPDBDiaObject, TrainingDiaObject
from tom_desc.fields import Float32Field


class TruthColumns(models.Model):
    libid = models.IntegerField()
    sim_searcheff_mask = models.IntegerField()
    gentype = models.IntegerField(db_index=True)
    sim_template_index = models.IntegerField(db_index=True)
    zcmb = Float32Field(db_index=True)
    zhelio = Float32Field(db_index=True)
    zcmb_smear = Float32Field()
    ra = models.FloatField()
    dec = models.FloatField()
    mwebv = Float32Field()
    galid = models.BigIntegerField(null=True)
    galzphot = Float32Field(null=True)
    galzphoterr = Float32Field(null=True)
    galsnsep = Float32Field(null=True)
    galsnddlr = Float32Field(null=True)
    rv = Float32Field()
    av = Float32Field()
    mu = Float32Field()
    lensdmu = Float32Field()
    peakmjd = Float32Field(db_index=True)
    mjd_detect_first = models.FloatField(db_index=True)
    mjd_detect_last = models.FloatField(db_index=True)
    dtseason_peak = Float32Field()
    peakmag_u = Float32Field()
    peakmag_g = Float32Field()
    peakmag_r = Float32Field()
    peakmag_i = Float32Field()
    peakmag_z = Float32Field()
    peakmag_y = Float32Field()
    snrmax = Float32Field()
    snrmax2 = Float32Field()
    snrmax3 = Float32Field()
    nobs = models.IntegerField()
    nobs_saturate = models.IntegerField()

    class Meta:
        abstract = True


class DiaObjectTruth(TruthColumns):
    diaobject = models.OneToOneField(PPDBDiaObject, models.CASCADE, primary_key=True)

    class Meta:
        db_table = "elasticc2_diaobjecttruth"


class TrainingDiaObjectTruth(TruthColumns):
    diaobject = models.OneToOneField(TrainingDiaObject, models.CASCADE, primary_key=True)

    class Meta:
        db_table = "elasticc2_trainingdiaobjecttruth"

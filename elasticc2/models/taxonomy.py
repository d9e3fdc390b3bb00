"""The classes brokers answer in, and which of SNANA's types (gentype) each stands for."""

from django.db import models


class GentypeOfClassId(models.Model):
    id = models.AutoField(primary_key=True)
    classid = models.IntegerField(db_index=True)
    gentype = models.IntegerField(null=True, unique=True)
    description = models.TextField()

    class Meta:
        db_table = "elasticc2_gentypeofclassid"


class ClassIdOfGentype(models.Model):
    id = models.AutoField(primary_key=True)
    gentype = models.IntegerField(db_index=True)
    classid = models.IntegerField(db_index=True)
    exactmatch = models.BooleanField(default=False)
    categorymatch = models.BooleanField(default=False)
    broadmatch = models.BooleanField(default=False)
    generalmatch = models.BooleanField(default=False)
    description = models.TextField()

    class Meta:
        db_table = "elasticc2_classidofgentype"

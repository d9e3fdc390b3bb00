"""One alert a source; ``alertsenttimestamp`` is empty until the alert was sent."""

from django.db import models

from elasticc2.models.objects import PPDBDiaObject, TrainingDiaObject
from elasticc2.models.photometry import PPDBDiaSource, TrainingDiaSource


class AlertColumns(models.Model):
    alert_id = models.BigIntegerField(primary_key=True)
    # Without an index, so that marking an alert sent is a HOT update.
    alertsenttimestamp = models.DateTimeField(null=True)

    class Meta:
        abstract = True


class PPDBAlert(AlertColumns):
    diaobject = models.ForeignKey(PPDBDiaObject, models.CASCADE, null=True)
    diasource = models.ForeignKey(PPDBDiaSource, models.CASCADE, null=True)

    class Meta:
        db_table = "elasticc2_ppdbalert"


class TrainingAlert(AlertColumns):
    diaobject = models.ForeignKey(TrainingDiaObject, models.CASCADE, null=True)
    diasource = models.ForeignKey(TrainingDiaSource, models.CASCADE, null=True)

    class Meta:
        db_table = "elasticc2_trainingalert"

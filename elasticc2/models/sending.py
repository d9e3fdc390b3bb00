"""Runs of the survey's sending, and what each brought to the brokers."""

from django.db import models
from django.db.models.functions import Now


class SendRun(models.Model):
    """A window of survey time, MJD (TAI), whose unsent alerts are sent; unfinished until all are confirmed.

    An unfinished run is completed before another begins. ``slice_ends`` are the ends of its topics before the
    slice in hand was produced, ``{topic: {"topic_id": id, "ends": {partition: offset}}}``: what a killed run
    had sent but not marked lies beyond them. ``resend`` runs send again what was marked before.
    """

    sendrun_id = models.BigAutoField(primary_key=True)
    from_mjd = models.FloatField(null=True)
    through_mjd = models.FloatField()
    started = models.DateTimeField(db_default=Now())
    updated = models.DateTimeField(db_default=Now())
    finished = models.DateTimeField(null=True)
    last_confirmed_mjd = models.FloatField(null=True)
    resend = models.BooleanField(default=False, db_default=False)
    server = models.TextField()
    cluster_id = models.TextField(default="", db_default="")
    wfd_topic = models.TextField()
    ddf_full_topic = models.TextField()
    ddf_limited_topic = models.TextField()
    alerts_to_send = models.BigIntegerField(default=0, db_default=0)
    alerts_sent = models.BigIntegerField(default=0, db_default=0)
    slice_ends = models.JSONField(null=True)
    failure = models.TextField(null=True)

    class Meta:
        db_table = "elasticc2_sendrun"


class SendBatch(models.Model):
    """Alerts confirmed and marked in one transaction, all of one night of the survey.

    A night lasts from noon to noon (UTC) and is called by the MJD between them. ``sendrun`` is empty where
    somebody else than ``send_elasticc2_alerts`` sent them.
    """

    sendbatch_id = models.BigAutoField(primary_key=True)
    sendrun = models.ForeignKey(SendRun, models.SET_NULL, null=True)
    night = models.IntegerField()
    sent = models.DateTimeField(db_index=True)
    alerts = models.IntegerField()
    messages = models.IntegerField()
    bytes = models.BigIntegerField(default=0, db_default=0)
    first_mjd = models.FloatField()
    last_mjd = models.FloatField()

    class Meta:
        db_table = "elasticc2_sendbatch"

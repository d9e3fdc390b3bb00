"""What the TOM knows of each campaign."""

from django.db import models


class Campaign(models.Model):
    """A survey, real or simulated, that the TOM follows.

    ``zeropoint`` (AB magnitude of flux 1) and ``flux_unit`` are stored when photometry is loaded. ``clock``
    says where "now" in survey time comes from: ``wall``, or ``sent``, the greatest midpointtai of an alert
    that was sent. ``sent_mjd`` is kept by triggers on the campaign's alert table.
    """

    class Clock(models.TextChoices):
        WALL = "wall"
        SENT = "sent"

    name = models.TextField(primary_key=True)
    zeropoint = models.FloatField(null=True)
    flux_unit = models.TextField(null=True)
    clock = models.TextField(choices=Clock, default=Clock.WALL, db_default=Clock.WALL)
    sent_mjd = models.FloatField(null=True)
    ended = models.BooleanField(default=False, db_default=False)

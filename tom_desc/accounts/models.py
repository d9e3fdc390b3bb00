"""What an account may do beyond looking."""

from django.conf import settings
from django.db import models


class Permissions(models.Model):
    """Holds the permissions of spec 1.6; it has no table."""

    class Meta:
        managed = False
        default_permissions = ()
        permissions = (
            ("elasticc_admin", "Sees truth, the future and everybody's queries"),
            ("elasticc_broker", "May PUT broker messages"),
            ("fastdb_writer", "May write to the FASTDB tables"),
        )


class BrokerAccount(models.Model):
    """Binds an account to a broker name: a bound account PUTs messages of its own brokers only."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    brokername = models.CharField(max_length=100)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("user", "brokername"), name="accounts_brokeraccount_unique"),
        )

"""Column types that Django lacks."""

from typing import Any

from django.db import models

# The largest bigint.
MAX_ID = 2**63 - 1


class Float32Field(models.FloatField):
    """PostgreSQL ``real``: what surveys store fluxes in."""

    def db_type(self, connection: Any) -> str:
        return "real"

"""What the database cannot hold, however often it is tried, told from what passes."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import Error

# SQLSTATE classes (PostgreSQL manual, appendix A): data exception, integrity constraint violation, program
# limit exceeded.
REFUSALS = ("22", "23", "54")


class Refused(Exception):
    """The database cannot hold something of a batch; the text says it in its words."""


@contextmanager
def refusals() -> Iterator[None]:
    """Raise Refused for what the database refuses; all other errors pass as they are."""
    try:
        yield
    except Error as error:
        cause = error.__cause__
        if (getattr(cause, "pgcode", None) or "").startswith(REFUSALS):
            raise Refused(f"the database refused it: {first_line(cause)}") from error
        raise


def first_line(error: BaseException | None) -> str:
    return str(error).strip().split("\n")[0]

"""Lengths of time in templates: ``{{ seconds|duration }}``, ``{{ moment|ago }}``."""

import math
from datetime import UTC, datetime

from django import template

from tom_desc.streams.durations import in_words

register = template.Library()


@register.filter
def duration(seconds: float | None) -> str:
    """A length of time in words; a dash where it is not known."""
    return "—" if seconds is None or math.isnan(seconds) else in_words(seconds)


@register.filter
def ago(moment: datetime) -> str:
    """How long ago a moment was (wall time), as the page is made."""
    passed = (datetime.now(UTC) - moment).total_seconds()
    return f"{in_words(max(round(passed), 0))} ago"

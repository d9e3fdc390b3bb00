"""What a broker team needs to connect: topics with alerts, what is on them, where we listen for answers."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max

from elasticc2.models import SendRun
from tom_desc.streams.letterlist import carries
from tom_desc.streams.models import Position

DEFAULT_TOPICS = ("alerts-wfd", "alerts-ddf-full", "alerts-ddf-limited")
TOPIC_FIELDS = ("wfd_topic", "ddf_full_topic", "ddf_limited_topic")
HOLDS = (
    "alerts of the wide survey (WFD), each with up to 365 days of history",
    "alerts of the deep drilling fields (DDF), each with up to 365 days of history",
    "the same deep drilling alerts with only 30 days of history",
)
LISTENED_TOPICS = 20


@dataclass(frozen=True)
class AlertTopic:
    """A topic with alerts, and which."""

    name: str
    holds: str


def alert_topics() -> list[AlertTopic]:
    """The topics of the latest run that did not repeat a night: that may have gone elsewhere."""
    latest = SendRun.objects.filter(resend=False).order_by("-pk").values_list(*TOPIC_FIELDS).first()
    return [AlertTopic(*topic) for topic in zip(latest or DEFAULT_TOPICS, HOLDS, strict=True)]


@dataclass(frozen=True)
class ListenedTopic:
    """A topic on which a consumer of ours reads answers, and when it was last looked at."""

    source: str
    topic: str
    updated: datetime


def listened_topics(names: Collection[str] | None, *, heard: Collection[str] = ()) -> list[ListenedTopic]:
    """Where we listen for the answers of these brokers (None: of all), the topic last looked at first.

    Parameters
    ----------
    heard
        Topics on which they have answered, which are theirs whatever the name.
    """
    rows = Position.objects.values_list("source", "topic").annotate(last=Max("updated")).order_by("-last")
    topics = [ListenedTopic(*row) for row in rows]
    theirs = [
        one for one in topics if one.topic in heard or carries(names, source=one.source, topic=one.topic)
    ]
    return theirs[:LISTENED_TOPICS]

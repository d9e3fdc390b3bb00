"""What broker teams are told about topics."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from elasticc2.connect import LISTENED_TOPICS, alert_topics, listened_topics
from elasticc2.models import SendRun
from tom_desc.streams.models import Position

pytestmark = pytest.mark.django_db

MOMENT = datetime(2026, 11, 20, 12, tzinfo=UTC)


def run(prefix: str, **columns: Any) -> None:
    names = {f"{kind}_topic": f"{prefix}-{kind}" for kind in ("wfd", "ddf_full", "ddf_limited")}
    SendRun.objects.create(through_mjd=60578.5, server="s", **names, **columns)


def position(source: str, topic: str, *, partition: int = 0, minutes: int = 0) -> None:
    Position.objects.create(
        source=source,
        cluster_id="c",
        consumer_group="g",
        topic=topic,
        topic_id="1",
        partition=partition,
        next_offset=0,
        updated=MOMENT - timedelta(minutes=minutes),
    )


def names() -> list[str]:
    return [topic.name for topic in alert_topics()]


def test_before_the_first_run_the_topics_are_the_default_ones() -> None:
    assert names() == ["alerts-wfd", "alerts-ddf-full", "alerts-ddf-limited"]


def test_topics_are_those_of_the_latest_run() -> None:
    run("st1")
    run("st2")
    assert names() == ["st2-wfd", "st2-ddf_full", "st2-ddf_limited"]


def test_a_night_that_was_repeated_elsewhere_moves_no_topic() -> None:
    run("st1")
    run("practice", resend=True)
    assert names() == ["st1-wfd", "st1-ddf_full", "st1-ddf_limited"]


def test_each_topic_says_what_is_on_it() -> None:
    assert ["30 days" in topic.holds for topic in alert_topics()] == [False, False, True]


def test_a_topic_is_listed_once_however_many_partitions_it_has() -> None:
    position("fink", "out", partition=0, minutes=5)
    position("fink", "out", partition=1, minutes=3)
    (found,) = listened_topics(None)
    assert (found.source, found.topic, found.updated) == ("fink", "out", MOMENT - timedelta(minutes=3))


def test_a_broker_sees_the_topics_that_carry_its_name() -> None:
    position("test", "fakebroker-answers")
    position("fink", "out", minutes=1)
    position("alerce", "lc_classifier", minutes=2)
    assert [one.topic for one in listened_topics({"FakeBroker", "Fink"})] == ["fakebroker-answers", "out"]
    assert listened_topics({"AMPEL"}) == []


def test_a_topic_on_which_a_broker_answered_is_its_own_too() -> None:
    position("test", "answers-7")
    position("test", "answers-8")
    assert [one.topic for one in listened_topics({"AMPEL"}, heard={"answers-7"})] == ["answers-7"]


def test_of_many_topics_the_latest_are_listed() -> None:
    for day in range(LISTENED_TOPICS + 5):
        position("alerce", f"lc_{day}", minutes=day)
    assert [one.topic for one in listened_topics(None)] == [f"lc_{day}" for day in range(LISTENED_TOPICS)]

"""What tests of pollers share."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.kafkalog import KafkaLog, topic_name
from tests.tom_desc.streams.pollers import own_database


@pytest.fixture
def database(migrated_database: str, django_db_blocker: Any) -> Iterator[str]:
    """A database of the test's own, to which this process is connected; what is committed stays."""
    with django_db_blocker.unblock(), own_database(migrated_database) as name:
        yield name


@pytest.fixture
def log(kafka: str) -> KafkaLog:
    return KafkaLog(kafka)


@pytest.fixture
def group() -> str:
    return topic_name("group")


@pytest.fixture
def topic(log: KafkaLog) -> Iterator[str]:
    """A topic with one partition."""
    name = log.make(topic_name("said"))
    yield name
    if log.partitions(name):
        log.delete(name)

"""What a poller has to have done in the end: each valid message once, each other a dead letter, no more."""

from collections import Counter, defaultdict
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
from confluent_kafka import Message

from tests.crashes.chatter import Life, partitions
from tests.crashes.sayings import Opinion, Times, opinion_of
from tests.localtom import LocalTom

MESSAGES = """
SELECT diasource_id, alert_id, brokername, brokerversion, classifiername, classifierparams,
       (extract(epoch FROM msghdrtimestamp) * 1000)::bigint, classid, probability,
       elasticcpublishtimestamp, brokeringesttimestamp, topicname, topicpartition, streammessage_id
FROM elasticc2_brokermessage JOIN elasticc2_brokerclassifier USING (classifier_id)"""
LETTERS = """
SELECT topic, topic_id, partition, "offset", (extract(epoch FROM message_time) * 1000)::bigint, value, reason
FROM streams_deadletter"""
LEDGER = """
SELECT topic, topic_id, partition, sum(seen)::bigint, sum(stored)::bigint, sum(duplicate)::bigint,
       sum(dead)::bigint
FROM streams_ledger GROUP BY topic, topic_id, partition"""
SEEN = "SELECT coalesce(sum(seen), 0) FROM streams_ledger"
SEEN_OF = "SELECT coalesce(sum(seen), 0) FROM streams_ledger WHERE topic_id = %s"
POSITIONS = "SELECT topic, topic_id, partition, next_offset FROM streams_position"
GAPS = "SELECT topic_id, partition, first_offset FROM streams_gap"
NEWS = "SELECT DISTINCT unnest(diasource_ids) FROM elasticc2_brokernews"
MIRROR = "SELECT diasource_id FROM elasticc2_brokersourceids"


class Place(NamedTuple):
    """Where a message stands, as its row says it: in two lives of a topic the same words may mean two."""

    topic: str
    partition: int
    offset: int


class Letter(NamedTuple):
    topic: str
    topic_id: str
    partition: int
    offset: int
    kafka_ms: int
    value: bytes | None


class Account:
    """What was on the topics, parted by the rules."""

    def __init__(self, lives: list[Life]) -> None:
        self.lives = lives
        self.valid: dict[Opinion, set[tuple[Times, Place]]] = defaultdict(set)
        self.letters: set[Letter] = set()
        self.dead: Counter[tuple[str, str, int]] = Counter()
        for life, number, messages in partitions(lives):
            for message in messages:
                self.enter(life, number, message)

    def enter(self, life: Life, number: int, message: Message) -> None:
        value, kafka_ms, offset = message.value(), message.timestamp()[1], message.offset() or 0
        found = opinion_of(value, kafka_ms)
        if found is None:
            self.letters.add(Letter(life.topic, life.topic_id, number, offset, kafka_ms, value))
            self.dead[life.topic, life.topic_id, number] += 1
        else:
            opinion, times = found
            self.valid[opinion].add((times, Place(life.topic, number, offset)))

    def check(self, tom: LocalTom) -> None:
        """Content, not only counts."""
        self.check_ledger(tom)
        self.check_messages(tom)
        self.check_letters(tom)
        self.check_positions(tom)

    def check_messages(self, tom: LocalTom) -> None:
        """Each opinion is stored once, as one of the messages has it that say it; reveal will hear of all."""
        stored = [as_stored(row) for row in tom.sql(MESSAGES)]
        times = Counter(opinion for opinion, _ in stored)
        assert [opinion for opinion, count in times.items() if count > 1] == [], "stored twice"
        assert [opinion for opinion in self.valid if opinion not in times] == [], "lost"
        assert [opinion for opinion in times if opinion not in self.valid] == [], "invented"
        assert [said for opinion, said in stored if said not in self.valid[opinion]] == [], "changed"
        sources = {opinion.diasource_id for opinion in times}
        assert {source for (source,) in tom.sql(NEWS)} == sources
        assert {source for (source,) in tom.sql(MIRROR)} == sources

    def check_letters(self, tom: LocalTom) -> None:
        rows = tom.sql(LETTERS)
        assert all(row[6] for row in rows), "a letter without a reason"
        letters = [letter_of(row) for row in rows]
        assert len(letters) == len(self.letters)
        assert set(letters) == self.letters

    def check_ledger(self, tom: LocalTom) -> None:
        entries = {row[:3]: row[3:] for row in tom.sql(LEDGER)}
        for life, number, messages in partitions(self.lives):
            key = (life.topic, life.topic_id, number)
            seen, stored, duplicate, dead = entries.pop(key)
            assert (seen, dead) == (len(messages), self.dead[key]), key
            assert seen == stored + duplicate + dead, key
        assert entries == {}
        assert tom.one("SELECT sum(stored) FROM streams_ledger") == len(self.valid)

    def check_positions(self, tom: LocalTom) -> None:
        """At the ends; gaps are only where a topic ended, and where its last message was read before."""
        ends = {
            (life.topic, life.topic_id, number): (messages[-1].offset() or 0) + 1
            for life, number, messages in partitions(self.lives)
        }
        found = {row[:3]: row[3] for row in tom.sql(POSITIONS)}
        assert {key: offset for key, offset in found.items() if key in ends} == ends
        assert {offset for key, offset in found.items() if key not in ends} <= {0}
        over = {life.topic_id for life in self.lives if life.is_over}
        offsets = {key[1:]: offset for key, offset in found.items()}
        for topic_id, partition, first_offset in tom.sql(GAPS):
            assert topic_id in over
            assert first_offset == offsets[topic_id, partition]


def letter_of(row: tuple[Any, ...]) -> Letter:
    topic, topic_id, partition, offset, kafka_ms, value, _ = row
    return Letter(topic, topic_id, partition, offset, kafka_ms, None if value is None else bytes(value))


def as_stored(row: tuple[Any, ...]) -> tuple[Opinion, tuple[Times, Place]]:
    """A row as the messages are kept here."""
    source, alert, *names, kafka_ms, classids, probabilities, published, ingested = row[:11]
    exact = np.array(probabilities, np.float32).astype(float)
    opinion = Opinion(source, alert, tuple(names), kafka_ms, tuple(classids), tuple(exact.tolist()))
    return opinion, (Times(utc(published), ingested and utc(ingested)), Place(*row[11:]))


def utc(moment: datetime) -> datetime:
    assert moment.utcoffset() is not None
    return moment

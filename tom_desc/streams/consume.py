"""The poller: what a consumer group has on Kafka goes into the database, a batch a transaction, exactly once.

Positions are in the database and move with what is stored (``positions.py``); Kafka is never told. Whatever
cannot be held together, because partitions were claimed by another, topics made anew or offsets gone, is
dropped uncommitted: the poller leaves the group, joins again and claims what it is given. Whatever is only
away for a while, the database or Kafka, is waited for with the batch in memory.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
from confluent_kafka import KafkaException
from django.db import Error, connection, transaction
from django.db.backends.signals import connection_created

from tom_desc.streams import deadletters, ledger, positions
from tom_desc.streams.batches import Batch, Decode, Decoded
from tom_desc.streams.brokers import Broker
from tom_desc.streams.classifications import Reject
from tom_desc.streams.deadletters import Letter
from tom_desc.streams.ledger import Entry
from tom_desc.streams.membership import Membership
from tom_desc.streams.positions import Fenced, Move, Outcome, Place
from tom_desc.streams.refusals import Refused, first_line, refusals
from tom_desc.streams.subscription import Rejoin
from tom_desc.tally import Tally

log = logging.getLogger(__name__)

# A frozen poller's transaction ends after so long, so that another can claim what it held; and whoever waits
# for what another holds says so now and then.
SESSION = "SET idle_in_transaction_session_timeout = '30s'; SET lock_timeout = '60s'"
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.25, 2.0
SECONDS_BETWEEN_COMPLAINTS = 60.0


@dataclass(frozen=True)
class Counts(Tally):
    """Messages that were read, and what became of them."""

    seen: int = 0
    stored: int = 0
    duplicate: int = 0
    dead: int = 0

    def __str__(self) -> str:
        return ", ".join(f"{count} {name}" for name, count in asdict(self).items())


@dataclass
class Trouble:
    """Something is away: since when, when that was last said, how long to wait before the next try."""

    since: float
    said: float
    failed: float = 0.0
    wait: float = FIRST_WAIT_SECONDS


@dataclass(frozen=True)
class Undecoded:
    """A batch without messages, or whose only message is refused."""

    rejects: Sequence[Reject]

    def prepare(self) -> None:
        """There is nothing to prepare."""

    def store(self, cursor: Any) -> dict[Place, int]:
        """There is nothing to store."""
        return {}


@contextmanager
def poller_session() -> Iterator[None]:
    """Database sessions that begin within it end transactions that stand still, and do not wait for ever."""

    def limit(sender: object, connection: Any, **signal: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute(SESSION)

    connection.close()
    connection_created.connect(limit)
    try:
        yield
    finally:
        connection_created.disconnect(limit)
        connection.close()


class Poller:
    """Polls one broker.

    Parameters
    ----------
    decode
        The campaign's.
    now
        The wall clock.
    rewind
        Begin every topic that there is from its first message again, once.
    """

    def __init__(
        self, broker: Broker, decode: Decode, *, now: Callable[[], datetime], rewind: bool = False
    ) -> None:
        self.broker = broker
        self.decode = decode
        self.now = now
        self.rewind = rewind
        self.member: Membership | None = None
        # Parts of one batch, in order; usually all of it.
        self.waiting: deque[Batch] = deque()
        # What the first of them came to, where nobody confirmed its COMMIT.
        self.unconfirmed: Counts | None = None
        self.trouble: Trouble | None = None

    def run(self, *, stopping: Callable[[], bool], on_poll: Callable[[Counts], None]) -> None:
        """Poll until asked to stop; ``on_poll`` hears of every poll, also of those that only waited."""
        with poller_session():
            try:
                while not stopping():
                    on_poll(self.poll_once())
            finally:
                self.leave()

    def poll_once(self) -> Counts:
        """Handle one batch in one transaction, or wait for a moment; what became of the batch."""
        try:
            self.wait()
            counts = self.step()
        except (Rejoin, Fenced) as reason:
            log.warning("%s: joining the group anew: %s", self.broker.name, reason)
            self.leave()
            time.sleep(FIRST_WAIT_SECONDS)
            return Counts()
        except (KafkaException, Error) as error:
            self.complain(error)
            return Counts()
        self.recover(counts)
        return counts

    def step(self) -> Counts:
        """One batch, of those that go well."""
        if self.member is None:
            self.member = Membership(self.broker, now=self.now, rewind=self.rewind)
            self.rewind = False
        if not self.member.is_current:
            self.forget()
        self.member.look_when_due()
        if not self.waiting and (batch := self.member.read()):
            self.waiting.append(batch)
        return self.store_next(self.member) if self.waiting else Counts()

    def store_next(self, member: Membership) -> Counts:
        """Store the batch that waits; where the database refuses some of it, part it, to find out what."""
        batch = self.waiting[0]
        moves = moves_of(batch, member)
        if not moves:
            self.waiting.popleft()
            return Counts()
        try:
            counts = self.confirm(member, moves) or self.store(member, batch, moves)
        except Refused as refused:
            self.unconfirmed = None
            if len(batch) > 1:
                self.waiting.popleft()
                self.waiting.extendleft(reversed(batch.halves()))
                return Counts()
            counts = self.store(member, batch, moves, refused=str(refused))
        self.waiting.popleft()
        self.unconfirmed = None
        for move in moves:
            member.held[move.partition.place].next_offset = move.to_offset
        if counts.seen:
            log.info("%s: %s", self.broker.name, counts)
        return counts

    def confirm(self, member: Membership, moves: Sequence[Move]) -> Counts | None:
        """What the batch came to, if an earlier COMMIT of it was done after all."""
        if self.unconfirmed is None:
            return None
        with connection.cursor() as cursor:
            outcome = positions.outcome(cursor, member.reader, moves)
        log.warning("%s: a COMMIT that nobody confirmed: %s", self.broker.name, outcome.value)
        if outcome is Outcome.FENCED:
            raise Fenced("partitions were claimed by another while a COMMIT was not confirmed")
        counts, self.unconfirmed = self.unconfirmed, None
        return counts if outcome is Outcome.STORED else None

    def store(self, member: Membership, batch: Batch, moves: Sequence[Move], *, refused: str = "") -> Counts:
        """One transaction; ``refused`` is why the database will not have the batch's only message.

        Raises
        ------
        Refused, Fenced, Rejoin
        """
        member.check({topic for topic, _ in batch.next_offsets})
        decoded = self.decode(batch) if len(batch) and not refused else undecoded(refused)
        with refusals():
            decoded.prepare()
            moment = self.now()
            with transaction.atomic(), connection.cursor() as cursor:
                positions.advance(cursor, member.reader, moves)
                stored = decoded.store(cursor)
                deadletters.keep(cursor, member.reader, letters_of(batch, decoded, member), received=moment)
                entries = entries_of(batch, decoded, stored, member)
                ledger.record(cursor, member.reader, ledger.night_of(moment), entries)
                # From here on only the COMMIT can fail, and nobody may tell us whether it did.
                self.unconfirmed = total(entries)
        return self.unconfirmed

    def wait(self) -> None:
        """Before a new try: stay in the group for a while, with what was read in memory."""
        if self.trouble is None:
            return
        if self.member is None:
            time.sleep(self.trouble.wait)
        else:
            self.member.subscription.hold(self.trouble.wait)
        self.trouble.wait = min(2 * self.trouble.wait, LONGEST_WAIT_SECONDS)

    def complain(self, error: KafkaException | Error) -> None:
        """Say, now and then, what is away; a connection to the database that may be broken is given up."""
        if isinstance(error, KafkaException):
            away, words = "Kafka", error.args[0].str()
        else:
            away, words = "the database", first_line(error)
            connection.close()
        moment = time.monotonic()
        if self.member is not None:
            self.member.look_soon()
        if self.trouble is None:
            self.trouble = Trouble(moment, moment)
            log.warning("%s: waiting for %s: %s", self.broker.name, away, words)
        elif moment - self.trouble.said > SECONDS_BETWEEN_COMPLAINTS:
            self.trouble.said = moment
            waited = moment - self.trouble.since
            log.error("%s: waiting for %s for %.0f s: %s", self.broker.name, away, waited, words)
        self.trouble.failed = moment

    def recover(self, counts: Counts) -> None:
        """Go on where what was away is there again: something was stored, or looked at."""
        if self.trouble is None or self.member is None:
            return
        if counts.seen or self.member.looked > self.trouble.failed:
            log.info("%s: going on after %.1f s", self.broker.name, time.monotonic() - self.trouble.since)
            self.trouble = None
            self.member.subscription.release()

    def forget(self) -> None:
        """Drop what was read and not stored: whoever has the partitions now reads it again."""
        self.waiting.clear()
        self.unconfirmed = None

    def leave(self) -> None:
        """Leave the group, with what was read and not stored."""
        self.forget()
        self.trouble = None
        if self.member is not None:
            self.member.leave()
            self.member = None


def undecoded(refused: str) -> Undecoded:
    return Undecoded([Reject(0, refused)] if refused else [])


def moves_of(batch: Batch, member: Membership) -> list[Move]:
    """How the batch moves positions; where it is read further and nothing came, too."""
    moves = []
    for place, to_offset in batch.next_offsets.items():
        held = member.held[place]
        last = batch.lasts.get(place)
        time_of_last = None if last is None else batch.sensible_time(last)
        if to_offset > held.next_offset:
            end = member.subscription.known_end(place)
            moves.append(Move(held.partition, held.epoch, held.next_offset, to_offset, end, time_of_last))
    return moves


def letters_of(batch: Batch, decoded: Decoded, member: Membership) -> list[Letter]:
    """The messages of a batch that cannot be stored."""
    letters = []
    for reject in decoded.rejects:
        partition = member.held[batch.places[batch.which[reject.place]]].partition
        offset, moment = int(batch.offsets[reject.place]), batch.time(reject.place)
        value = batch.values[reject.place]
        letters.append(Letter(partition, offset, moment, reject.brokername, reject.reason, value))
    return letters


def entries_of(
    batch: Batch, decoded: Decoded, stored: Mapping[Place, int], member: Membership
) -> list[Entry]:
    """What the ledger is told of a batch."""
    dead = batch.counts(np.array([reject.place for reject in decoded.rejects], np.int64))
    return [
        Entry(member.held[place].partition, seen, stored.get(place, 0), dead.get(place, 0))
        for place, seen in batch.counts().items()
    ]


def total(entries: Sequence[Entry]) -> Counts:
    return sum((Counts(e.seen, e.stored, e.duplicate, e.dead) for e in entries), Counts())

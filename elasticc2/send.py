"""Sending: alerts go to Kafka night after night, and are marked when Kafka has confirmed them.

Within a night slices follow each other without a wait; a night is confirmed and marked before the next one is
produced. So whoever is killed had no more on its way than a few slices of one night, and whoever comes after
finds on the topics what of it arrived, see :mod:`elasticc2.recovery`.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from confluent_kafka import KafkaError, KafkaException
from django.db import DatabaseError, InterfaceError, connection
from django.db.models import F

from elasticc2 import sendruns
from elasticc2.alerts import RunBatch, mark_sent
from elasticc2.encoding import alert_id_of
from elasticc2.models import SendBatch, SendRun
from elasticc2.recovery import mark_delivered
from elasticc2.sendruns import AlertTopics, Window, asked_window, topics_of, unfinished_runs, window_of
from elasticc2.slices import Slice, slices
from tom_desc.streams.delivered import Ends, topic_ends
from tom_desc.streams.produce import Headers, NoReports, Outbox, Reports, client_settings, largest_batch
from tom_desc.streams.schemas import ALERT
from tom_desc.streams.topics import Topics
from tom_desc.tally import Tally

# Slices of a night that wait for their reports while another is handed over.
IN_FLIGHT = 2
REFUSALS_NAMED = 20
STOPPED = "stopped by SIGTERM; the next run goes on"

# By alert, why it was not delivered.
Refused = dict[int, KafkaError]


class SendingFailed(Exception):
    """Not everything was sent; the message says what to know about it."""


class AlreadySending(SendingFailed):
    """Somebody else sends."""


class Stopped(SendingFailed):
    """SIGTERM came."""


@dataclass(frozen=True)
class Sent(Tally):
    """What Kafka has confirmed, and alerts that turned out to have arrived before.

    An alert of a deep-drilling field is two messages.
    """

    alerts: int = 0
    messages: int = 0
    bytes: int = 0
    found: int = 0

    def __str__(self) -> str:
        found = f"; {self.found} alerts of a run that was cut short had arrived" if self.found else ""
        return f"{self.alerts} alerts in {self.messages} messages, {self.bytes / 1e6:.1f} MB{found}"


@dataclass(frozen=True)
class Order:
    """What to send, and where to; exactly one of the last three, see :func:`sendruns.asked_window`."""

    server: str
    topics: AlertTopics
    start_day: float | None = None
    through_day: float | None = None
    added_days: float | None = None
    resend: int | None = None

    def window(self, cursor: Any) -> tuple[Window, float | None] | None:
        """The alerts that are meant, and from when on (None: from the first); None where there is none."""
        if self.resend is not None:
            return Window.of_night(self.resend), self.resend - sendruns.NOON
        asked = asked_window(
            cursor, start_day=self.start_day, through_day=self.through_day, added_days=self.added_days
        )
        return None if asked is None else (Window.between(*asked), asked[0])


@dataclass(frozen=True)
class How:
    """The circumstances of a run: threads that read ahead, the wall clock, who stops it, who is told."""

    threads: int
    now: Callable[[], datetime]
    stopping: Callable[[], bool]
    report: Callable[[SendRun, Sent], None]


class Flight(NamedTuple):
    """A slice on its way."""

    slice: Slice
    sent: datetime
    reports: Reports


class Sending:
    """One run, from its first slice to its last.

    Attributes
    ----------
    refused : dict
        By alert, why Kafka did not take it.
    is_stopped : bool
        Whether SIGTERM came before the last slice was handed over.
    """

    def __init__(self, run: SendRun, outbox: Outbox, kafka: Topics, ends: dict[str, Ends], how: How) -> None:
        self.run = run
        self.outbox = outbox
        self.kafka = kafka
        self.ends = ends
        self.how = how
        self.flights: deque[Flight] = deque()
        self.refused: Refused = {}
        self.is_stopped = False

    @property
    def is_hopeless(self) -> bool:
        """Whether something else is wrong than the size of some alerts."""
        return any(error.code() != KafkaError.MSG_SIZE_TOO_LARGE for error in self.refused.values())

    def work(self, coming: Iterable[Slice]) -> Iterator[Sent]:
        """Send slice after slice, until there are no more, SIGTERM came, or nothing goes out any more."""
        for slice in coming:
            if self.flights and self.flights[-1].slice.night != slice.night:
                yield from self.land(leave=0)
            self.is_stopped = self.how.stopping()
            if self.is_stopped or self.is_hopeless:
                break
            self.launch(slice)
            yield from self.land(leave=IN_FLIGHT)
        yield from self.land(leave=0)

    def launch(self, slice: Slice) -> None:
        """Hand a slice over."""
        flight = Flight(slice, self.how.now(), Reports())
        headers = headers_of(flight.sent)
        self.flights.append(flight)
        for topic, key, value in slice.messages:
            self.outbox.send(topic, value, key=key, headers=headers, reports=flight.reports)

    def land(self, *, leave: int) -> Iterator[Sent]:
        """Mark the slices that were handed over first as they are confirmed, until so few are under way."""
        while len(self.flights) > leave:
            flight = self.flights[0]
            self.outbox.settle(flight.reports)
            yield self.mark(flight)
            self.flights.popleft()

    def mark(self, flight: Flight) -> Sent:
        """Mark those alerts of a slice that arrived with all their messages."""
        slice, failures = flight.slice, flight.reports.failed
        failed = {
            alert_id: error for value, error in failures if (alert_id := alert_id_of(value)) is not None
        }
        self.refused |= failed
        self.note_ends(flight.reports)
        arrived = dict(zip(slice.alert_ids, slice.mjds, strict=True))
        for alert_id in failed:
            del arrived[alert_id]
        size = slice.size - sum(len(value) for value, _ in failures)
        sent = Sent(len(arrived), len(slice.messages) - len(failures), size)
        if arrived:
            self.store(flight, arrived, sent)
        return sent

    def store(self, flight: Flight, arrived: Mapping[int, float], sent: Sent) -> None:
        """Mark alerts, of which the times are given in order, and note it in the run's row."""
        mjds = list(arrived.values())
        batch = RunBatch(
            run=self.run.pk,
            night=flight.slice.night,
            messages=sent.messages,
            bytes=sent.bytes,
            first_mjd=mjds[0],
            last_mjd=mjds[-1],
            slice_ends=as_json(self.ends),
        )
        if self.run.resend:
            note_resent(batch, flight.sent, alerts=sent.alerts)
            return
        with connection.cursor() as cursor:
            mark_sent(cursor, list(arrived), flight.sent, batch=batch)

    def note_ends(self, reports: Reports) -> None:
        """Where the topics end now: what follows lies beyond. A topic may have been made by what we sent."""
        ids = {topic: self.ends[topic].topic_id for topic, ends in reports.ends.items() if ends}
        ids |= self.kafka.ids({topic for topic, topic_id in ids.items() if not topic_id})
        for topic, topic_id in ids.items():
            self.ends[topic] = Ends(topic_id, {**self.ends[topic].offsets, **reports.ends[topic]})


def headers_of(sent: datetime) -> Headers:
    """What every message says of itself: its schema, and when it was sent (UTC)."""
    return [("schema", ALERT), ("sent", sent.isoformat())]


def note_resent(batch: RunBatch, sent: datetime, *, alerts: int) -> None:
    """Enter a slice that was sent again in the record of what was sent; marks of alerts stay."""
    SendRun.objects.filter(pk=batch.run).update(
        alerts_sent=F("alerts_sent") + alerts, last_confirmed_mjd=batch.last_mjd, updated=sent
    )
    SendBatch.objects.create(
        sendrun_id=batch.run,
        night=batch.night,
        sent=sent,
        alerts=alerts,
        messages=batch.messages,
        bytes=batch.bytes,
        first_mjd=batch.first_mjd,
        last_mjd=batch.last_mjd,
    )


def as_json(ends: dict[str, Ends]) -> str:
    return orjson.dumps({topic: end.as_json() for topic, end in ends.items()}).decode()


def send(order: Order, how: How) -> Sent:
    """Complete the runs that were cut short, then send what is asked for.

    Raises
    ------
    SendingFailed
        Where not everything could be sent; what Kafka confirmed is marked all the same.
    """
    server = Server(order.server)
    sent, refused = Sent(), Refused()
    with connection.cursor() as cursor, alone(cursor):
        for run in () if order.resend is not None else unfinished_runs():
            more, not_taken = server.work_off(run, how)
            sent, refused = sent + more, refused | not_taken
        if (new_run := begin(cursor, order, but=tuple(refused))) is not None:
            more, not_taken = server.work_off(new_run, how, but=tuple(refused))
            sent, refused = sent + more, refused | not_taken
    if refused:
        raise SendingFailed(sentence_of(refused))
    return sent


def planned(cursor: Any, order: Order) -> list[str]:
    """What :func:`send` would do, a line a night; nothing where there is nothing to send."""
    lines = []
    for run in () if order.resend is not None else unfinished_runs():
        alerts = window_of(run).count(cursor)
        lines.append(f"first the rest of run {run.pk}, through {run.through_mjd:g}: {alerts} alerts")
    if (found := order.window(cursor)) is not None:
        nights = found[0].per_night(cursor)
        lines += [night_line(order.topics, *counts) for counts in nights]
        lines += (
            [f"{sum(wide + deep for _, wide, deep in nights)} alerts of {len(nights)} nights"]
            if nights
            else []
        )
    return lines


def night_line(topics: AlertTopics, night: int, wide: int, deep: int) -> str:
    """Where a night's alerts go."""
    parts = [f"{wide} alerts to {topics.wfd}"] if wide else []
    parts += [f"{deep} alerts to {topics.ddf_full} and {topics.ddf_limited}"] if deep else []
    return f"night {night}: {', '.join(parts)}"


def begin(cursor: Any, order: Order, *, but: tuple[int, ...]) -> SendRun | None:
    """A run for what is asked for; None where there is no such alert."""
    found = order.window(cursor)
    if found is None:
        return None
    window, from_mjd = replace(found[0], but=but), found[1]
    alerts = window.count(cursor)
    if not alerts:
        return None
    return sendruns.begin_run(
        window=window, from_mjd=from_mjd, topics=order.topics, alerts=alerts, server=order.server
    )


class Server:
    """A Kafka server that answers."""

    def __init__(self, server: str) -> None:
        self.server = server
        self.settings = client_settings(server)
        self.kafka = Topics(self.settings)
        with reached(server):
            self.cluster_id = self.kafka.cluster_id()

    def work_off(self, run: SendRun, how: How, *, but: tuple[int, ...] = ()) -> tuple[Sent, Refused]:
        """Send what is unsent of a run's window; what it refused, by alert.

        Raises
        ------
        SendingFailed
            Where the run is not at its end.
        """
        with reached(self.server):
            ends = topic_ends(self.kafka, topics_of(run).names)
            batch_bytes = largest_batch(self.server, [topic for topic, end in ends.items() if end.topic_id])
            arrived = mark_delivered(run, self.settings, self.cluster_id, ends, how.now())
        sendruns.go_on(run, server=self.server, cluster_id=self.cluster_id, slice_ends=ends)
        sending = Sending(run, Outbox(self.server, batch_bytes=batch_bytes), self.kafka, ends, how)
        sent = Sent(found=arrived)
        window = replace(window_of(run), but=but)
        with (
            sendruns.unhurried(),
            unmarked_is_noted(sending),
            closing(slices(window, topics_of(run), threads=how.threads)) as coming,
        ):
            for more in sending.work(coming):
                sent += more
                how.report(run, more)
        conclude(sending)
        return sent, sending.refused


@contextmanager
def reached(server: str) -> Iterator[None]:
    """What Kafka cannot be asked ends the work with a sentence."""
    try:
        yield
    except KafkaException as error:
        raise SendingFailed(f"Kafka at {server}: {error.args[0].str()}; nothing was sent") from error


@contextmanager
def unmarked_is_noted(sending: Sending) -> Iterator[None]:
    """Where Kafka goes away, the run's row says so, and where to look for what arrived all the same."""
    try:
        yield
    except (NoReports, KafkaException) as error:
        reason = str(error) if isinstance(error, NoReports) else error.args[0].str()
        sendruns.cut_short(sending.run, reason, all_reported=False)
        raise SendingFailed(f"{reason}; what it confirmed is marked, the next run goes on") from error
    finally:
        sending.outbox.abandon()


def conclude(sending: Sending) -> None:
    """Note how the run ended; SendingFailed where it is not at its end."""
    if sending.refused:
        sentence = sentence_of(sending.refused)
        sendruns.cut_short(sending.run, sentence, all_reported=True)
        if sending.is_hopeless:
            raise SendingFailed(sentence)
    if sending.is_stopped:
        sendruns.cut_short(sending.run, STOPPED, all_reported=True)
        raise Stopped(STOPPED)
    if not sending.refused:
        sendruns.finish(sending.run)


def sentence_of(refused: Refused) -> str:
    """Which alerts were not delivered, and why."""
    named = [f"{alert_id} ({error.str()})" for alert_id, error in sorted(refused.items())[:REFUSALS_NAMED]]
    more = f" and {len(refused) - len(named)} more" if len(refused) > len(named) else ""
    return f"{len(refused)} alerts were not delivered: {', '.join(named)}{more}"


@contextmanager
def alone(cursor: Any) -> Iterator[None]:
    """Nobody else sends meanwhile; the connection that marks is the one that holds the lock."""
    if not sendruns.lock(cursor):
        raise AlreadySending("send_elasticc2_alerts is running already")
    try:
        yield
    finally:
        # A connection that is gone holds no lock any more.
        with suppress(DatabaseError, InterfaceError):
            sendruns.unlock(cursor)

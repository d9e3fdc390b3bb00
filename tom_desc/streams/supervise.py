"""One process a broker: each is restarted when it dies, and killed and restarted when it falls silent."""

import logging
import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from django.conf import settings
from django.utils.log import configure_logging

from tom_desc.streams.batches import Decode
from tom_desc.streams.brokers import Broker
from tom_desc.streams.consume import Counts, Poller

log = logging.getLogger(__name__)

# A database connection is never shared with a child: it begins as a new process.
SPAWN = multiprocessing.get_context("spawn")
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
SILENT_SECONDS = 300.0
STOP_SECONDS = 20
SECONDS_BETWEEN_BEATS = 1.0
LOOK_SECONDS = 0.5
# A child that lived longer was well, and is restarted at once; others later, but soon enough that, with the
# group's session time, no more than 15 s pass before somebody goes on.
WELL_SECONDS = 60.0
FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS = 1.0, 2.0


@contextmanager
def asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Within it these signals end nothing; what is yielded says whether one came."""
    came: list[int] = []
    before = {number: signal.signal(number, lambda n, frame: came.append(n)) for number in STOP_SIGNALS}
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass(frozen=True)
class Beat:
    """What a child says of itself: messages since the last beat, and whether it has still to rewind."""

    counts: Counts
    rewind: bool


class Heart:
    """A child's end of the pipe: tells the parent that it lives, and the child when the parent does not.

    A child that is alone then has ``STOP_SECONDS`` to leave: nobody is there any more who would kill one that
    hangs.
    """

    def __init__(self, pipe: "Connection[Beat, Beat]") -> None:
        self.pipe = pipe
        self.counts = Counts()
        self.beaten = 0.0
        self.is_alone = False

    def beat(self, counts: Counts, *, rewind: bool) -> None:
        """After every poll."""
        self.counts += counts
        if time.monotonic() - self.beaten < SECONDS_BETWEEN_BEATS:
            return
        try:
            self.pipe.send(Beat(self.counts, rewind))
        except OSError:
            if not self.is_alone:
                signal.alarm(STOP_SECONDS)
            self.is_alone = True
        self.counts, self.beaten = Counts(), time.monotonic()


def poll(broker: Broker, decode: Decode, rewind: bool, pipe: "Connection[Beat, Beat]") -> None:
    """A child's life: poll until asked to stop, or until the parent is gone."""
    with asked_to_stop() as stopping:
        # Not django.setup(): polling needs no app, and to load them takes as long as all the rest of a start.
        configure_logging(settings.LOGGING_CONFIG, settings.LOGGING)
        heart = Heart(pipe)
        poller = Poller(broker, decode, now=partial(datetime.now, UTC), rewind=rewind)
        poller.run(
            stopping=lambda: stopping() or heart.is_alone,
            on_poll=lambda counts: heart.beat(counts, rewind=poller.rewind),
        )
        log.info("%s: stopped", broker.name)


@dataclass
class Child:
    """A broker's process, and what is known of it; None while it waits to be started."""

    broker: Broker
    decode: Decode
    rewind: bool
    silent_seconds: float
    process: SpawnProcess | None = None
    pipe: "Connection[Beat, Beat] | None" = None
    started: float = 0.0
    heard: float = 0.0
    due: float = 0.0
    delay: float = 0.0
    counts: Counts = field(default_factory=Counts)

    def start(self) -> None:
        """Start the process."""
        self.pipe, theirs = SPAWN.Pipe(duplex=False)
        arguments = self.broker, self.decode, self.rewind, theirs
        self.process = SPAWN.Process(target=poll, args=arguments, name=self.broker.name)
        self.process.start()
        # Nobody but the child holds its end, nor anybody but us ours: whichever is left alone is told so.
        theirs.close()
        self.started = self.heard = time.monotonic()
        log.info("%s: process %d", self.broker.name, self.process.pid)

    def tend(self) -> None:
        """Hear what it says; start it again where it is dead, kill it first where it is silent."""
        if self.process is None:
            if time.monotonic() >= self.due:
                self.start()
            return
        self.listen()
        if not self.process.is_alive():
            log.error("%s: process %d died (%s)", self.broker.name, self.process.pid, self.process.exitcode)
            self.bury()
        elif time.monotonic() - self.heard > self.silent_seconds:
            log.error("%s: process %d is silent and is killed", self.broker.name, self.process.pid)
            self.process.kill()
            self.process.join()
            self.bury()

    def listen(self) -> None:
        assert self.pipe is not None
        try:
            while self.pipe.poll():
                beat = self.pipe.recv()
                self.counts += beat.counts
                self.rewind = beat.rewind
                self.heard = time.monotonic()
        except (EOFError, OSError) as error:
            log.debug("%s: its pipe ended: %r", self.broker.name, error)

    def bury(self) -> None:
        """Forget a dead process, and say when the next one starts: at once, unless they die young."""
        moment = time.monotonic()
        if moment - self.started > WELL_SECONDS:
            self.delay = 0.0
        self.due = moment + self.delay
        self.delay = min(max(2 * self.delay, FIRST_DELAY_SECONDS), LONGEST_DELAY_SECONDS)
        assert self.pipe is not None
        self.pipe.close()
        self.process = self.pipe = None


def supervise(
    brokers: Sequence[Broker],
    decode: Decode,
    *,
    rewind: bool,
    stopping: Callable[[], bool],
    silent_seconds: float = SILENT_SECONDS,
) -> Counts:
    """Poll all brokers until asked to stop; what the processes said they have done.

    Parameters
    ----------
    rewind
        Begin every topic that there is from its first message again, once.
    silent_seconds
        How long a child may say nothing before it is killed.
    """
    children = [Child(broker, decode, rewind, silent_seconds) for broker in brokers]
    try:
        while not stopping():
            for child in children:
                child.tend()
            wait([child.pipe for child in children if child.pipe], LOOK_SECONDS)
    finally:
        stop(children)
    return sum((child.counts for child in children), Counts())


def stop(children: Sequence[Child]) -> None:
    """Let the children finish what they have in hand; kill those that take too long."""
    running = [(child, child.process) for child in children if child.process]
    for _, process in running:
        process.terminate()
    until = time.monotonic() + STOP_SECONDS
    for child, process in running:
        while process.is_alive() and time.monotonic() < until:
            child.listen()
            process.join(0.05)
        child.listen()
        if process.is_alive():
            log.error("%s: process %d does not stop and is killed", child.broker.name, process.pid)
            process.kill()
            process.join()

"""Dead letters as pages show them: filtered, the newest first, from one key to the next."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.db.models import Count, F, Func, IntegerField, Q, QuerySet

from tom_desc.streams.models import DeadLetter

PAGE_ROWS = 50
# Nobody reads further, and counting them all takes longer the more there are.
COUNTED = 100_000
# A name that is shorter is part of too many others.
CARRIED_LENGTH = 3
# What can be replayed while somebody waits for the answer.
REPLAYED_LETTERS = 1_000
REPLAYED_BYTES = 64 * 2**20
SIZE = Func(F("value"), function="octet_length", output_field=IntegerField())


@dataclass(frozen=True)
class Filters:
    """Which letters; what is empty lets all pass.

    Attributes
    ----------
    text
        Somewhere in the reason, whatever its case.
    brokers
        Letters of these brokers alone; None: of all.
    ids
        These letters alone; None: all.
    """

    source: str = ""
    topic: str = ""
    text: str = ""
    brokers: Collection[str] | None = None
    ids: Collection[int] | None = None

    @property
    def letters(self) -> QuerySet[DeadLetter]:
        """The letters that pass, in no order."""
        found = DeadLetter.objects.all()
        if self.source:
            found = found.filter(source=self.source)
        if self.topic:
            found = found.filter(topic=self.topic)
        if self.text:
            found = found.filter(reason__icontains=self.text)
        if self.ids is not None:
            found = found.filter(pk__in=self.ids)
        return found if self.brokers is None else found.filter(of_brokers(self.brokers))


def of_brokers(names: Collection[str]) -> Q:
    """Letters that say they are of these brokers, or came on a stream that carries a name of theirs."""
    of_them = Q(brokername__in=names)
    for name in names:
        if len(name) >= CARRIED_LENGTH:
            of_them |= Q(source__icontains=name) | Q(topic__icontains=name)
    return of_them


def carries(names: Collection[str] | None, *, source: str, topic: str) -> bool:
    """Whether a stream carries a name of these brokers, as in :func:`of_brokers`; None: any does."""
    if names is None:
        return True
    stream = (source.lower(), topic.lower())
    return any(len(name) >= CARRIED_LENGTH and name.lower() in part for name in names for part in stream)


@dataclass(frozen=True)
class LetterPage:
    """Some letters without their values, each with its value's ``size`` in bytes (None: it had no value).

    Attributes
    ----------
    older
        The key of the page after this one; None where there is no more.
    """

    letters: Sequence[DeadLetter]
    older: int | None


def letter_page(filters: Filters, *, before: int | None, rows: int = PAGE_ROWS) -> LetterPage:
    """The newest letters that pass, of those older than the letter ``before``."""
    found = filters.letters if before is None else filters.letters.filter(pk__lt=before)
    letters = list(found.annotate(size=SIZE).defer("value").order_by("-pk")[: rows + 1])
    older = letters[rows - 1].pk if len(letters) > rows else None
    return LetterPage(letters[:rows], older)


def count(filters: Filters) -> int:
    """How many letters pass; COUNTED + 1 where there are more than COUNTED."""
    return filters.letters[: COUNTED + 1].count()


class TooManyLetters(Exception):
    """More letters, or more of them in bytes, than can be replayed while somebody waits."""


def ids_to_replay(filters: Filters) -> list[int]:
    """Ids of all letters that pass, the oldest first.

    Raises
    ------
    TooManyLetters
        Where they are more than REPLAYED_LETTERS or REPLAYED_BYTES.
    """
    sizes = filters.letters.annotate(size=SIZE).order_by("pk").values_list("pk", "size")
    found = list(sizes[: REPLAYED_LETTERS + 1])
    if len(found) > REPLAYED_LETTERS or sum(size or 0 for _, size in found) > REPLAYED_BYTES:
        raise TooManyLetters(
            f"These are more than {REPLAYED_LETTERS:,} letters or {REPLAYED_BYTES // 2**20} MB:"
            " manage.py replay_dead_letters replays them."
        )
    return [key for key, _ in found]


@dataclass(frozen=True)
class StreamCount:
    """How many letters a stream has."""

    source: str
    topic: str
    letters: int


def by_stream() -> list[StreamCount]:
    """The streams that have dead letters."""
    rows = DeadLetter.objects.values_list("source", "topic").annotate(letters=Count("*"))
    return [StreamCount(*row) for row in rows.order_by("source", "topic")]

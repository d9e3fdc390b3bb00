"""Progress of long work: a bar on a terminal, a line now and then elsewhere."""

import time
from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

from tqdm import tqdm

T = TypeVar("T")


class Stream(Protocol):
    """A text stream, or a management command's wrapper of one."""

    def isatty(self) -> bool: ...

    def write(self, text: str, /) -> object: ...

    def flush(self) -> object: ...


SECONDS_BETWEEN_LINES = 10.0


def progress(items: Iterable[T], *, total: int, what: str, stream: Stream) -> Iterator[T]:
    """The items, reporting to ``stream`` how many of ``total`` have passed; ``what`` names them."""
    if stream.isatty():
        yield from tqdm(items, total=total, desc=what, file=stream, leave=False)
        return
    said = time.monotonic()
    for count, item in enumerate(items, start=1):
        yield item
        if time.monotonic() - said > SECONDS_BETWEEN_LINES:
            said = time.monotonic()
            stream.write(f"{what}: {count} of {total}\n")
            stream.flush()

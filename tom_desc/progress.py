"""Progress of long work: a bar on a terminal, a line now and then elsewhere."""

import time
from collections.abc import Iterable, Iterator
from typing import TextIO, TypeVar

from tqdm import tqdm

T = TypeVar("T")
SECONDS_BETWEEN_LINES = 10.0


def progress(items: Iterable[T], *, total: int, what: str, stream: TextIO) -> Iterator[T]:
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

"""How far behind the streams are read, as pages show it: those that are still looked at, or wait."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter

from tom_desc.streams.lag import Lag

SHOWN = 200
# A consumer looks at each of its partitions much more often.
SILENT = timedelta(minutes=5)
LEFT = timedelta(days=1)


@dataclass(frozen=True)
class ShownLag:
    """A partition; ``is_silent``: nobody has looked at it of late, so that its consumer may be down."""

    lag: Lag
    is_silent: bool


@dataclass(frozen=True)
class LagList:
    """Partitions by source, consumer group, topic and number.

    Attributes
    ----------
    quiet
        How many are not shown because nothing waits in them and their consumer has left them for a day.
    more
        How many are not shown because others are further behind.
    """

    rows: Sequence[ShownLag]
    quiet: int
    more: int


def lag_list(lags: Sequence[Lag], *, moment: datetime, most: int = SHOWN) -> LagList:
    """What there is to see of many partitions at a moment (wall time), in the same order."""
    newest: dict[str, Lag] = {}
    for lag in sorted(lags, key=attrgetter("heard")):
        newest[lag.source] = lag
    active = [lag for lag in lags if lag.messages != 0 or newest[lag.source].heard - lag.heard <= LEFT]
    furthest = sorted(active, key=lambda lag: lag.messages or 0, reverse=True)[:most]
    chosen = {id(lag) for lag in furthest}
    return LagList(
        rows=[ShownLag(lag, moment - lag.heard > SILENT) for lag in active if id(lag) in chosen],
        quiet=len(lags) - len(active),
        more=len(active) - len(furthest),
    )

"""How much to measure with.

``full`` is what the goals are stated for, ``small`` takes a few minutes; ``smoke`` shows that everything
runs, and its figures mean nothing; ``vast`` has more broker messages.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Sky:
    """A TOM to be made, see :mod:`benchmarks.skies`.

    Attributes
    ----------
    objects
        Known to the TOM.
    hot
        How many of them were detected of late.
    hidden
        More objects, which only the PPDB has: to be revealed.
    """

    objects: int
    hot: int
    hidden: int = 1200


@dataclass(frozen=True)
class Scale:
    """Sizes of the benchmarks.

    Attributes
    ----------
    large, little
        Skies with 8 times as much photometry in one as in the other.
    survey
        Objects of the simulated survey; each brings some 200 rows.
    runs
        How often each thing is measured.
    requests
        Of one client in one run.
    batches
        Of a thousand broker messages in one run.
    alerts
        To assemble.
    stored
        Broker messages that are there before more come from a stream.
    streamed
        Those that come, in one run; 100,000 at most.
    """

    large: Sky
    little: Sky
    survey: int
    runs: int
    requests: int
    batches: int
    alerts: int
    stored: int
    streamed: int


SCALES = {
    "smoke": Scale(
        large=Sky(objects=1_000, hot=200, hidden=400),
        little=Sky(objects=125, hot=25, hidden=400),
        survey=60,
        runs=1,
        requests=20,
        batches=1,
        alerts=50,
        stored=1_000,
        streamed=1_000,
    ),
    "small": Scale(
        large=Sky(objects=25_000, hot=5_000),
        little=Sky(objects=3_125, hot=625),
        survey=1_000,
        runs=5,
        requests=200,
        batches=5,
        alerts=1_000,
        stored=200_000,
        streamed=50_000,
    ),
    "full": Scale(
        large=Sky(objects=100_000, hot=20_000),
        little=Sky(objects=12_500, hot=2_500),
        survey=5_000,
        runs=7,
        requests=400,
        batches=10,
        alerts=3_000,
        stored=5_000_000,
        streamed=100_000,
    ),
}
# Four times as many broker messages beside the full scale's: whether more of them make it slower.
SCALES["vast"] = replace(SCALES["full"], stored=20_000_000)

"""A seeded random PPDB of whatever an alert can stumble over: ties, bounds, NULLs, ids of every length."""

import numpy as np
from django.db import connection

from elasticc2.campaign import OBJECT_COLUMNS, OBJECT_FLOATS
from tom_desc.bulkcopy import copy_in

# Around every length that Avro's encoding of a positive id can have, and some more.
IDS = sorted(
    {2 ** (7 * k - 1) + step for k in range(1, 10) for step in (-1, 0)} | {2**63 - 1, *range(500, 520)}
)
AWKWARD_FLOATS = np.array([-0.0, 1e-45, -9999, 999, 3.4e38, np.inf, np.nan, 0.1], np.float32)
BANDS = np.array([b"u", b"g", b"r", b"i", b"z", b"Y"])


class AwkwardSky:
    """Objects, sources, forced sources and alerts; ``store`` writes them."""

    def __init__(self, seed: int = 0) -> None:
        self.dice = np.random.default_rng(seed)
        self.sources_so_far = self.forced_so_far = 0

    def store(self) -> None:
        with connection.cursor() as cursor:
            copy_in(cursor, "elasticc2_ppdbdiaobject", self.objects(IDS))
            for k, objectid in enumerate(IDS):
                sources, forced = self.times(k % 4)
                self.store_sources(cursor, objectid, sources)
                self.store_forced(cursor, objectid, forced)
            self.store_sources(cursor, None, self.dice.choice(np.arange(60000, 60010), 5))

    def objects(self, ids):
        """Every kind of host: all columns, some NULL, all NULL."""
        missing = self.dice.random((len(OBJECT_FLOATS), len(ids))) < self.dice.choice([0, 0.3, 1], len(ids))
        columns = {
            "diaobject_id": np.array(ids),
            "simversion": [None if k % 3 == 0 else "tag é"[: k % 7] for k in range(len(ids))],
            "ra": self.dice.random(len(ids)) * 360,
            "decl": self.dice.random(len(ids)) * 180 - 90,
            "isddf": self.dice.random(len(ids)) < 0.2,
        }
        for name, mask in zip(OBJECT_FLOATS, missing, strict=True):
            columns[name] = np.ma.array(self.fluxes(len(ids)), mask=mask)
        return {name: columns[name] for name in OBJECT_COLUMNS}

    def times(self, kind):
        """MJDs of sources and of forced sources: many ties and exact bounds, or few points, or scattered."""
        if kind == 0:
            return self.dice.random(15) * 800 + 60000, self.dice.random(60) * 900 + 59950
        if kind == 1:
            return np.array([60000.0]), self.dice.random(3) * 30 + 59990
        # On a grid: 365 days, 30 days and half a day before a source are times of other points.
        grid = np.array([0, 0.25, 0.5, 0.75, 1, 30, 30.25, 335, 364.75, 365, 365.25, 365.5, 395, 730])
        sources = 60000 + self.dice.choice(grid, 20)
        return sources, np.concatenate([sources, 60000 + self.dice.choice([*grid, *-grid], 200)])

    def fluxes(self, count):
        plain = (self.dice.normal(size=count) * 1000).astype(np.float32)
        return np.where(self.dice.random(count) < 0.1, self.dice.choice(AWKWARD_FLOATS, count), plain)

    def new_ids(self, count, so_far):
        """Distinct ids of all lengths, in no order of time: odd numbers, shifted, stay distinct."""
        odd = 2 * np.arange(so_far, so_far + count, dtype=np.int64) + 1
        return self.dice.permutation(odd) << self.dice.choice([0, 10, 30, 45], count)

    def photometry(self, objectid, mjd):
        return {
            "midpointtai": mjd.astype(float),
            "filtername": self.dice.choice(BANDS, len(mjd)),
            "psflux": self.fluxes(len(mjd)),
            "psfluxerr": self.fluxes(len(mjd)),
            "diaobject_id": None if objectid is None else np.full(len(mjd), objectid),
        }

    def store_sources(self, cursor, objectid, mjd):
        """Sources, each with an alert of another id."""
        ids, alert_ids = (self.new_ids(len(mjd), self.sources_so_far) for _ in range(2))
        self.sources_so_far += len(mjd)
        rows = self.photometry(objectid, mjd) | {
            "diasource_id": ids,
            "ra": self.dice.random(len(mjd)) * 360,
            "decl": self.dice.random(len(mjd)) * 180 - 90,
            "snr": self.fluxes(len(mjd)),
        }
        copy_in(cursor, "elasticc2_ppdbdiasource", rows)
        alerts = {"alert_id": alert_ids, "diasource_id": ids, "diaobject_id": rows["diaobject_id"]}
        copy_in(cursor, "elasticc2_ppdbalert", alerts)

    def store_forced(self, cursor, objectid, mjd):
        ids = self.new_ids(len(mjd), self.forced_so_far)
        self.forced_so_far += len(mjd)
        rows = self.photometry(objectid, mjd) | {"diaforcedsource_id": ids}
        copy_in(cursor, "elasticc2_ppdbdiaforcedsource", rows)

"""Survey time is MJD in TAI; wall time is UTC. This is where one becomes the other."""

from datetime import UTC, datetime

UNIX_EPOCH_MJD = 40587.0
SECONDS_PER_DAY = 86400.0
# TAI - UTC since 2017-01-01 (IERS Bulletin C 52); no leap second has been announced since.
TAI_MINUS_UTC_S = 37.0


def mjd_tai(moment: datetime) -> float:
    """MJD (TAI, days) of an aware datetime."""
    return UNIX_EPOCH_MJD + (moment.timestamp() + TAI_MINUS_UTC_S) / SECONDS_PER_DAY


def utc(mjd: float) -> datetime:
    """Aware UTC datetime of an MJD (TAI, days)."""
    return datetime.fromtimestamp((mjd - UNIX_EPOCH_MJD) * SECONDS_PER_DAY - TAI_MINUS_UTC_S, tz=UTC)

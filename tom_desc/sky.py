"""Positions on the sky as astronomers write them: degrees, and sexagesimal hours and degrees."""

import re
from math import isfinite

SECONDS_PER_UNIT = 3600
DEGREES_PER_HOUR = 15
SEXAGESIMAL = re.compile(r"([+-]?)(\d{1,3})[:\s]([0-5]?\d)[:\s]([0-5]?\d(?:\.\d*)?)")


def right_ascension(degrees: float, *, places: int = 3) -> str:
    """``hh:mm:ss.sss`` of a right ascension in degrees, which may be outside 0-360."""
    units = round(degrees / DEGREES_PER_HOUR * SECONDS_PER_UNIT * 10**places)
    return sexagesimal(units % (24 * SECONDS_PER_UNIT * 10**places), places=places)


def declination(degrees: float, *, places: int = 2) -> str:
    """``+dd:mm:ss.ss`` of a declination in degrees; ValueError outside -90 to 90."""
    if not abs(degrees) <= 90:
        raise ValueError(f"a declination lies between -90 and 90 degrees, not {degrees}")
    units = round(abs(degrees) * SECONDS_PER_UNIT * 10**places)
    return ("-" if degrees < 0 and units else "+") + sexagesimal(units, places=places)


def sexagesimal(units: int, *, places: int) -> str:
    """A whole number of 10^-places seconds. Whole numbers, so that 59.9996 s never shows as 60.000."""
    seconds, fraction = divmod(units, 10**places)
    minutes, second = divmod(seconds, 60)
    whole, minute = divmod(minutes, 60)
    return f"{whole:02d}:{minute:02d}:{second:02d}" + (f".{fraction:0{places}d}" if places else "")


def degrees_of_right_ascension(text: str) -> float:
    """Degrees of ``hh:mm:ss.s`` (or with blanks); ValueError where the text is no right ascension."""
    hours = number_of(text)
    if text.strip().startswith("-") or hours >= 24:
        raise ValueError(f"a right ascension lies between 0 and 24 hours, not {text!r}")
    return hours * DEGREES_PER_HOUR


def degrees_of_declination(text: str) -> float:
    """Degrees of ``+dd:mm:ss.s`` (or with blanks); ValueError where the text is no declination."""
    degrees = number_of(text)
    if abs(degrees) > 90:
        raise ValueError(f"a declination lies between -90 and 90 degrees, not {text!r}")
    return degrees


def number_of(text: str) -> float:
    """The number that three sexagesimal parts write."""
    match = SEXAGESIMAL.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is not of the form 12:34:56.7")
    sign, whole, minutes, seconds = match.groups()
    value = int(whole) + int(minutes) / 60 + float(seconds) / SECONDS_PER_UNIT
    return -value if sign == "-" else value


def position(ra: float, dec: float) -> str:
    """Both coordinates (degrees) in sexagesimal; empty where they are no position."""
    if not (isfinite(ra) and isfinite(dec) and abs(dec) <= 90):
        return ""
    return f"{right_ascension(ra)} {declination(dec)}"

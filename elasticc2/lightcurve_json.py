"""Light curves as JSON, in the three documented shapes, a piece at a time.

Format 0 is a list of objects with ``photometry`` inside, format 1 the same with the points at top level,
format 2 an object of lists, one entry an object, as ``pandas.DataFrame`` takes it.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import orjson

from elasticc2.campaign import HOSTINFO_COLUMNS
from elasticc2.lightcurves import OBJECTS_AT_ONCE, LightCurves
from tom_desc.jsonpost import JSON

# Nobody reported a spectrum: the documented value of redshift and sncode.
UNKNOWN = -99
# Keys of an object in formats 1 and 2.
COLUMNS = ("objectid", "ra", "dec", "zp", "redshift", "sncode", "mjd", "band", "flux", "fluxerr")


def ltcv(
    pieces: Iterable[LightCurves], *, objectids: Sequence[int], return_format: int, hostinfo: bool
) -> Iterator[bytes]:
    """What ``ltcv`` answers: the objects, and which of those asked for there are not."""
    found: set[int] = set()

    def noted() -> Iterator[LightCurves]:
        for piece in pieces:
            found.update(objectid for objectid, _, _ in piece.objects)
            yield piece

    yield b'{"status":"ok","diaobject":'
    yield from encode(noted(), return_format=return_format, hostinfo=hostinfo)
    yield b',"unknown":' + dumps(sorted(set(objectids) - found)) + b"}"


def hot(
    pieces: Callable[[], Iterable[LightCurves]], *, keys: Sequence[str], return_format: int, hostinfo: bool
) -> Iterator[bytes]:
    """What ``gethottransients`` answers: under each key the objects that have points."""
    yield b'{"status":"ok"'
    for key in keys:
        yield b"," + dumps(key) + b":"
        yield from encode(pieces(), return_format=return_format, hostinfo=hostinfo, only_with_points=True)
    yield b"}"


def encode(
    pieces: Iterable[LightCurves], *, return_format: int, hostinfo: bool, only_with_points: bool = False
) -> Iterator[bytes]:
    """The JSON of all pieces, in parts that follow each other.

    Parameters
    ----------
    hostinfo
        Whether the pieces have it.
    only_with_points
        Leave out objects of which there is no point.
    """
    entries = (piece_entries(piece, only_with_points=only_with_points) for piece in pieces)
    if return_format == 2:
        return as_columns(entries, COLUMNS + (HOSTINFO_COLUMNS if hostinfo else ()))
    if return_format == 1:
        return as_list([flat(entry) for entry in piece] for piece in entries)
    return as_list(entries)


def piece_entries(curves: LightCurves, *, only_with_points: bool) -> list[dict[str, Any]]:
    """The objects of a piece in format 0."""
    bounds = curves.bounds.tolist()
    letters = curves.points.band.tobytes().decode("latin-1")
    return [
        entry(curves, row, slice(start, stop), letters)
        for row, (start, stop) in enumerate(itertools.pairwise(bounds))
        if stop > start or not only_with_points
    ]


def entry(curves: LightCurves, row: int, its: slice, letters: str) -> dict[str, Any]:
    """One object of format 0; ``its`` points, and the bands of all points."""
    objectid, ra, dec = curves.objects[row]
    redshift, sncode = curves.spectra.get(objectid, (None, None))
    points = curves.points
    of_object = {
        "objectid": objectid,
        "ra": ra,
        "dec": dec,
        "zp": curves.zeropoint,
        "redshift": UNKNOWN if redshift is None else redshift,
        "sncode": UNKNOWN if sncode is None else sncode,
        "photometry": {
            "mjd": points.mjd[its],
            "band": list(letters[its]),
            "flux": points.flux[its],
            "fluxerr": points.fluxerr[its],
        },
    }
    if curves.hosts.size:
        of_object |= zip(HOSTINFO_COLUMNS, curves.hosts[row], strict=True)
    return of_object


def flat(entry: dict[str, Any]) -> dict[str, Any]:
    """Of format 0, the same in format 1."""
    return entry | entry.pop("photometry")


def dumps(value: Any) -> bytes:
    return orjson.dumps(value, option=JSON)


def as_list(pieces: Iterable[list[Any]]) -> Iterator[bytes]:
    """One list of all that the pieces have."""
    yield b"["
    comma = b""
    for piece in pieces:
        if piece:
            yield comma + dumps(piece)[1:-1]
            comma = b","
    yield b"]"


def as_columns(pieces: Iterable[list[dict[str, Any]]], keys: Sequence[str]) -> Iterator[bytes]:
    """One object of lists. All of it is read before the first column is whole."""
    entries = [flat(entry) for piece in pieces for entry in piece]
    for place, key in enumerate(keys):
        yield (b"," if place else b"{") + dumps(key) + b":"
        yield from as_list([entry[key] for entry in piece] for piece in batched(entries))
    yield b"}"


def batched(entries: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(entries), OBJECTS_AT_ONCE):
        yield entries[start : start + OBJECTS_AT_ONCE]

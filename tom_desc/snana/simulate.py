"""A simulated survey in SNANA's files: what the demo shows and tests and benchmarks run on.

Every object is drawn from ``[seed, index]`` alone, so that the same arguments give the same files whatever
the order or the machine, and files are written one by one, so that memory does not grow with the survey.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from tom_desc.snana.observing import Observed, Survey, simulate_object
from tom_desc.snana.populations import Population, apportion
from tom_desc.snana.writing import dump_header, dump_lines, readme, write_pair

PREFIX = "SIMULATED"
MANIFEST, UNFINISHED_MANIFEST = "simulation.json", "simulation.json.new"
# Written into the manifest: a simulation made by other code is not the same simulation.
FORMAT = 1
DEFAULT_SPAN_DAYS = 400.0
SHORTEST_SPAN_DAYS = 30.0
OBJECTS_PER_FILE = 500
# SNIDs are a permutation of 1..P: the larger prime only for surveys of ten million objects.
SNID_PRIMES = (9_999_991, 4_294_967_291)

Progress = Callable[[int], object]


class OccupiedDirectory(FileExistsError):
    """The output directory holds something that is not an unfinished simulation."""


@dataclass
class Tally:
    """What has been written so far."""

    objects: int = 0
    detections: int = 0
    points: int = 0
    directories: list[str] = field(default_factory=list)

    def add(self, observed: Observed) -> None:
        """Count one object."""
        self.objects += 1
        self.detections += int((observed.photometry["PHOTFLAG"] > 0).sum())
        self.points += len(observed.photometry)


def simulate_survey(
    outdir: Path,
    *,
    objects: int,
    seed: int,
    last_mjd: float,
    first_mjd: float | None = None,
    ddf_fraction: float = 0.02,
    files_per_model: int | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Write a survey of exactly ``objects`` detected objects and return its model directories.

    The last night ends at ``last_mjd``. ``first_mjd`` defaults to 400 days before, ``files_per_model`` to one
    file for each 500 objects; ``progress`` is called with 1 after every object. The manifest
    ``simulation.json`` is finished last: a directory whose manifest is not is simulated anew. Raises
    ValueError for arguments that make no survey and OccupiedDirectory where something else, or a finished
    simulation, is in the way.
    """
    arguments = simulation_arguments(
        objects=objects,
        seed=seed,
        last_mjd=last_mjd,
        first_mjd=first_mjd,
        ddf_fraction=ddf_fraction,
        files_per_model=files_per_model,
    )
    _claim(outdir, arguments)
    survey = Survey(seed, arguments["first_mjd"], arguments["last_mjd"])
    tally = Tally()
    directories = []
    start = 0
    for population, count in apportion(objects):
        if count:
            members = _Members(survey, population, range(start, start + count), ddf_fraction, objects)
            directories.append(
                _write_model(outdir, members, arguments, tally, progress or (lambda done: None))
            )
        start += count
    _write_manifest(outdir, {"finished": True, "arguments": arguments, **vars(tally)})
    return directories


def simulation_arguments(
    *,
    objects: int,
    seed: int,
    last_mjd: float,
    first_mjd: float | None = None,
    ddf_fraction: float = 0.02,
    files_per_model: int | None = None,
) -> dict[str, Any]:
    """The checked arguments with their defaults, as they stand in the manifest. Raises ValueError."""
    first = last_mjd - DEFAULT_SPAN_DAYS if first_mjd is None else first_mjd
    if objects < 1 or seed < 0 or not 0.0 <= ddf_fraction <= 1.0:
        raise ValueError("objects must be positive, seed not negative, ddf_fraction between 0 and 1")
    if files_per_model is not None and files_per_model < 1:
        raise ValueError("files_per_model must be positive")
    if not last_mjd - first >= SHORTEST_SPAN_DAYS:
        raise ValueError(f"first_mjd must be at least {SHORTEST_SPAN_DAYS:.0f} days before last_mjd")
    return {
        "format": FORMAT,
        "objects": objects,
        "seed": seed,
        "last_mjd": float(last_mjd),
        "first_mjd": float(first),
        "ddf_fraction": float(ddf_fraction),
        "files_per_model": files_per_model,
    }


def read_manifest(outdir: Path) -> dict[str, Any] | None:
    """The manifest: ``finished``, ``arguments`` and, when finished, the counts; None where there is none."""
    try:
        manifest = json.loads((outdir / MANIFEST).read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return manifest if isinstance(manifest, dict) and "finished" in manifest else None


def finished_simulation(outdir: Path, wanted: dict[str, Any]) -> dict[str, Any] | None:
    """The manifest, if the directory holds a finished simulation with all of the wanted arguments."""
    manifest = read_manifest(outdir)
    if manifest is None or not manifest["finished"]:
        return None
    return manifest if wanted.items() <= manifest["arguments"].items() else None


def _claim(outdir: Path, arguments: dict[str, Any]) -> None:
    """Make the directory ours: fresh, or cleared of a simulation that was interrupted."""
    outdir.mkdir(parents=True, exist_ok=True)
    if any(path.name != UNFINISHED_MANIFEST for path in outdir.iterdir()):
        manifest = read_manifest(outdir)
        if manifest is None or manifest["finished"]:
            what = "a finished simulation" if manifest else "other files"
            raise OccupiedDirectory(f"{outdir} holds {what}")
        for directory in outdir.glob(f"{PREFIX}_*"):
            shutil.rmtree(directory)
    _write_manifest(outdir, {"finished": False, "arguments": arguments})


def _write_manifest(outdir: Path, manifest: dict[str, Any]) -> None:
    unfinished = outdir / UNFINISHED_MANIFEST
    unfinished.write_text(json.dumps(manifest, indent=1) + "\n")
    unfinished.replace(outdir / MANIFEST)


@dataclass(frozen=True)
class _Members:
    """The objects of one class: indices into the survey."""

    survey: Survey
    population: Population
    indices: range
    ddf_fraction: float
    objects: int

    def simulate(self, indices: range) -> Iterator[Observed]:
        for index in indices:
            snid = snid_of(index, seed=self.survey.seed)
            deep = _is_deep(index, self.ddf_fraction)
            yield simulate_object(self.survey, self.population, index=index, snid=snid, deep=deep)

    def files(self, files: int | None) -> list[range]:
        """The indices of each file, as equal as can be."""
        count = len(self.indices)
        files = files or -(-count // OBJECTS_PER_FILE)
        edges = [self.indices.start + count * n // files for n in range(files + 1)]
        return [range(low, high) for low, high in pairwise(edges)]


def snid_of(index: int, *, seed: int) -> int:
    """SNANA's id of an object: a permutation, so that no two objects of a survey share one."""
    prime = next(prime for prime in SNID_PRIMES if index < prime)
    rng = np.random.Generator(np.random.PCG64([seed, prime]))
    factor, shift = (int(rng.integers(prime // 3, prime)) for _ in range(2))
    return 1 + (factor * index + shift) % prime


def _is_deep(index: int, fraction: float) -> bool:
    """Every so many objects one, the first of them soon, so that every class has its part."""
    return int((index + 1) * fraction + 0.5) > int(index * fraction + 0.5)


def _write_model(
    outdir: Path, members: _Members, arguments: dict[str, Any], tally: Tally, progress: Progress
) -> Path:
    name = f"{PREFIX}_{members.population.name}"
    directory = outdir / name
    directory.mkdir()
    files = members.files(arguments["files_per_model"])
    stems = [f"{name}-{number:04d}" for number in range(1, len(files) + 1)]
    with (directory / f"{name}.DUMP").open("w") as dump:
        dump.write(dump_header(members.population.name))
        for stem, indices in zip(stems, files, strict=True):
            observed = []
            for one in members.simulate(indices):
                observed.append(one)
                tally.add(one)
                progress(1)
            _write_file(directory, stem, observed, quantiles=members.population.has_host)
            dump.write(dump_lines(one.truth for one in observed))
    (directory / f"{name}.LIST").write_text("".join(f"{stem}_HEAD.FITS\n" for stem in stems))
    text = readme(name, model=members.population.name, written=len(members.indices), arguments=arguments)
    (directory / f"{name}.README").write_text(text)
    tally.directories.append(name)
    return directory


def _write_file(directory: Path, stem: str, observed: list[Observed], *, quantiles: bool) -> None:
    heads, photometry = [one.head for one in observed], [one.photometry for one in observed]
    write_pair(directory, stem, heads, photometry, quantiles=quantiles)

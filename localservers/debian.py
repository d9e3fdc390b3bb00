"""Installing what Debian has, as root: PostgreSQL, without a server on port 5432, Chromium, Java."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes.util import find_library
from pathlib import Path

from localservers import LocalServerError

PROGRAMS = Path("/usr/lib/postgresql")
EXTENSIONS = Path("/usr/share/postgresql")
CLUSTERS = Path("/etc/postgresql")
CLUSTER_SETTINGS = Path("/etc/postgresql-common/createcluster.d")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WITHOUT = "; TOM_POSTGRES=wheel ./tom test does without"


def can_install() -> bool:
    """Whether we are root on a system with apt-get."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def has_postgres() -> bool:
    """Whether the system has a PostgreSQL server."""
    return any(PROGRAMS.glob("*/bin/postgres"))


def has_q3c() -> bool:
    """Whether that server has the extension for cone searches."""
    return any(EXTENSIONS.glob("*/extension/q3c.control"))


def missing_parts() -> list[str]:
    """How the names of the packages that are not there go on after ``postgresql-15``."""
    return [part for part, there in (("", has_postgres()), ("-q3c", has_q3c())) if not there]


def install_postgres() -> None:
    """Install the distribution's PostgreSQL and q3c where they are missing, and say so.

    Raises
    ------
    LocalServerError
        Where apt-get fails.
    """
    missing = missing_parts()
    if not missing:
        return
    _say("apt-get update, to install what campaigns run on: Debian's PostgreSQL and q3c")
    _apt_get("update", "-qq", hint=WITHOUT)
    version = _postgres_version()
    packages = [f"postgresql-{version}{part}" for part in missing]
    _say(f"apt-get install {' '.join(packages)} (no server of the system's is started)")
    with _no_main_cluster():
        _install(packages, hint=WITHOUT)


def chromium() -> str | None:
    """The program that the browser tests drive; None where the system has none."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def missing_for_browser() -> list[str]:
    """Packages that the browser tests lack: the browser, and a library of Playwright's own driver."""
    there = {"chromium": chromium(), "libatomic1": find_library("atomic")}
    return [package for package, found in there.items() if found is None]


def install_chromium() -> None:
    """Install what the browser tests need and the system lacks, and say so; or say that apt has no browser.

    Raises
    ------
    LocalServerError
        Where apt-get fails.
    """
    missing = missing_for_browser()
    if not missing:
        return
    _say("apt-get update, to install what the browser tests drive: Debian's Chromium")
    _apt_get("update", "-qq", hint=WITHOUT)
    if not _apt_shows("chromium"):
        _say("apt knows no package chromium")
        return
    _say(f"apt-get install {' '.join(missing)}")
    _install(missing, hint=WITHOUT)


def install_for_kafka(missing: list[str]) -> None:
    """Install these packages, and say so.

    Raises
    ------
    LocalServerError
        Where apt-get fails.
    """
    if not missing:
        return
    _say(f"apt-get install {' '.join(missing)}, for Apache Kafka")
    _apt_get("update", "-qq")
    _install(missing)


def _postgres_version() -> str:
    """An installed version, else the one that the distribution's package ``postgresql`` stands for."""
    installed = sorted((path.parent.parent.name for path in PROGRAMS.glob("*/bin/postgres")), key=float)
    if installed:
        return installed[-1]
    named = re.search(r"^Depends:.*\bpostgresql-(\d+)", _apt_shows("postgresql"), re.MULTILINE)
    if named is None:
        raise LocalServerError("apt knows no package postgresql; TOM_POSTGRES=wheel ./tom test does without.")
    return named[1]


@contextmanager
def _no_main_cluster() -> Iterator[None]:
    """Keep the package from making a cluster while it is installed; afterwards all is as it was."""
    if CLUSTERS.exists() and any(CLUSTERS.iterdir()):
        yield
        return
    CLUSTER_SETTINGS.mkdir(parents=True, exist_ok=True)
    refusal = CLUSTER_SETTINGS / "desc-tom.conf"
    refusal.write_text("create_main_cluster = false\n")
    try:
        yield
    finally:
        refusal.unlink(missing_ok=True)


def _apt_shows(package: str) -> str:
    """What apt knows of a package; empty where it knows none of that name."""
    shown = subprocess.run(["apt-cache", "show", package], capture_output=True, text=True, check=False)
    return shown.stdout


def _install(packages: list[str], *, hint: str = "") -> None:
    # An upgrade would change programs under servers that run from them, which are not ours to disturb.
    _apt_get("install", "-y", "-qq", "--no-install-recommends", "--no-upgrade", *packages, hint=hint)


def _apt_get(*arguments: str, hint: str = "") -> None:
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    # Its errors are worth reading, its progress is not.
    quiet = subprocess.DEVNULL
    done = subprocess.run(["apt-get", *arguments], env=env, stdin=quiet, stdout=quiet, check=False)
    if done.returncode != 0:
        raise LocalServerError(f"apt-get {' '.join(arguments)} failed{hint}.")


def _say(what: str) -> None:
    sys.stdout.write(f"tom: {what}\n")
    sys.stdout.flush()

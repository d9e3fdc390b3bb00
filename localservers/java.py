"""Java, and the jars of servers that are written in it: Maven brings them, once, below the home."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from localservers import LocalServerError
from localservers.home import Home
from localservers.processes import tied

OLDEST = 17
WORDS_OF_A_FAILURE = 2000


def java() -> str | None:
    """The program, of ``$JAVA_HOME`` or on the path; None where there is none, or only older than 17."""
    return next((program for program in _programs() if _major(program) >= OLDEST), None)


def missing_packages(jars: Path) -> list[str]:
    """Debian's packages for what the system lacks: Java, and Maven unless the jars are there already."""
    there = {"default-jre-headless": java(), "maven": jars.exists() or shutil.which("mvn")}
    return [package for package, found in there.items() if not found]


def fetch_jars(pom: Path, directory: Path) -> None:
    """Put the jars that the pom names into the directory, unless it is there already.

    Maven works beside the final place and the result is moved, so that a killed run leaves no half.

    Raises
    ------
    LocalServerError
        With Maven's words where it fails.
    """
    home = Home(directory.parent)
    with home.lock("jars"):
        if directory.exists():
            return
        draft = directory.with_name(directory.name + ".new")
        shutil.rmtree(draft, ignore_errors=True)
        home.directory(draft.name)
        _run_maven(pom, draft)
        (draft / "jars").rename(directory)
        shutil.rmtree(draft)


def _run_maven(pom: Path, draft: Path) -> None:
    command = ["mvn", "-B", "-q", "--strict-checksums", "-f", str(pom), "dependency:copy-dependencies"]
    # The user's own repository stays as it is: everything lies below the home.
    command += [f"-Dmaven.repo.local={draft / 'repository'}", f"-DoutputDirectory={draft / 'jars'}"]
    done = subprocess.run(
        tied([*command, "-DincludeScope=runtime"]),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = f"{done.stdout}{done.stderr}".strip()[-WORDS_OF_A_FAILURE:]
        raise LocalServerError(f"Maven could not bring the jars that {pom.name} names:\n{said}")


def _programs() -> Iterator[str]:
    """Where a Java may be, as Maven looks for it."""
    if home := os.environ.get("JAVA_HOME"):
        yield str(Path(home, "bin", "java"))
    if found := shutil.which("java"):
        yield found


def _major(program: str) -> int:
    """The first number of its version; 0 where it does not run."""
    try:
        said = subprocess.run([program, "-version"], capture_output=True, text=True, check=False)
    except OSError:
        return 0
    found = re.search(r'version "(\d+)', said.stderr)
    return int(found[1]) if found and said.returncode == 0 else 0

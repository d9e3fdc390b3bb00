"""Java and the jars."""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from localservers import LocalServerError, java
from localservers.home import CHECKOUT
from localservers.processes import is_alive, wait_for_end

Program = Callable[[str, str], Path]
# What it is asked for: -f POM and -DoutputDirectory=DIRECTORY.
MAVEN = """
for word; do
    case $word in -DoutputDirectory=*) into=${word#*=} ;; -Dmaven.repo.local=*) kept=${word#*=} ;; esac
done
mkdir -p "$kept" "$into" && echo "$@" >>"$asked" && touch "$into/one.jar"
"""
FETCH = """
import sys
from pathlib import Path
from localservers.java import fetch_jars
fetch_jars(Path("some.pom.xml"), Path(sys.argv[1]))
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Makes programs that are first on the path; of others only those of the shell are there."""
    directory = tmp_path / "bin"
    directory.mkdir()
    for name in ("sh", "mkdir", "touch", "echo", "sleep", "setpriv", "true"):
        if found := shutil.which(name):
            (directory / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(directory))
    monkeypatch.delenv("JAVA_HOME", raising=False)

    def make(name: str, script: str) -> Path:
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\nasked={tmp_path}/asked\n{script}\n")
        path.chmod(0o755)
        return path

    return make


def version(text: str) -> str:
    return f"echo 'openjdk version \"{text}\" 2026-01-20' >&2"


@pytest.mark.parametrize(("text", "new_enough"), [("17.0.15", 1), ("25", 1), ("11.0.2", 0), ("1.8.0_392", 0)])
def test_a_java_is_taken_from_17_on(program, text, new_enough):
    path = program("java", version(text))
    assert java.java() == (str(path) if new_enough else None)


def test_a_java_that_does_not_run_is_none(program):
    program("java", f"{version('17.0.15')}; exit 1")
    assert java.java() is None


def test_the_java_that_java_home_names_comes_first_where_it_is_new_enough(program, monkeypatch):
    on_path = program("java", version("21.0.2"))
    other = program("other/bin/java", version("17.0.2"))
    monkeypatch.setenv("JAVA_HOME", str(other.parents[1]))
    assert java.java() == str(other)
    program("other/bin/java", version("11.0.2"))
    assert java.java() == str(on_path)
    monkeypatch.setenv("JAVA_HOME", str(other))
    assert java.java() == str(on_path)


def test_what_is_missing_is_named_as_debian_names_it(program, tmp_path):
    assert java.missing_packages(tmp_path / "jars") == ["default-jre-headless", "maven"]
    program("java", version("17.0.15"))
    assert java.missing_packages(tmp_path / "jars") == ["maven"]
    (tmp_path / "jars").mkdir()
    assert java.missing_packages(tmp_path / "jars") == []


def test_jars_are_fetched_once_and_nothing_else_stays(program, tmp_path):
    program("mvn", MAVEN)
    jars = tmp_path / "home" / "jars-1"
    java.fetch_jars(Path("some.pom.xml"), jars)
    java.fetch_jars(Path("some.pom.xml"), jars)
    assert [path.name for path in jars.iterdir()] == ["one.jar"]
    assert len((tmp_path / "asked").read_text().splitlines()) == 1
    assert sorted(path.name for path in jars.parent.iterdir()) == ["jars-1", "jars.lock"]


def test_mavens_failure_is_said_in_its_words_and_leaves_no_jars(program, tmp_path):
    program("mvn", MAVEN + "echo '[ERROR] no route to host'; exit 1")
    with pytest.raises(LocalServerError, match=r"some\.pom\.xml names:\n\[ERROR\] no route to host"):
        java.fetch_jars(Path("some.pom.xml"), tmp_path / "jars-1")
    assert not (tmp_path / "jars-1").exists()


def test_a_killed_fetch_leaves_no_half_and_no_maven(program, tmp_path):
    program("mvn", MAVEN + f"echo $$ >{tmp_path}/pid; exec sleep 600")
    jars = tmp_path / "jars-1"
    with subprocess.Popen([sys.executable, "-c", FETCH, str(jars)], cwd=CHECKOUT) as killed:
        pid = number_in(tmp_path / "pid")
        assert is_alive(pid)
        killed.send_signal(signal.SIGKILL)
    assert wait_for_end(pid, seconds=60)
    assert not jars.exists()
    program("mvn", MAVEN)
    java.fetch_jars(Path("some.pom.xml"), jars)
    assert [path.name for path in jars.iterdir()] == ["one.jar"]


def number_in(path: Path) -> int:
    deadline = time.monotonic() + 60
    while not (path.exists() and path.read_text().endswith("\n")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return int(path.read_text())

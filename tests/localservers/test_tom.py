"""The shell door, before there is a virtual environment."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from localservers.home import CHECKOUT

TOM = str(CHECKOUT / "tom")
TOOLS = ("sh", "dirname", "cat", "cksum", "id", "mkdir", "rm")


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A search path with nothing but what every system has."""
    directory = tmp_path / "bin"
    directory.mkdir()
    for tool in TOOLS:
        (directory / tool).symlink_to(str(shutil.which(tool)))
    return directory


def script(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)


def call(programs: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": str(programs), "TOM_HOME": str(programs.parent / "home")}
    return subprocess.run([TOM, *arguments], env=env, capture_output=True, text=True, check=False)


def test_without_arguments_it_explains_itself_and_installs_nothing(programs):
    said = call(programs)
    assert said.returncode == 0
    assert "./tom demo" in said.stdout
    assert not (programs.parent / "home").exists()


def test_without_a_python_it_says_which_it_needs(programs):
    said = call(programs, "servers", "status")
    assert said.returncode == 1
    assert "needs Python 3.11 or newer" in said.stderr
    assert said.stdout == ""


def test_where_python_has_no_venv_an_ordinary_user_is_told_the_one_line(programs):
    script(programs / "id", "echo 1000\n")
    script(programs / "python3", 'case "$2" in *version_info*) echo "$0" ;; *) exit 1 ;; esac\n')
    said = call(programs, "servers", "status")
    assert said.returncode == 1
    assert "sudo apt-get update && sudo apt-get install -y python3-venv" in said.stderr


def test_root_on_debian_has_the_missing_venv_installed(programs):
    script(programs / "id", "echo 0\n")
    script(programs / "python3", 'case "$2" in *version_info*) echo "$0" ;; *) exit 1 ;; esac\n')
    script(programs / "apt-get", f'echo "$@" >> {programs}/asked\n')
    said = call(programs, "servers", "status")
    assert "installing Debian's python3-venv" in said.stderr
    asked = (programs / "asked").read_text()
    assert asked.startswith("update")
    assert "python3-venv" in asked.splitlines()[1]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_home_that_cannot_be_written_is_named(programs):
    (programs / "python3").symlink_to(str(shutil.which("python3")))
    closed = programs.parent / "home"
    closed.mkdir(mode=0o500)
    said = call(programs, "servers", "status")
    assert f"cannot write {closed}" in said.stderr

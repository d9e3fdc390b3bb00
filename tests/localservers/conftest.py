"""A home of its own for each test, and the door to it."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from localservers.home import CHECKOUT, Home

Door = Callable[..., subprocess.CompletedProcess[str]]
OUTER = ("DB_NAME", "TOM_POSTGRES", "PGDATABASE", "KAFKA_SERVER")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def outer_environment(home: Home) -> dict[str, str]:
    """The caller's environment as a person's shell has it, for this home."""
    return {name: value for name, value in os.environ.items() if name not in OUTER} | {
        "TOM_HOME": str(home.path)
    }


@pytest.fixture
def door(home: Home) -> Iterator[Door]:
    """``./tom`` after its virtual environment is in place; what it started is stopped at the end."""

    def call(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "localservers", *arguments],
            cwd=CHECKOUT,
            env=outer_environment(home) | environment,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    yield call
    if home.path.exists():
        assert call("servers", "down").returncode == 0

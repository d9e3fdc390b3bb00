"""Imports flow one way, through the whole tree."""

import ast
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.localtom import CHECKOUT

CAMPAIGNS = {"elasticc", "elasticc2", "fastdb_dev"}
PACKAGES = sorted(path.name for path in CHECKOUT.iterdir() if (path / "__init__.py").is_file())


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: imports are absolute here"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files(package: str) -> list[Path]:
    return sorted((CHECKOUT / package).rglob("*.py"))


def all_files() -> list[Path]:
    return [path for package in PACKAGES for path in files(package)]


def test_what_is_shared_imports_no_campaign() -> None:
    found = [
        (str(path), name)
        for path in [*files("tom_desc"), *files("localservers")]
        for name in imports(path)
        # URLs are put together by name, which is no import.
        if name.split(".")[0] in CAMPAIGNS
    ]
    assert found == []


@pytest.mark.parametrize("campaign", sorted(CAMPAIGNS & set(PACKAGES)))
def test_a_campaign_imports_no_other(campaign: str) -> None:
    others = CAMPAIGNS - {campaign}
    assert [
        (str(p), name) for p in files(campaign) for name in imports(p) if name.split(".")[0] in others
    ] == []


def test_nothing_imports_a_command_or_a_page() -> None:
    found = [
        (str(path.relative_to(CHECKOUT)), name)
        for path in all_files()
        if path.name != "urls.py" and path.relative_to(CHECKOUT).parts[0] != "tests"
        for name in imports(path)
        if ".management.commands" in name or ".pages" in name
    ]
    assert found == []


def test_the_local_servers_need_no_django() -> None:
    assert [
        (str(p), name) for p in files("localservers") for name in imports(p) if name.startswith("django")
    ] == []


def test_a_web_worker_does_not_import_what_only_loading_needs() -> None:
    """Importing the URLs, as a worker does, brings in neither astropy nor pandas."""
    program = (
        "import django, sys; django.setup(); import tom_desc.urls;"
        "print(sorted({'astropy', 'pandas', 'psycopg'} & set(sys.modules)))"
    )
    environment = {"DJANGO_SETTINGS_MODULE": "tom_desc.settings"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **environment},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_psycopg_3_is_not_there_for_django_to_switch_to() -> None:
    assert importlib.util.find_spec("psycopg") is None

"""README and docs say what the code does."""

import re
import subprocess
from pathlib import Path

import pytest
from django.core.management import get_commands
from django.urls import resolve
from drf_spectacular.generators import SchemaGenerator

from tests.localtom import CHECKOUT
from tests.tom_desc.test_metrics import NAMES
from tom_desc.campaigns.grants import ADMINS, USERS

README = (CHECKOUT / "README.md").read_text()
API = (CHECKOUT / "docs/api.md").read_text()
OPERATIONS = (CHECKOUT / "docs/operations.md").read_text()
PAGES = [CHECKOUT / "README.md", CHECKOUT / "CHANGELOG.md", *sorted((CHECKOUT / "docs").glob("*.md"))]


def test_every_endpoint_of_the_openapi_text_is_in_the_documentation() -> None:
    paths = SchemaGenerator().get_schema(public=True)["paths"]
    assert set(paths) == {f"/{path}" for path in re.findall(r"^## (elasticc2/\S+)", API, re.M)}


def test_every_documented_url_is_there() -> None:
    for path in re.findall(r"`(/[a-z0-9_/<>]*)`", API):
        assert resolve(path.replace("<id>", "7"))


def test_every_key_of_a_request_is_documented() -> None:
    schemas = SchemaGenerator().get_schema(public=True)["components"]["schemas"]
    undocumented = [
        key
        for name, schema in schemas.items()
        if name.endswith("Request") or name == "BrokerMessageRecord"
        for key in schema["properties"]
        if f"`{key}`" not in API and key != "objecitds"
    ]
    assert undocumented == []


def test_every_command_of_ours_is_documented() -> None:
    ours = [name for name, app in get_commands().items() if app.startswith("tom_desc") or app == "elasticc2"]
    assert [name for name in ours if f"manage.py {name}" not in OPERATIONS] == []


def test_every_variable_that_the_settings_read_is_documented() -> None:
    sources = "".join(path.read_text() for path in (CHECKOUT / "tom_desc").glob("*.py"))
    names = set(re.findall(r"env\.(?:text|number|flag)\(\s*\"(\w+)\"", sources)) | {"SECRETS_DIR"}
    assert [name for name in sorted(names) if f"`{name}`" not in OPERATIONS] == []


def test_every_secret_that_is_read_is_documented() -> None:
    secrets = {"django_secret_key", "metrics_token", *(f"{role}_password" for role in (USERS, ADMINS))}
    assert [name for name in secrets if f"`{name}`" not in OPERATIONS] == []


def test_every_metric_is_documented() -> None:
    assert [name for name in sorted(NAMES) if f"`{name}`" not in OPERATIONS] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_the_readmes_commands_of_the_door_exist() -> None:
    usage = subprocess.run([CHECKOUT / "tom", "--help"], capture_output=True, text=True, check=True).stdout
    for command in set(re.findall(r"\./tom (\w+)", README)):
        assert command in usage

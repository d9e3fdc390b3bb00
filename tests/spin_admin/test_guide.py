"""``docs/kubernetes.md`` speaks of what is there."""

import re

from django.core.management import get_commands

from tests.localtom import CHECKOUT
from tests.spin_admin.manifests import FILES, OVERLAYS, SPIN, everything, names

GUIDE = (CHECKOUT / "docs/kubernetes.md").read_text()


def test_every_file_that_it_names_exists() -> None:
    named = set(re.findall(r"[\w/.-]+\.(?:yaml|yml|md|py)\b", GUIDE)) - {"kustomization.yaml"}
    places = [CHECKOUT, CHECKOUT / "docs", SPIN]
    assert [name for name in named if not any((place / name).is_file() for place in places)] == []


def test_every_file_that_is_there_is_named() -> None:
    assert [path.name for path in FILES if path.name not in GUIDE] == []
    assert [path.name for path in OVERLAYS if f"`spin_admin/{path.name}`" not in GUIDE] == []


def test_its_commands_exist() -> None:
    named = set(re.findall(r"manage\.py (\w+)", GUIDE))
    assert named
    assert named <= set(get_commands())


def test_what_kubectl_is_told_to_look_at_exists() -> None:
    deployments = names("Deployment", everything())
    named = re.findall(r"\b(?<!_)deploy(?:ment)?/([\w-]+)", GUIDE)
    assert named
    assert set(named) <= deployments

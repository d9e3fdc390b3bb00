"""What lies in ``spin_admin/``, read."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.localtom import CHECKOUT

SPIN = CHECKOUT / "spin_admin"
FILES = sorted(SPIN.glob("*.yaml"))
OVERLAYS = sorted(path.parent for path in SPIN.glob("*/kustomization.yaml"))
BASES = sorted(path.parent for path in SPIN.glob("base/*/kustomization.yaml"))
KUBECTL = shutil.which("kubectl")

Resource = dict[str, Any]


@dataclass(frozen=True)
class Pod:
    """A workload's pod, with its only container.

    Attributes
    ----------
    sleeps
        Nothing runs, until somebody says so: suspended, or no replica.
    """

    resource: Resource
    spec: dict[str, Any]
    sleeps: bool

    @property
    def name(self) -> str:
        return str(self.resource["metadata"]["name"])

    @property
    def container(self) -> dict[str, Any]:
        assert len(self.spec["containers"]) == 1 and "initContainers" not in self.spec, self.name
        return dict(self.spec["containers"][0])

    @property
    def image(self) -> str:
        return str(self.container["image"])

    @property
    def command_lines(self) -> list[list[str]]:
        """The commands that the container runs, a shell's script line by line."""
        command = self.container.get("command", [])
        if command[:1] == ["/bin/sh"]:
            return [line.split() for line in command[-1].splitlines()]
        return [command]

    @property
    def manage_commands(self) -> list[list[str]]:
        """Name and arguments of each ``manage.py`` among them."""
        return [line[2:] for line in self.command_lines if line[:2] == ["python", "manage.py"]]

    def volume(self, name: str) -> dict[str, Any]:
        return next(volume for volume in self.spec["volumes"] if volume["name"] == name)


def resources(path: Path) -> list[Resource]:
    return list(yaml.safe_load_all(path.read_text()))


def everything() -> list[Resource]:
    return [resource for path in FILES for resource in resources(path)]


@cache
def rendered(overlay: Path) -> list[Resource]:
    """What ``kubectl apply -k`` would send."""
    assert KUBECTL is not None
    made = subprocess.run([KUBECTL, "kustomize", str(overlay)], capture_output=True, text=True, check=True)
    return list(yaml.safe_load_all(made.stdout))


def of_kind(kind: str, among: list[Resource]) -> list[Resource]:
    return [resource for resource in among if resource["kind"] == kind]


def names(kind: str, among: list[Resource]) -> set[str]:
    return {resource["metadata"]["name"] for resource in of_kind(kind, among)}


def pods(among: list[Resource]) -> Iterator[Pod]:
    for resource in among:
        spec = resource.get("spec", {})
        if resource["kind"] == "Deployment":
            yield Pod(resource, spec["template"]["spec"], sleeps=spec["replicas"] == 0)
        elif resource["kind"] == "CronJob":
            job = spec["jobTemplate"]["spec"]["template"]
            yield Pod(resource, job["spec"], sleeps=spec["suspend"])


def size(quantity: str) -> int:
    """Bytes of a quantity of memory."""
    number, unit = re.fullmatch(r"(\d+)([MGT]i)", quantity).groups()  # type: ignore[union-attr]
    return int(number) << {"Mi": 20, "Gi": 30, "Ti": 40}[unit]

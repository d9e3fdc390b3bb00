"""The files of docker as data, the way docker sees them."""

from pathlib import Path
from typing import Any

import yaml
from dockerfile_parse import DockerfileParser

from tests.localtom import CHECKOUT

COMPOSE_FILES = (CHECKOUT / "docker-compose.yml", CHECKOUT / "tests" / "docker-compose.yaml")
DOCKERFILES = sorted((CHECKOUT / "docker").glob("*/Dockerfile"))


def compose(path: Path) -> dict[str, Any]:
    """A compose file, with what its services take over from others by ``extends``."""
    content = yaml.safe_load(path.read_text())
    for name, service in content["services"].items():
        content["services"][name] = extended(service, beside=path)
    return content


def extended(service: dict[str, Any], *, beside: Path) -> dict[str, Any]:
    """The service on top of the one it extends: mappings are put together, and lists but a command's."""
    own = dict(service)
    source = own.pop("extends", None)
    if source is None:
        return own
    base = compose((beside.parent / source["file"]).resolve())["services"][source["service"]]
    return base | {key: added(base.get(key), value, key) for key, value in own.items()}


def added(base: Any, own: Any, key: str) -> Any:
    if isinstance(base, dict) and isinstance(own, dict):
        return base | own
    if isinstance(base, list) and key != "command":
        return base + own
    return own


def services(path: Path) -> dict[str, Any]:
    """The services of a compose file by name."""
    return dict(compose(path)["services"])


def instructions(dockerfile: Path) -> list[tuple[str, str]]:
    """Each instruction of a Dockerfile, in capitals, with its value on one line; no comments."""
    parser = DockerfileParser(path=str(dockerfile))
    return [
        (step["instruction"], step["value"]) for step in parser.structure if step["instruction"] != "COMMENT"
    ]


def stages(dockerfile: Path) -> dict[str, list[tuple[str, str]]]:
    """The instructions of each stage by its name, else its number."""
    found: dict[str, list[tuple[str, str]]] = {}
    for instruction, value in instructions(dockerfile):
        if instruction == "FROM":
            name = value.split(" AS ")[1] if " AS " in value else str(len(found))
            found[name] = []
        elif found:
            found[name].append((instruction, value))
    return found

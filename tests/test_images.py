"""Kubernetes runs the images that the compose file builds, the way their Dockerfiles mean it."""

from pathlib import Path

import pytest

from tests.docker.files import COMPOSE_FILES, instructions, services
from tests.spin_admin.manifests import Pod, everything, pods

COMPOSE = COMPOSE_FILES[0]
# A server keeps its data in a volume of the same name.
SERVERS = ["tom-postgres", "kafka-server", "tom-mongodb", "tom-cassandra"]
PODS = {pod.name: pod for pod in pods(everything())}


def name_of(image: str) -> str:
    """The image without whence it comes and its version."""
    return image.rpartition("/")[2].partition(":")[0]


def dockerfiles() -> dict[str, Path]:
    """What each image is built from."""
    return {
        name_of(service["image"]): COMPOSE.parent / service["build"]["dockerfile"]
        for service in services(COMPOSE).values()
        if "build" in service
    }


def data_directory(pod: Pod) -> str:
    (mount,) = [mount for mount in pod.container["volumeMounts"] if mount["name"] == "data"]
    return str(mount["mountPath"])


def test_every_image_is_built() -> None:
    assert {name_of(pod.image) for pod in PODS.values()} <= dockerfiles().keys()


@pytest.mark.parametrize("server", SERVERS)
def test_a_server_runs_as_its_image_does(server: str) -> None:
    steps = instructions(dockerfiles()[name_of(PODS[server].image)])
    (user,) = {value for instruction, value in steps if instruction == "USER"}
    context = PODS[server].spec["securityContext"] | PODS[server].container["securityContext"]
    assert str(context["runAsUser"]) == user.partition(":")[0]


@pytest.mark.parametrize("server", SERVERS)
def test_a_servers_data_are_where_its_image_keeps_them(server: str) -> None:
    steps = instructions(dockerfiles()[name_of(PODS[server].image)])
    directory = data_directory(PODS[server])
    assert any(directory in value.split() for instruction, value in steps if instruction == "RUN")

"""``kubectl apply -k``: each deployment is the base with what it has of its own."""

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.spin_admin.manifests import (
    BASES,
    FILES,
    KUBECTL,
    OVERLAYS,
    SPIN,
    Resource,
    names,
    of_kind,
    pods,
    rendered,
    resources,
)
from tom_desc import settings

PRODUCTION = SPIN / "desc-tom"
KUSTOMIZATIONS = [*BASES, *OVERLAYS]

each_kustomization = pytest.mark.parametrize("directory", KUSTOMIZATIONS, ids=lambda path: path.name)
each_overlay = pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.name)
with_kubectl = pytest.mark.skipif(KUBECTL is None, reason="no kubectl, which has kustomize in it")


def test_there_is_an_overlay_for_each_deployment() -> None:
    assert [path.name for path in OVERLAYS] == ["desc-tom", "desc-tom-2", "desc-tom-rknop-dev"]


def test_each_file_at_the_top_is_the_bases_or_made_by_hand() -> None:
    """Kustomize lets an overlay read no file above it, and no base that contains it: hence the links."""
    by_hand = {"tom-secrets.yaml", "tom-cert.yaml"}
    in_bases = {
        path.name: path for base in BASES for path in base.glob("*.yaml") if path.name != "kustomization.yaml"
    }
    assert {path.name for path in FILES} == in_bases.keys() | by_hand
    assert {path.name for path in FILES if not path.is_symlink()} == by_hand
    assert [path for path in FILES if path.is_symlink() and path.resolve() != in_bases[path.name]] == []


@pytest.mark.parametrize("base", BASES, ids=lambda path: path.name)
def test_a_base_takes_every_file_that_lies_in_it(base: Path) -> None:
    files = {path.name for path in base.iterdir()} - {"kustomization.yaml"}
    assert set(kustomization(base)["resources"]) == files


@each_kustomization
def test_what_is_named_is_there(directory: Path) -> None:
    said = kustomization(directory)
    assert said.keys() <= {"apiVersion", "kind", "namespace", "resources", "components", "images", "patches"}
    for name in [*said["resources"], *said.get("components", [])]:
        place = directory / name
        assert place.is_file() or (place / "kustomization.yaml").is_file(), name
    for kind in ("resources", "components"):
        wanted = {"resources": "Kustomization", "components": "Component"}[kind]
        taken = [directory / name for name in said.get(kind, []) if (directory / name).is_dir()]
        assert [kustomization(path)["kind"] for path in taken] == [wanted] * len(taken)


@each_overlay
def test_an_overlay_is_a_namespace_of_its_name(overlay: Path) -> None:
    assert kustomization(overlay)["namespace"] == overlay.name


@each_kustomization
def test_every_patch_finds_what_it_changes(directory: Path) -> None:
    everything = reachable(SPIN / "desc-tom") if directory in BASES else reachable(directory)
    for patch in kustomization(directory).get("patches", []):
        body = yaml.safe_load(patch["patch"])
        target = patch.get("target") or {"kind": body["kind"], "name": body["metadata"]["name"]}
        found = [resource for resource in everything if matches(resource, target)]
        assert found, target
        for resource in found:
            if isinstance(body, list):
                assert all(exists(resource, operation["path"]) for operation in body)
            else:
                assert only_what_is_there(body | {"metadata": {}}, resource), (
                    target,
                    resource["metadata"]["name"],
                )


@each_overlay
def test_an_image_of_which_the_tag_is_changed_is_used(overlay: Path) -> None:
    used = {pod.image.partition(":")[0] for pod in pods(reachable(overlay))}
    assert {image["name"] for image in kustomization(overlay).get("images", [])} <= used


@with_kubectl
@each_overlay
def test_kubernetes_takes_the_whole(overlay: Path) -> None:
    made = rendered(overlay)
    assert len(made) > 10
    for resource in made:
        kubernetes_validate.validate(resource, "1.28", strict=True)
        assert resource["metadata"]["namespace"] == overlay.name
    # They are filled by hand: nobody's update may empty them.
    assert of_kind("Secret", made) == []


@with_kubectl
@each_overlay
def test_the_deployments_host_is_one_that_the_login_trusts(overlay: Path) -> None:
    (ingress,) = of_kind("Ingress", rendered(overlay))
    hosts = [rule["host"] for rule in ingress["spec"]["rules"]]
    assert ingress["spec"]["tls"][0]["hosts"] == hosts
    assert f"https://{overlay.name}.lbl.gov" == f"https://{hosts[0]}"
    assert f"https://{hosts[0]}" in settings.CSRF_TRUSTED_ORIGINS
    assert f".{overlay.name}." in hosts[1]


@with_kubectl
def test_each_deployment_runs_one_checkout_of_its_own() -> None:
    checkouts = {overlay.name: code_of(rendered(overlay)) for overlay in OVERLAYS}
    assert {len(paths) for paths in checkouts.values()} == {1}
    assert len(set.union(*checkouts.values())) == len(OVERLAYS)


@with_kubectl
def test_only_a_test_stream_is_sent_without_asking() -> None:
    for overlay in OVERLAYS:
        made = rendered(overlay)
        (cron,) = (
            cron for cron in of_kind("CronJob", made) if cron["metadata"]["name"] == "tom-send-alerts-cron"
        )
        (values,) = of_kind("ConfigMap", made)
        ours = values["data"]["KAFKA_SERVER"].partition(":")[0] in names("Service", made)
        assert ours == (overlay != PRODUCTION)
        assert cron["spec"]["suspend"] == (not ours)


@with_kubectl
def test_the_test_stream_comes_to_where_it_is_read() -> None:
    commands = {pod.name: pod.container.get("command", []) for pod in pods(rendered(SPIN / "desc-tom-2"))}
    # The topics are the commands' own defaults, which go together.
    assert commands["tom-brokerpoll"] == ["python", "manage.py", "brokerpoll2", "--do-test"]
    assert not [word for word in commands["tom-send-alerts-cron"] if word.endswith("-topic")]
    assert not [word for word in commands["fakebroker"] if word.endswith("topics")]


def code_of(made: list[Resource]) -> set[str]:
    volumes = (volume for pod in pods(made) for volume in pod.spec["volumes"] if volume["name"] == "code")
    return {volume["hostPath"]["path"] for volume in volumes}


def kustomization(directory: Path) -> dict[str, Any]:
    return dict(yaml.safe_load((directory / "kustomization.yaml").read_text()))


def reachable(directory: Path) -> list[Resource]:
    """The resources of a kustomization and of those that it takes, as they are in their files."""
    found: list[Resource] = []
    said = kustomization(directory)
    for name in [*said["resources"], *said.get("components", [])]:
        place = (directory / name).resolve()
        found += resources(place) if place.is_file() else reachable(place)
    return found


def matches(resource: Resource, target: dict[str, str]) -> bool:
    labels = resource["metadata"].get("labels", {})
    label, _, value = target.get("labelSelector", "").partition("=")
    return (
        resource["kind"] == target["kind"]
        and target.get("name", resource["metadata"]["name"]) == resource["metadata"]["name"]
        and (not label or labels.get(label) == value)
    )


def exists(resource: Any, path: str) -> bool:
    for step in path.strip("/").split("/"):
        try:
            resource = resource[int(step) if isinstance(resource, list) else step]
        except (KeyError, IndexError):
            return False
    return True


def only_what_is_there(patch: Any, resource: Any) -> bool:
    """Whether a patch changes values and adds none; items of lists are found by their names."""
    if isinstance(patch, dict):
        return all(
            key in resource and only_what_is_there(value, resource[key]) for key, value in patch.items()
        )
    if isinstance(patch, list) and patch and isinstance(patch[0], dict):
        named = {item["name"]: item for item in resource}
        return all(item["name"] in named and only_what_is_there(item, named[item["name"]]) for item in patch)
    return True

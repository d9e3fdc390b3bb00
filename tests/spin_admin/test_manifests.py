"""Each file of ``spin_admin/`` is what Kubernetes takes, and what the code and the images are made for."""

import re
from itertools import chain
from pathlib import Path

import kubernetes_validate
import pytest
from django.core.management import get_commands, load_command_class
from django.urls import resolve

from tests.localtom import CHECKOUT
from tests.spin_admin.manifests import (
    FILES,
    SPIN,
    Pod,
    Resource,
    everything,
    names,
    of_kind,
    pods,
    resources,
    size,
)
from tom_desc.campaigns.grants import ADMINS, USERS
from tom_desc.streams.brokers import KINDS

# Not the newest: what it takes, those after it take as well.
KUBERNETES = "1.28"
SOURCES = "".join(
    path.read_text() for app in ("tom_desc", "elasticc2") for path in (CHECKOUT / app).rglob("*.py")
)
ALL = everything()
PODS = list(pods(ALL))
DATA = {
    "tom-postgres": "/var/lib/postgresql/data",
    "tom-mongodb": "/data/db",
    "tom-cassandra": "/var/lib/cassandra",
    "kafka-server": "/kafka-data",
}

each_pod = pytest.mark.parametrize("pod", PODS, ids=lambda pod: pod.name)


def test_the_files_that_operators_know_are_there() -> None:
    known = """tom-app tom-brokerpoll tom-query-runner tom-query-pruner tom-send-alerts-cron
        tom-update-metrics-cron tom-diagnosticupdate tom-pgdump tom-postgres tom-postgres-pvc tom-mongodb
        tom-mongodb-pvc tom-cassandra tom-cassandra-pvc tom-shell tom-secrets tom-cert kafka-server
        fakebroker"""
    assert [name for name in known.split() if not (SPIN / f"{name}.yaml").is_file()] == []


def test_nothing_but_kubernetes_files_lies_there() -> None:
    assert [path for path in SPIN.rglob("*") if path.is_file() and path.suffix != ".yaml"] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_kubernetes_takes_the_file(path: Path) -> None:
    assert resources(path)
    for resource in resources(path):
        kubernetes_validate.validate(resource, KUBERNETES, strict=True)


def test_the_schemas_are_strict() -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "dada": {}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(config, KUBERNETES, strict=True)


def test_nothing_is_defined_twice() -> None:
    defined = [(resource["kind"], resource["metadata"]["name"]) for resource in ALL]
    assert sorted(defined) == sorted(set(defined))


def test_the_namespace_is_the_callers() -> None:
    assert [resource for resource in ALL if "namespace" in resource["metadata"]] == []


@each_pod
def test_commands_that_run_exist(pod: Pod) -> None:
    unknown = {command[0] for command in pod.manage_commands} - set(get_commands())
    assert not unknown or pod.sleeps


def test_a_command_that_is_to_come_says_with_what() -> None:
    for path in FILES:
        commands = {command[0] for pod in pods(resources(path)) for command in pod.manage_commands}
        assert (
            commands <= set(get_commands()) or "with a later release, the one that brings" in path.read_text()
        )


@each_pod
def test_commands_take_their_arguments(pod: Pod) -> None:
    for name, *arguments in pod.manage_commands:
        if name in get_commands():
            parser = load_command_class(get_commands()[name], name).create_parser("manage.py", name)
            parser.parse_args(arguments)


@each_pod
def test_every_variable_is_read(pod: Pod) -> None:
    script = "\n".join(" ".join(line) for line in pod.command_lines)
    for variable in pod.container.get("env", []):
        name = variable["name"]
        assert f'"{name}"' in SOURCES or f"${name}" in script, name


def test_every_setting_is_read() -> None:
    settings = of_kind("ConfigMap", ALL)[0]["data"]
    assert [name for name in settings if f'"{name}"' not in SOURCES] == []
    assert all(isinstance(value, str) for value in settings.values())


def test_the_keys_of_the_secret_are_those_that_are_read() -> None:
    named = set(re.findall(r"^#   ([a-z][\w.-]+)(?=  |$)", (SPIN / "tom-secrets.yaml").read_text(), re.M))
    assert named == read_by_the_code() | set(chain.from_iterable(items(pod) for pod in PODS))


def test_images_are_ours() -> None:
    ours = {"tom-server", "tom-postgres", "kafka", "tom-mongodb", "tom-cassandra"}
    assert {image_name(pod) for pod in PODS} == ours
    assert {pod.image.rpartition("/")[0] for pod in PODS} == {"ghcr.io/lsstdesc/tom_desc"}
    assert {pod.name: image_name(pod) for pod in PODS} == {
        pod.name: pod.resource["metadata"]["labels"]["image"] for pod in PODS
    }


@each_pod
def test_a_container_asks_for_what_it_needs_and_no_more_than_it_may(pod: Pod) -> None:
    requests, limits = (pod.container["resources"][bound] for bound in ("requests", "limits"))
    assert set(requests) == set(limits) == {"cpu", "memory"}
    assert size(requests["memory"]) <= size(limits["memory"])


@each_pod
def test_nothing_runs_as_root_or_may_become_it(pod: Pod) -> None:
    whole, container = pod.spec["securityContext"], pod.container["securityContext"]
    assert whole["runAsNonRoot"] is True
    assert min(whole["runAsUser"], whole["runAsGroup"], whole["fsGroup"]) > 0
    assert whole["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["allowPrivilegeEscalation"] is False
    assert container["capabilities"] == {"drop": ["ALL"]}
    assert not {"runAsUser", "runAsNonRoot", "privileged"} & set(container)
    assert pod.spec["automountServiceAccountToken"] is False


@each_pod
def test_what_is_mounted_is_a_volume_and_what_is_a_volume_is_mounted(pod: Pod) -> None:
    mounted = [mount["name"] for mount in pod.container["volumeMounts"]]
    assert sorted(mounted) == sorted(volume["name"] for volume in pod.spec["volumes"])


@each_pod
def test_claims_secrets_and_settings_are_in_some_file(pod: Pod) -> None:
    volumes = pod.spec["volumes"]
    claims = {
        volume["persistentVolumeClaim"]["claimName"]
        for volume in volumes
        if "persistentVolumeClaim" in volume
    }
    secrets = {volume["secret"]["secretName"] for volume in volumes if "secret" in volume}
    settings = {source["configMapRef"]["name"] for source in pod.container.get("envFrom", [])}
    assert claims <= names("PersistentVolumeClaim", ALL)
    assert secrets <= names("Secret", ALL)
    assert settings <= names("ConfigMap", ALL)


def test_every_claim_is_mounted() -> None:
    claimed = {
        volume["persistentVolumeClaim"]["claimName"]
        for pod in PODS
        for volume in pod.spec["volumes"]
        if "persistentVolumeClaim" in volume
    }
    assert claimed == names("PersistentVolumeClaim", ALL)


@each_pod
def test_what_runs_our_code_has_the_settings_and_the_secrets(pod: Pod) -> None:
    if not pod.manage_commands and pod.name not in ("tom-app", "tom-shell"):
        return
    assert pod.container["envFrom"] == [{"configMapRef": {"name": "tom-settings"}}]
    assert {"name": "secrets", "mountPath": "/secrets", "readOnly": True} in pod.container["volumeMounts"]
    assert "items" not in pod.volume("secrets")["secret"]


def test_data_lie_where_the_server_writes_them() -> None:
    for pod in PODS:
        if pod.name in DATA:
            mount = next(mount for mount in pod.container["volumeMounts"] if mount["name"] == "data")
            assert mount["mountPath"] == DATA[pod.name]
            assert pod.volume("data")["persistentVolumeClaim"]["claimName"] == pod.name
            # Two servers on one volume would ruin it.
            assert pod.resource["spec"]["strategy"] == {"type": "Recreate"}
    assert set(DATA) <= {pod.name for pod in PODS}


def test_results_of_queries_are_where_the_settings_have_them() -> None:
    those = [pod for pod in PODS if "long_query_runner" in str(pod.command_lines) or pod.name == "tom-app"]
    assert len(those) == 3
    for pod in those:
        assert {"name": "query-results", "mountPath": "/query_results"} in pod.container["volumeMounts"]


def test_postgresqls_shared_memory_is_memory_that_it_may_have() -> None:
    pod = next(pod for pod in PODS if pod.name == "tom-postgres")
    assert {"name": "shm", "mountPath": "/dev/shm"} in pod.container["volumeMounts"]
    shm = pod.volume("shm")["emptyDir"]
    assert shm["medium"] == "Memory"
    assert size(shm["sizeLimit"]) < size(pod.container["resources"]["limits"]["memory"])


def test_no_password_is_in_a_file() -> None:
    assert [secret for secret in of_kind("Secret", ALL) if "data" in secret or "stringData" in secret] == []
    given = {
        name: value for resource in of_kind("ConfigMap", ALL) for name, value in resource["data"].items()
    }
    for pod in PODS:
        given |= {variable["name"]: variable.get("value", "") for variable in pod.container.get("env", [])}
        assert "secretKeyRef" not in str(pod.container)
    secret = {name: value for name, value in given.items() if re.search("PASS|SECRET|TOKEN|KEY", name)}
    assert [name for name, value in secret.items() if not value.startswith("/secrets/")] == []


def test_the_web_server_is_asked_for_its_health() -> None:
    container = next(pod for pod in PODS if pod.name == "tom-app").container
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert resolve("/healthz").url_name == "healthz"
    assert container["ports"] == [{"name": "http", "containerPort": 8080}]
    # What the image starts by itself, so that it is process 1.
    assert "command" not in container and "args" not in container


@each_pod
def test_whoever_listens_is_probed(pod: Pod) -> None:
    probes = {name for name in pod.container if name.endswith("Probe")}
    assert probes == (
        {"startupProbe", "readinessProbe", "livenessProbe"} if "ports" in pod.container else set()
    )


def test_every_service_leads_to_a_port_of_a_pod_in_its_file() -> None:
    services = 0
    for path in FILES:
        for service in of_kind("Service", resources(path)):
            services += 1
            (pod,) = (pod for pod in pods(resources(path)) if labels(pod) == service["spec"]["selector"])
            targets = [(port["targetPort"], port["port"]) for port in service["spec"]["ports"]]
            assert targets == [(port["name"], port["containerPort"]) for port in pod.container["ports"]]
    assert services == 5


def test_the_database_and_the_web_server_are_found_by_name() -> None:
    assert of_kind("ConfigMap", ALL)[0]["data"]["DB_HOST"] in names("Service", ALL)
    (ingress,) = of_kind("Ingress", ALL)
    for rule in ingress["spec"]["rules"]:
        (path,) = rule["http"]["paths"]
        assert path["backend"]["service"]["name"] in names("Service", ALL)
    (tls,) = ingress["spec"]["tls"]
    assert tls["hosts"] == [rule["host"] for rule in ingress["spec"]["rules"]]
    assert tls["secretName"] in names("Secret", ALL)


def test_a_cron_job_runs_alone_and_by_utc() -> None:
    crons = of_kind("CronJob", ALL)
    assert {(cron["spec"]["timeZone"], cron["spec"]["concurrencyPolicy"]) for cron in crons} == {
        ("Etc/UTC", "Forbid")
    }


def test_a_server_that_asks_nobody_who_he_is_is_reached_from_its_namespace_only() -> None:
    open_to_all = {
        pod.name for pod in PODS if "ports" in pod.container and "secret" not in str(pod.spec["volumes"])
    }
    policies = of_kind("NetworkPolicy", ALL)
    assert open_to_all == {"kafka-server", "tom-cassandra"}
    assert {policy["spec"]["podSelector"]["matchLabels"]["app"] for policy in policies} == open_to_all
    for policy in policies:
        assert policy["spec"]["policyTypes"] == ["Ingress"]
        assert policy["spec"]["ingress"] == [{"from": [{"podSelector": {}}]}]


def labels(pod: Pod) -> Resource:
    return dict(pod.resource["spec"]["template"]["metadata"]["labels"])


def image_name(pod: Pod) -> str:
    return pod.image.rpartition("/")[2].partition(":")[0]


def items(pod: Pod) -> list[str]:
    """Keys that a pod takes one by one."""
    secrets = (volume["secret"] for volume in pod.spec["volumes"] if "secret" in volume)
    return [item["key"] for secret in secrets for item in secret.get("items", [])]


def read_by_the_code() -> set[str]:
    logins = [kind.login for kind in KINDS.values() if kind.login]
    of_brokers = {
        name for login in logins for name in (login.user_secret, login.password_secret, login.ca_file)
    }
    of_roles = {f"{role}_password" for role in (USERS, ADMINS)}
    return set(re.findall(r'\bsecret\("(\w+)"\)', SOURCES)) | of_roles | of_brokers - {""}

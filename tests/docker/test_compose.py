"""The compose files say what docker understands, what the code reads, and no secret."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import get_commands, load_command_class

from tests.docker.files import COMPOSE_FILES, DOCKERFILES, services, stages
from tests.docker.files import compose as read
from tests.localtom import CHECKOUT

MAIN, TESTS = COMPOSE_FILES
IN_BOTH = {"tom", "shell", "createdb", "postgres", "kafka-server", "mongodb"}
ORIGINAL = IN_BOTH | {"shellhost", "runtests", "brokerpoll", "fakebroker", "cassandra"}
DAEMONS = {"tom", "postgres", "kafka-server", "brokerpoll", "fakebroker", "mongodb", "cassandra"}
# Read by libpq, by Django's createsuperuser and by hypothesis.
READ_BY_LIBRARIES = {
    *("PGPASSFILE", "PGHOST", "PGUSER", "PGDATABASE"),
    *(f"DJANGO_SUPERUSER_{field}" for field in ("USERNAME", "PASSWORD", "EMAIL")),
    "HYPOTHESIS_STORAGE_DIRECTORY",
}
VARIABLE = re.compile(r"(?:env\.(?:text|number|flag)\(\s*|environ(?:\.get\(|\[))\"(\w+)\"")
BOTH = pytest.mark.parametrize("path", COMPOSE_FILES, ids=lambda path: str(path.relative_to(CHECKOUT)))


def every_service() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in COMPOSE_FILES:
        yield from services(path).items()


@BOTH
def test_it_is_valid_by_the_schema_of_compose(path: Path) -> None:
    program = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*program, path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_invalid_file_is_found_out(tmp_path: Path) -> None:
    wrong = tmp_path / "docker-compose.yml"
    wrong.write_text("services: {tom: {imge: x}}")
    with pytest.raises(AssertionError, match="imge"):
        test_it_is_valid_by_the_schema_of_compose(wrong)


def test_the_originals_services_are_there() -> None:
    assert set(services(MAIN)) >= IN_BOTH
    assert set(services(TESTS)) >= IN_BOTH
    assert {name for name, _ in every_service()} >= ORIGINAL


def test_the_originals_volumes_and_host_names_are_there() -> None:
    for path in COMPOSE_FILES:
        assert set(read(path)["volumes"]) >= {"tomdbdata", "query_results", "logs"}
    properties = (CHECKOUT / "docker/kafka/server.properties").read_text()
    assert "advertised.listeners=CLIENT://kafka-server:9092" in properties
    assert services(MAIN)["kafka-server"]["hostname"] == "kafka-server"
    # Where the settings look for the database by these names, the service of that name answers.
    assert services(MAIN)["tom"]["environment"]["DB_HOST"] == "postgres"


@BOTH
def test_named_volumes_are_declared(path: Path) -> None:
    content = read(path)
    used = {
        mount.split(":")[0]
        for service in content["services"].values()
        for mount in service.get("volumes", [])
        if not mount.startswith((".", "/", "$"))
    }
    assert used == set(content["volumes"])


@BOTH
def test_a_service_depends_on_services_that_start_with_it(path: Path) -> None:
    found = services(path)
    for name, service in found.items():
        for other, how in service.get("depends_on", {}).items():
            needs = set(found[other].get("profiles", []))
            assert not needs or needs & set(service.get("profiles", [])), (name, other)
            if how["condition"] == "service_healthy":
                assert "healthcheck" in found[other], (name, other)
            else:
                assert "restart" not in found[other], f"{name} waits for {other} to end"


def test_a_laptop_starts_the_tom_and_its_database_only() -> None:
    unasked = {name for name, service in services(MAIN).items() if not service.get("profiles")}
    assert unasked == {"secrets", "postgres", "createdb", "tom"}


@BOTH
def test_servers_have_a_health_check(path: Path) -> None:
    found = services(path)
    servers = set(found) & {"tom", "postgres", "kafka-server", "mongodb", "cassandra"}
    assert [name for name in sorted(servers) if "healthcheck" not in found[name]] == []


def test_daemons_start_again() -> None:
    assert {name for name, service in services(MAIN).items() if "restart" in service} == DAEMONS


def test_ports_are_published_on_loopback_only() -> None:
    ports = [port for _, service in every_service() for port in service.get("ports", [])]
    assert ports and [port for port in ports if not re.fullmatch(r"127\.0\.0\.1:.+:\d+", port)] == []


def test_nobody_gets_more_rights_than_it_takes() -> None:
    for name, service in every_service():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not {"privileged", "user", "cap_add"} & set(service), name


def test_who_reads_secrets_cannot_write_them() -> None:
    for name, service in every_service():
        mounts = [mount for mount in service.get("volumes", []) if mount.startswith("secrets:")]
        assert name == "secrets" or all(mount.endswith(":ro") for mount in mounts), name


def test_images_are_built_from_files_and_stages_that_are_there() -> None:
    for name, service in every_service():
        build = service["build"]
        dockerfile = CHECKOUT / build["dockerfile"]
        assert dockerfile in DOCKERFILES, name
        assert build["args"] == ["BASE_IMAGE", "PIP_INDEX_URL", "MAVEN_MIRROR"]
        if "target" in build:
            assert build["target"] in stages(dockerfile), name


def test_every_command_of_manage_py_is_there_with_its_options() -> None:
    commands = [service.get("command", []) for _, service in every_service()]
    arguments = [command[2:] for command in commands if command[:2] == ["python", "manage.py"]]
    assert len(arguments) == 2
    for name, *options in arguments:
        load_command_class(get_commands()[name], name).create_parser("manage.py", name).parse_args(options)


def test_every_program_of_ours_is_in_the_image() -> None:
    copied = {path.name for path in (CHECKOUT / "docker/server").iterdir()} - {"Dockerfile"}
    first = {service["command"][0] for _, service in every_service() if service.get("command")}
    assert copied <= first
    assert first - copied == {"python", "pytest", "sleep", "-c"}


def variables() -> set[str]:
    """Every variable that a container gets."""
    return {name for _, service in every_service() for name in service.get("environment", {})}


def test_every_variable_is_one_that_is_read() -> None:
    sources = [path for top in ("tom_desc", "elasticc2", "tests") for path in (CHECKOUT / top).rglob("*.py")]
    read_by_us = {name for path in sources for name in VARIABLE.findall(path.read_text())}
    assert variables() - read_by_us - READ_BY_LIBRARIES == set()


def test_the_superuser_comes_from_the_environment() -> None:
    assert {name for name in variables() if name.startswith("DJANGO_SUPERUSER_")} == {
        name for name in READ_BY_LIBRARIES if name.startswith("DJANGO_SUPERUSER_")
    }


@BOTH
def test_no_password_is_in_git(path: Path) -> None:
    for name, service in services(path).items():
        for variable, value in service.get("environment", {}).items():
            if re.search("PASS(WORD|WD)?$|SECRET|TOKEN|KEY$", variable):
                assert not value or re.fullmatch(r"\$\{\w+:-\}", value), (name, variable)


def test_test_accounts_are_made_for_tests_only() -> None:
    assert services(MAIN)["createdb"]["command"] == ["prepare-database"]
    assert services(TESTS)["createdb"]["command"] == ["prepare-database", "--test-accounts"]
    assert "tom.local_server=yes" in services(TESTS)["postgres"]["command"]
    assert "tom.local_server" not in str(read(MAIN))
    assert "tom.local_server" not in (CHECKOUT / "docker/postgres/postgresql.conf").read_text()


def test_the_documentation_names_services_and_variables_that_are_there() -> None:
    text = (CHECKOUT / "docs/docker.md").read_text()
    mentioned = set(re.findall(r"^\| (`[a-z][^|/]+`) \| (?:\||`|profile)", text, re.M))
    assert {name.strip("`") for names in mentioned for name in names.split(", ")} == set(services(MAIN))
    taken = re.findall(r"docker compose (?:up|exec|run|logs)(?: -\S+)* ([a-z-]+)", text)
    assert taken and set(taken) <= {name for name, _ in every_service()}
    in_files = set(re.findall(r"\$\{(\w+):-", "".join(path.read_text() for path in COMPOSE_FILES)))
    assert [name for name in sorted(in_files) if name not in text] == []

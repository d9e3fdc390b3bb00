"""Every image can be made from what is in the repository, on any Debian 12, and does not run as root."""

import json
import re
import shlex
from pathlib import Path

import pytest

from localservers.serve import gunicorn
from tests.docker.files import DOCKERFILES, instructions, stages
from tests.localtom import CHECKOUT

EACH = pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)
SERVER = CHECKOUT / "docker/server/Dockerfile"


def test_there_is_one_for_every_server() -> None:
    assert {path.parent.name for path in DOCKERFILES} == {
        "server",
        "postgres",
        "kafka",
        "mongodb",
        "cassandra",
    }


@EACH
def test_the_base_image_is_an_argument_with_a_default(dockerfile: Path) -> None:
    first = instructions(dockerfile)[0]
    assert re.fullmatch(r"\('ARG', 'BASE_IMAGE=[a-z]+:[a-z0-9.-]+'\)", str(first))
    bases = [value.split()[0] for name, value in instructions(dockerfile) if name == "FROM"]
    assert {base for base in bases if base not in stages(dockerfile)} == {"${BASE_IMAGE}"}


@EACH
def test_it_ends_as_an_ordinary_user(dockerfile: Path) -> None:
    final = [
        stage
        for name, stage in stages(dockerfile).items()
        if name not in ("base", "jars") and "packages" not in name
    ]
    assert final
    for stage in final:
        # By number, so that Kubernetes can see it.
        assert [value for name, value in stage if name == "USER"] == ["1000:1000"]


@EACH
def test_it_names_only_files_that_are_there(dockerfile: Path) -> None:
    copies = [value for name, value in instructions(dockerfile) if name == "COPY"]
    assert copies
    for copy in copies:
        *sources, _ = shlex.split(copy)
        if sources[0].startswith("--from="):
            assert sources[0].removeprefix("--from=") in stages(dockerfile)
        else:
            assert [source for source in sources if not (CHECKOUT / source).exists()] == []


@EACH
def test_packages_come_from_where_the_tools_look(dockerfile: Path) -> None:
    text = "".join(f"{name} {value}\n" for name, value in instructions(dockerfile))
    assert re.findall(r"https?://|index-url|[a-z]\.(?:org|com|io)\b", text) == []


@EACH
def test_what_it_runs_is_in_exec_form(dockerfile: Path) -> None:
    """A shell in between would be process 1 and take the signals."""
    last = dict(instructions(dockerfile))
    start = [value for name, value in last.items() if name in ("CMD", "ENTRYPOINT")]
    assert start and all(isinstance(json.loads(value), list) for value in start)


def test_the_web_server_is_started_as_elsewhere() -> None:
    command = json.loads(dict(stages(SERVER)["server"])["CMD"])
    assert command[0] == "gunicorn"
    assert {"tom_desc/gunicorn.conf.py", "tom_desc.wsgi", "--no-control-socket"} <= set(command)
    assert [Path(word).name for word in gunicorn()[-2:]] == [
        Path(word).name for word in command if "tom_desc" in word
    ]


def test_the_server_has_what_operators_use() -> None:
    """psql, nc, and a program kill: `docker compose exec tom kill -HUP 1` runs no shell."""
    packages = " ".join(value for name, value in stages(SERVER)["base"] if name == "RUN")
    assert {"postgresql-client-15", "netcat-openbsd", "procps"} <= set(packages.split())


def test_what_goes_into_the_image_is_no_secret_and_no_rubbish() -> None:
    ignored = set((CHECKOUT / ".dockerignore").read_text().split())
    kept_out = {
        line.strip("/") for line in (CHECKOUT / ".gitignore").read_text().split() if line.endswith("/")
    }
    assert {".git"} | kept_out <= {entry.removeprefix("**/") for entry in ignored}


def test_volumes_belong_to_who_writes_there() -> None:
    """A new volume takes over the owner of the image's directory; who reads the secrets says the same."""
    made = {path.parent.name: path.read_text() for path in DOCKERFILES}
    for image, directory in {
        "server": "/secrets",
        "postgres": "/var/lib/postgresql/data",
        "kafka": "/kafka-data",
        "mongodb": "/data/db",
        "cassandra": "/var/lib/cassandra",
    }.items():
        assert re.search(rf"install -d -o 1000 -g 1000 -m 0700 .*{directory}", made[image]), image
    for image in ("server", "postgres", "mongodb"):
        assert re.search(r"install -d -o 1000 -g 1000 -m 0700 .*/secrets", made[image]), image


def test_cassandra_reads_files_that_the_image_has() -> None:
    options = (CHECKOUT / "docker/cassandra/java.options").read_text()
    copied = " ".join(
        value for name, value in instructions(CHECKOUT / "docker/cassandra/Dockerfile") if name == "COPY"
    )
    names = re.findall(r"/etc/cassandra/(\S+)", options)
    assert names and [name for name in names if f"docker/cassandra/{name} " not in copied] == []

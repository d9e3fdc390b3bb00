"""The door's words and exit codes."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from localservers.home import CHECKOUT
from localservers.kafka import Kafka
from tests.localservers.conftest import outer_environment


def exported(door_output: str) -> dict[str, str]:
    """What a shell that evaluates the lines has in its environment."""
    script = f"{door_output}\nenv -0"
    said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, env={}).stdout
    return dict(entry.split("=", 1) for entry in said.split("\0") if "=" in entry)


def test_up_status_env_and_down_say_what_is_there(door, home):
    assert door("servers", "status").returncode == 3
    down = door("servers", "env")
    assert (down.returncode, down.stdout) == (1, "")
    assert "servers up" in down.stderr

    up = door("servers", "up")
    assert up.returncode == 0, up.stderr
    assert up.stdout.startswith("started: PostgreSQL 18")
    assert door("servers", "up").stdout.startswith("running: PostgreSQL 18")
    status = door("servers", "status")
    assert status.returncode == 0
    assert str(home.path) in status.stdout

    assert door("servers", "down").stdout == "stopped: PostgreSQL (wheel)\n"
    assert door("servers", "status").returncode == 3


def test_plain_psql_and_python_meet_the_same_database(door):
    door("servers", "up")
    env = exported(door("servers", "env").stdout)
    assert env["DB_NAME"] == env["PGDATABASE"] == "tom_desc"
    seen = subprocess.run(
        ["psql", "-XAtc", "SELECT current_database()"], env=env, capture_output=True, text=True
    )
    assert seen.stdout.strip() == "tom_desc", seen.stderr
    connect = (
        "import os, psycopg2; e = os.environ; db = psycopg2.connect(host=e['DB_HOST'], port=e['DB_PORT'], "
    )
    connect += "dbname=e['DB_NAME'], user=e['DB_USER'], password=e['DB_PASS']); db.autocommit = True; "
    create = connect + "db.cursor().execute('CREATE DATABASE x')"
    subprocess.run(["python", "-c", create], env=env, check=True)


def test_env_prints_exports_only_and_names_every_directory(door):
    door("servers", "up")
    lines = door("servers", "env").stdout.splitlines()
    assert all(line.startswith("export ") and line.endswith("'") for line in lines)
    env = exported("\n".join(lines))
    for name in ("SECRETS_DIR", "QUERY_RESULTS", "LOGDIR", "TOM_HOME"):
        assert Path(env[name]).is_dir()
    for name in ("django_secret_key", "postgres_ro_password", "postgres_ro_admin_password"):
        assert Path(env["SECRETS_DIR"], name).stat().st_mode & 0o777 == 0o600


def test_a_callers_database_name_is_honoured(door):
    door("servers", "up")
    env = exported(door("servers", "env", DB_NAME="other").stdout)
    assert env["DB_NAME"] == env["PGDATABASE"] == "other"


@pytest.mark.full
def test_kafka_joins_what_runs_and_goes_with_it(door, home, kafka_jars):
    jars = {"TOM_KAFKA_JARS": str(kafka_jars)}
    door("servers", "up")
    assert "KAFKA_SERVER" not in exported(door("servers", "env").stdout)

    up = door("servers", "up", "--kafka", **jars)
    assert up.returncode == 0, up.stderr
    postgres, kafka = up.stdout.splitlines()
    assert postgres.startswith("running: PostgreSQL 18")
    assert re.fullmatch(
        r"started: Kafka 4\S+ on 127[.]0[.]0[.]1:\d+, pid \d+, data in .*, ready after \d+[.]\d s", kafka
    )
    server = Kafka(home).server
    assert f" on {server}, " in kafka

    again = door("servers", "up", "--kafka", **jars)
    assert [line.split(":")[0] for line in again.stdout.splitlines()] == ["running", "running"]
    assert f"Kafka 4.2.0 on {server}, " in door("servers", "status").stdout
    assert exported(door("servers", "env").stdout)["KAFKA_SERVER"] == server
    seen = door("manage", "shell", "--command", "import os; print(os.environ['KAFKA_SERVER'])")
    assert server in seen.stdout

    assert door("servers", "down").stdout.splitlines() == ["stopped: Kafka", "stopped: PostgreSQL (wheel)"]
    assert not Kafka(home).is_ready()


def test_what_kafka_needs_is_said_where_it_is_missing(door, tmp_path):
    refused = door("servers", "up", "--kafka", PATH=str(tmp_path), JAVA_HOME="", TOM_KAFKA_JARS="")
    assert refused.returncode == 1
    assert "On Debian: apt-get install default-jre-headless maven" in refused.stderr


@pytest.mark.parametrize("what", ["down", "status", "env"])
def test_kafka_is_asked_for_by_up_only(door, what):
    refused = door("servers", what, "--kafka")
    assert refused.returncode == 2
    assert "--kafka goes with servers up" in refused.stderr


def test_a_caller_who_reads_our_output_sees_its_end(door, home):
    # $( ) in a shell waits until every holder of the pipe has closed it, and the server lives on.
    said = subprocess.run(
        ["sh", "-c", 'out=$("$0" -m localservers servers up 2>&1 3>&1); echo "$out"', sys.executable],
        cwd=CHECKOUT,
        env=outer_environment(home),
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.startswith("started")
    assert door("servers", "status").returncode == 0


def test_an_unknown_command_gets_the_usage_and_2(door):
    refused = door("dance")
    assert refused.returncode == 2
    assert "usage: ./tom COMMAND" in refused.stderr
    assert all(command in refused.stderr.splitlines()[0] for command in ("demo", "test", "servers", "manage"))


def test_a_wrong_kind_of_server_is_named(door):
    refused = door("servers", "up", TOM_POSTGRES="cloud")
    assert refused.returncode == 1
    assert "TOM_POSTGRES must be wheel or system" in refused.stderr


def test_manage_starts_the_servers_and_passes_on_the_exit_code(door):
    assert door("manage", "no_such_command").returncode == 1
    assert door("servers", "status").returncode == 0
    version = door("manage", "version")
    assert (version.returncode, version.stdout[:2]) == (0, "5.")


@pytest.mark.parametrize("arguments", [["servers"], ["servers", "sideways"], ["serve", "--port", "x"]])
def test_a_wrong_command_line_exits_with_2(door, arguments):
    assert door(*arguments).returncode == 2

"""The images' scripts: they are shell, run again without harm, and make the secrets that are read."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import psycopg2
import pytest

from localservers.home import DJANGO_SECRETS
from tests.conftest import create_database, drop_database
from tests.localtom import CHECKOUT, database_name

SCRIPTS = sorted(
    path for path in (CHECKOUT / "docker").rglob("*") if path.is_file() and path.read_bytes()[:3] == b"#!/"
)
EACH = pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
MAKE_SECRETS = CHECKOUT / "docker/server/make-secrets"
PREPARE_DATABASE = CHECKOUT / "docker/server/prepare-database"
SUPERUSERS = "SELECT username, email FROM auth_user WHERE is_superuser"


@EACH
def test_shell_understands_it(script: Path) -> None:
    shell = script.read_text().splitlines()[0].removeprefix("#!")
    subprocess.run([shell, "-n", script], check=True)
    shellcheck = Path(sys.executable).with_name("shellcheck")
    done = subprocess.run([shellcheck, script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@EACH
def test_it_may_be_executed(script: Path) -> None:
    assert script.stat().st_mode & stat.S_IXOTH


def make_secrets(directory: Path) -> dict[str, str]:
    subprocess.run([MAKE_SECRETS], env={**os.environ, "SECRETS_DIR": str(directory)}, check=True)
    return {path.name: path.read_text() for path in directory.iterdir()}


def test_secrets_are_made_once_for_their_owner_only(tmp_path: Path) -> None:
    made = make_secrets(tmp_path)
    assert {*DJANGO_SECRETS, "postgres_password", "pgpass", "mongodb_admin_passwd"} == set(made)
    assert len(set(made.values())) == len(made)
    assert [len(made[name]) for name in DJANGO_SECRETS] == [43, 43, 43]
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o400}
    assert make_secrets(tmp_path) == made


def test_a_secret_that_a_killed_run_left_empty_is_made(tmp_path: Path) -> None:
    for name in ("django_secret_key", ".postgres_password.new"):
        (tmp_path / name).touch(mode=0o400)
    made = make_secrets(tmp_path)
    assert len(made["django_secret_key"]) == 43
    assert not [name for name in made if name.endswith(".new")]


def test_libpq_reads_the_password_file(tmp_path: Path) -> None:
    """As in the containers: DB_PASS is empty, PGPASSFILE says where the password is."""
    made = make_secrets(tmp_path)
    assert made["pgpass"] == f"*:*:*:postgres:{made['postgres_password']}\n"
    if not os.environ["DB_PASS"]:
        pytest.skip("nothing to take into the file: here libpq reads one already")
    pgpass = tmp_path / "pgpass"
    pgpass.chmod(0o600)
    pgpass.write_text(f"*:*:*:{os.environ['DB_USER']}:{os.environ['DB_PASS']}\n")
    pgpass.chmod(0o400)
    program = (
        "import django; django.setup()\n"
        "from django.db import connection\n"
        "with connection.cursor() as cursor: cursor.execute('SELECT 1')"
    )
    settings = {
        "DJANGO_SETTINGS_MODULE": "tom_desc.settings",
        # Which is always there.
        "DB_NAME": "postgres",
        "DB_PASS": "",
        "PGPASSFILE": str(pgpass),
    }
    environment = {name: value for name, value in os.environ.items() if name != "PGPASSWORD"}
    subprocess.run([sys.executable, "-c", program], env={**environment, **settings}, cwd=CHECKOUT, check=True)


def prepare(database: str, *arguments: str, **superuser: str) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DJANGO_SUPER")}
    return subprocess.run(
        [PREPARE_DATABASE, *arguments],
        env={**environment, "DB_NAME": database}
        | {f"DJANGO_SUPERUSER_{field.upper()}": value for field, value in superuser.items()},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )


def superusers(database: str) -> list[tuple[str, ...]]:
    parts = {"host": "DB_HOST", "port": "DB_PORT", "user": "DB_USER", "password": "DB_PASS"}
    connection = psycopg2.connect(dbname=database, **{part: os.environ[name] for part, name in parts.items()})
    with connection.cursor() as cursor:
        cursor.execute(SUPERUSERS)
        found = cursor.fetchall()
    connection.close()
    return found


@pytest.fixture
def database(migrated_database: str):
    name = database_name("prepared")
    create_database(name, template=migrated_database)
    yield name
    drop_database(name)


@pytest.mark.full
def test_the_superuser_of_the_environment_is_made_once(database: str) -> None:
    before = superusers(database)
    for _ in range(2):
        done = prepare(database, username="ann", password="a word", email="ann@localhost")
        assert done.returncode == 0, done.stderr
    assert sorted(superusers(database)) == sorted([*before, ("ann", "ann@localhost")])


@pytest.mark.full
def test_without_a_password_there_is_no_superuser(database: str) -> None:
    before = superusers(database)
    done = prepare(database, username="ann", password="", email="ann@localhost")
    assert done.returncode == 0
    assert "DJANGO_SUPERUSER_PASSWORD is not set" in done.stdout
    assert superusers(database) == before


@pytest.mark.full
def test_a_superuser_that_cannot_be_made_is_a_failure(database: str) -> None:
    done = prepare(database, username="", password="a word", email="ann@localhost")
    assert done.returncode == 1
    assert "Username" in done.stderr


@pytest.mark.full
def test_a_failed_step_is_a_failure(database: str) -> None:
    done = prepare(database, "--no-such-option", username="ann", password="a word", email="ann@localhost")
    assert done.returncode == 2
    assert "ann" not in [name for name, _ in superusers(database)]

"""What tests share: the real survey files, and a TOM of one's own made of real processes."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from localservers.home import Home
from localservers.kafka import Kafka
from tests.localtom import CHECKOUT, LocalTom, database_name, run_manage

REAL_DATA = "elasticc2_alert_test_data.tar.bz2"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-golden", action="store_true", help="write tests/golden anew from what is answered"
    )


@pytest.fixture(autouse=True)
def quick_passwords(settings: Any) -> None:
    """Hashing a password is slow on purpose; here nobody tries to guess one."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(scope="session")
def real_survey_directories(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The three model directories of the real data, from $TOM_TEST_DATA or ../shared/data."""
    data = Path(os.environ.get("TOM_TEST_DATA") or CHECKOUT.parent / "shared" / "data")
    archive = next((path for path in (data / "snana" / REAL_DATA, data / REAL_DATA) if path.is_file()), None)
    if archive is None:
        pytest.skip(f"no {REAL_DATA} below {data}: set TOM_TEST_DATA to the directory of the real data")
    unpacked = tmp_path_factory.mktemp("real")
    # tarfile's own filters came after the Python of Debian 12.
    shutil.unpack_archive(archive, unpacked)
    return sorted(path for path in next(unpacked.iterdir()).iterdir() if path.is_dir())


@pytest.fixture(scope="session")
def kafka() -> str:
    """Address of a running Apache Kafka, from $KAFKA_SERVER; whoever makes topics there names them anew."""
    server = os.environ.get("KAFKA_SERVER")
    if not server:
        pytest.skip("no Kafka: set KAFKA_SERVER, or run ./tom test where Java and Maven are installed")
    return server


@pytest.fixture(scope="session")
def kafka_jars() -> Path:
    """Kafka's jars, from $TOM_KAFKA_JARS or below $TOM_HOME, fetched where they are missing."""
    kafka = Kafka(Home.from_environment())
    if missing := kafka.missing_packages():
        pytest.skip(f"no Kafka: it takes {' and '.join(missing)}")
    kafka.fetch()
    return kafka.jar_directory


@pytest.fixture(scope="session")
def migrated_database() -> Iterator[str]:
    with template_database() as name:
        yield name


@contextmanager
def template_database() -> Iterator[str]:
    """A database with the schema, roles and test accounts, to be copied."""
    name = database_name("template")
    create_database(name, template="template1")
    run_manage({"DB_NAME": name}, "migrate", "--verbosity", "0")
    run_manage({"DB_NAME": name}, "bootstrap", "--test-accounts")
    yield name
    drop_database(name)


@pytest.fixture
def tom(migrated_database: str, tmp_path: Path) -> Iterator[LocalTom]:
    """A TOM with a database of its own and real processes; whatever it started is stopped."""
    name = database_name("tom")
    create_database(name, template=migrated_database)
    with LocalTom(name, tmp_path) as local:
        yield local
    drop_database(name)


def create_database(name: str, *, template: str) -> None:
    in_server(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')


def drop_database(name: str) -> None:
    in_server(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def in_server(statement: str) -> None:
    connection = psycopg2.connect(
        dbname="postgres",
        host=os.environ["DB_HOST"],
        port=os.environ["DB_PORT"],
        user=os.environ["DB_USER"],
        password=os.environ["DB_PASS"],
    )
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()

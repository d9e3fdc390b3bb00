"""What is installed as root."""

import pytest

from localservers import debian


@pytest.fixture
def system(monkeypatch, tmp_path):
    """A system without any PostgreSQL."""
    monkeypatch.setattr(debian, "PROGRAMS", tmp_path / "lib")
    monkeypatch.setattr(debian, "EXTENSIONS", tmp_path / "share")
    monkeypatch.setattr(debian, "CLUSTERS", tmp_path / "clusters")
    monkeypatch.setattr(debian, "CLUSTER_SETTINGS", tmp_path / "createcluster.d")
    return tmp_path


def put(path):
    path.parent.mkdir(parents=True)
    path.touch()


def test_a_bare_system_needs_the_server_and_the_extension(system):
    assert debian.missing_parts() == ["", "-q3c"]


def test_a_server_that_is_there_is_left_as_it_is(system):
    put(system / "lib/15/bin/postgres")
    assert debian.missing_parts() == ["-q3c"]
    put(system / "share/15/extension/q3c.control")
    assert debian.missing_parts() == []


def test_the_package_makes_no_cluster_and_the_refusal_does_not_outlive_it(system):
    with debian._no_main_cluster():
        (refusal,) = debian.CLUSTER_SETTINGS.iterdir()
        assert refusal.suffix == ".conf"
        assert refusal.read_text() == "create_main_cluster = false\n"
    assert list(debian.CLUSTER_SETTINGS.iterdir()) == []


def test_where_a_cluster_exists_nothing_is_refused(system):
    put(system / "clusters/15/main/postgresql.conf")
    with debian._no_main_cluster():
        assert not debian.CLUSTER_SETTINGS.exists()

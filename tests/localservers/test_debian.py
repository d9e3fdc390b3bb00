"""What is installed as root."""

import pytest

from localservers import LocalServerError, debian


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


@pytest.fixture
def apt(monkeypatch, tmp_path):
    """An apt that knows the packages named in a file and writes down what it is asked for."""
    bin_ = tmp_path / "bin"
    program(bin_ / "apt-get", f'echo "$@" >> {tmp_path}/asked')
    program(
        bin_ / "apt-cache", f'read -r known < {tmp_path}/known; [ "$2" = "$known" ] && echo "Package: $2"'
    )
    (tmp_path / "known").write_text("chromium\n")
    monkeypatch.setenv("PATH", str(bin_))
    monkeypatch.setattr(debian, "find_library", lambda name: f"lib{name}.so.1")
    return tmp_path


def program(path, script):
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def asked(apt):
    return (apt / "asked").read_text() if (apt / "asked").exists() else ""


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


def test_a_missing_chromium_is_installed_and_said(apt, capsys):
    assert debian.chromium() is None
    debian.install_chromium()
    assert asked(apt).splitlines() == [
        "update -qq",
        "install -y -qq --no-install-recommends --no-upgrade chromium",
    ]
    assert "apt-get install chromium" in capsys.readouterr().out


def test_a_chromium_that_is_there_is_left_as_it_is(apt):
    program(apt / "bin" / "chromium", "")
    assert debian.chromium() == str(apt / "bin" / "chromium")
    debian.install_chromium()
    assert asked(apt) == ""


def test_a_library_that_the_driver_lacks_is_installed_too(apt, monkeypatch):
    program(apt / "bin" / "chromium", "")
    monkeypatch.setattr(debian, "find_library", lambda name: None)
    debian.install_chromium()
    assert asked(apt).splitlines()[1].endswith(" libatomic1")


def test_what_kafka_lacks_is_installed_and_said_in_one_line(apt, capsys):
    debian.install_for_kafka(["default-jre-headless", "maven"])
    packages = "default-jre-headless maven"
    assert asked(apt).splitlines() == [
        "update -qq",
        f"install -y -qq --no-install-recommends --no-upgrade {packages}",
    ]
    assert capsys.readouterr().out == f"tom: apt-get install {packages}, for Apache Kafka\n"


def test_where_kafka_lacks_nothing_apt_is_not_asked(apt):
    debian.install_for_kafka([])
    assert asked(apt) == ""


def test_an_apt_that_fails_is_named_with_its_arguments(apt):
    program(apt / "bin" / "apt-get", "exit 100")
    with pytest.raises(LocalServerError, match=r"^apt-get update -qq failed\.$"):
        debian.install_for_kafka(["maven"])


def test_a_system_whose_apt_knows_no_chromium_goes_without(apt, capsys):
    (apt / "known").write_text("firefox\n")
    debian.install_chromium()
    assert asked(apt).splitlines() == ["update -qq"]
    assert "apt knows no package chromium" in capsys.readouterr().out

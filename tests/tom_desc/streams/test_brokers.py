"""The table of brokers: servers, groups, topics and secrets are those that the campaign had."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from tom_desc.streams.brokers import KINDS, Broker, DateWindow


@pytest.fixture(autouse=True)
def no_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("KAFKA_SERVER", "ALERCE_KAFKA_SERVER"):
        monkeypatch.delenv(variable, raising=False)


def broker(name: str, **how: Any) -> Broker:
    return KINDS[name].broker(**{"topics": KINDS[name].topics or ["said"]} | how)


@pytest.mark.parametrize(
    ("name", "server", "group", "topics"),
    [
        ("test", "kafka-server:9092", "testing", ["classifications"]),
        ("brahms", "brahms.lbl.gov:9092", "elasticc-lbnl", ["said"]),
        ("antares", "kafka.antares.noirlab.edu:9092", "elasticc-lbnl", ["elasticc2-st1-ddf-full"]),
        ("fink", "134.158.74.95:24499", "elasticc-lbnl", ["fink_elasticc-2022fall"]),
    ],
)
def test_a_broker_is_where_it_always_was(name: str, server: str, group: str, topics: list[str]) -> None:
    one = broker(name)
    assert (one.name, one.server, one.group) == (name, server, group)
    assert one.topics_on(date(2026, 1, 1)) == topics


def test_a_tag_makes_another_group() -> None:
    assert broker("test", grouptag="mine").group == "testing-mine"
    assert broker("fink", grouptag="mine").group == "elasticc-lbnl-mine"


@pytest.mark.parametrize(
    ("name", "local"), [("test", True), ("brahms", True), ("antares", False), ("fink", False)]
)
def test_only_brokers_that_stand_for_ours_follow_kafka_server(
    name: str, local: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_SERVER", "127.0.0.1:9")
    assert (broker(name).server == "127.0.0.1:9") is local
    assert broker(name, server="there:1").server == "there:1"


def test_alerces_server_has_a_variable_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert broker("alerce").server == "kafka.alerce.science:9093"
    monkeypatch.setenv("ALERCE_KAFKA_SERVER", "there:1")
    assert broker("alerce").server == "there:1"


def test_alerces_topics_are_those_of_the_days_around_today() -> None:
    assert broker("alerce").topics_on(date(2026, 3, 1)) == [
        "^lc_classifier_.*_(20260225|20260226|20260227|20260228|20260301|20260302|20260303)$"
    ]


def test_a_pattern_without_a_date_is_what_it_says() -> None:
    one = Broker("alerce", "there:1", "group", [r"^lc_.*$", r"^x_(\d{8})$"], window=DateWindow(0, 0))
    assert one.topics_on(date(2026, 3, 1)) == [r"^lc_.*$", "^x_(20260301)$"]


def test_brokers_without_a_login_need_no_secret() -> None:
    assert broker("test").settings() == {"bootstrap.servers": "kafka-server:9092"}


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path))
    return tmp_path


def test_a_login_is_read_from_secrets(secrets: Path) -> None:
    for name in ("antares", "alerce"):
        (secrets / f"{name}_username").write_text(f"user of {name}\n")
        (secrets / f"{name}_passwd").write_text("secret\n")
    login = {"security.protocol": "SASL_SSL", "sasl.password": "secret"}
    assert broker("antares").settings() == login | {
        "bootstrap.servers": "kafka.antares.noirlab.edu:9092",
        "sasl.mechanism": "PLAIN",
        "sasl.username": "user of antares",
        "ssl.ca.location": str(secrets / "antares-ca.pem"),
    }
    assert broker("alerce").settings() == login | {
        "bootstrap.servers": "kafka.alerce.science:9093",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "user of alerce",
    }


def test_a_missing_secret_is_named(secrets: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match="antares_username"):
        broker("antares").settings()

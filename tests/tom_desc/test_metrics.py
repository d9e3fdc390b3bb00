"""/metrics: who may read it, what it is called, and what it says when the database does not answer."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import yaml
from django.db import connection
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from tests.localtom import CHECKOUT
from tom_desc import metrics

TOKEN = "long and secret"
# Dashboards and alert rules rest on these.
NAMES = {
    "tom_build_info",
    "tom_table_rows",
    "tom_table_size_bytes",
    "tom_clock_mjd",
    "tom_stream_lag_messages",
    "tom_stream_lag_seconds",
    "tom_stream_heard_age_seconds",
    "tom_stream_messages_seen_total",
    "tom_stream_messages",
    "tom_stream_gaps_total",
    "tom_stream_gap_offsets_total",
    "tom_dead_letters_waiting",
    "tom_news_waiting_rows",
    "tom_news_waiting_ids",
    "tom_news_oldest_id",
    "tom_unknown_sources",
    "tom_alerts_sent_total",
    "tom_alerts_unsent_due",
    "tom_send_run_in_progress",
    "tom_send_run_failed",
    "tom_send_run_confirmed_age_seconds",
    "tom_send_run_alerts_to_send",
    "tom_send_run_alerts_sent",
    "tom_coverage_ratio",
    "tom_coverage_sampled_alerts",
    "tom_coverage_night_mjd",
    "tom_message_latency_seconds",
}
RULES = yaml.safe_load((CHECKOUT / "docs/alert_rules.yml").read_text())
# What the words must have where the name ends so.
UNITS = {"_seconds": "econds", "_bytes": "bytes", "_mjd": "MJD (TAI) in days", "_ratio": "Share"}


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """The headers of a scraper that knows the secret."""
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path))
    (tmp_path / "metrics_token").write_text(f"{TOKEN}\n")
    return {"Authorization": f"Bearer {TOKEN}"}


def text(client: Client, **headers: str) -> str:
    response = client.get("/metrics", headers=headers)
    assert response.status_code == 200
    return response.content.decode()


@pytest.mark.django_db
def test_the_names_stay_as_they_are(client: Client, token: dict[str, str]) -> None:
    assert set(re.findall(r"^# TYPE (\S+)", text(client, **token), re.M)) == NAMES


@pytest.mark.django_db
def test_every_family_says_what_it_is_and_in_what_unit(client: Client, token: dict[str, str]) -> None:
    said = dict(re.findall(r"^# HELP (\S+) (.*)$", text(client, **token), re.M))
    assert said.keys() == NAMES
    assert [name for name, words in said.items() if not words.endswith(".")] == []
    assert [
        (name, unit)
        for name, words in said.items()
        for ending, unit in UNITS.items()
        if name.endswith(ending) and unit not in words
    ] == []


@pytest.mark.django_db
def test_prometheus_own_parser_reads_it(client: Client, token: dict[str, str]) -> None:
    families = {family.name: family for family in text_string_to_metric_families(text(client, **token))}
    [build] = families["tom_build_info"].samples
    assert (build.labels, build.value) == ({"version": "0.1.0"}, 1)


@pytest.mark.django_db
def test_it_is_text_in_the_version_that_every_prometheus_knows(client: Client, token: dict[str, str]) -> None:
    response = client.get("/metrics/", headers=token | {"Accept": "application/openmetrics-text; version=x"})
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"


@pytest.mark.django_db
def test_who_is_logged_in_may_read_it(client: Client, django_user_model: Any) -> None:
    client.force_login(django_user_model.objects.create_user("astronomer"))
    assert "tom_build_info" in text(client)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "authorization",
    ["", TOKEN, "Bearer", "Bearer ", "Bearer long", f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer é"],
)
def test_without_login_and_right_token_it_is_refused(
    client: Client, token: dict[str, str], authorization: str
) -> None:
    response = client.get("/metrics", headers={"Authorization": authorization})
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="metrics"'
    assert response.content.decode().startswith("401 Unauthorized: log in at /accounts/login/")
    assert b"tom_" not in response.content


@pytest.mark.django_db
@pytest.mark.parametrize("secret", [None, "", "\n"])
def test_where_the_operators_made_no_secret_no_token_is_right(
    client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, secret: str | None
) -> None:
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path))
    if secret is not None:
        (tmp_path / "metrics_token").write_text(secret)
    for sent in ("Bearer", "Bearer ", "Bearer None"):
        assert client.get("/metrics", headers={"Authorization": sent}).status_code == 401


@pytest.mark.django_db
def test_a_changed_secret_counts_at_once(client: Client, token: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "metrics_token").write_text("another")
    assert client.get("/metrics", headers=token).status_code == 401
    assert text(client, Authorization="bearer another")


@pytest.mark.django_db
def test_it_is_for_reading_only(client: Client, token: dict[str, str]) -> None:
    assert client.post("/metrics", headers=token).status_code == 405
    assert client.head("/metrics", headers=token).status_code == 200


def test_a_database_that_nobody_reaches_is_503(tmp_path: Path) -> None:
    for name in ("django_secret_key", "metrics_token"):
        (tmp_path / name).write_text("secret")
    program = """
import django; django.setup()
from django.test import Client
client = Client(raise_request_exception=False)
known = client.get("/metrics", headers={"Authorization": "Bearer secret"})
print(known.status_code, known.content.decode())
print(client.get("/metrics").status_code)"""
    away = {"DB_HOST": "127.0.0.1", "DB_PORT": "1", "SECRETS_DIR": str(tmp_path)}
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tom_desc.settings", **away}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["503 the database does not answer; try again in a moment", "401"]


@pytest.mark.django_db
def test_a_table_that_somebody_holds_is_503_not_a_scrape_that_hangs(
    client: Client, token: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "STATEMENT_TIMEOUT", "100ms")
    settings = {**connection.get_connection_params(), "cursor_factory": None}
    settings.pop("context", None)
    other = psycopg2.connect(**settings)
    with other.cursor() as cursor:
        cursor.execute("LOCK TABLE streams_gap IN ACCESS EXCLUSIVE MODE")
        response = client.get("/metrics", headers=token)
    other.close()
    assert response.status_code == 503
    assert response.content == b"the database took too long; try again in a moment"
    assert text(client, **token)


@pytest.mark.django_db
def test_the_largest_tables_have_their_sizes(client: Client, token: dict[str, str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO elasticc2_unknownsource SELECT generate_series(1, 5000)")
        cursor.execute(
            "INSERT INTO elasticc2_brokermessage"
            " (diasource_id, alert_id, classifier_id, classid, probability)"
            " SELECT i, i, 1, '{1}', '{1}' FROM generate_series(1, 5000) i"
        )
        cursor.execute("ANALYZE elasticc2_unknownsource; ANALYZE elasticc2_brokermessage")
    families = {family.name: family for family in text_string_to_metric_families(text(client, **token))}
    values = {
        name: {sample.labels["table"]: sample.value for sample in families[name].samples}
        for name in ("tom_table_rows", "tom_table_size_bytes")
    }
    assert values["tom_table_rows"]["elasticc2_unknownsource"] == 5000
    # Of all its partitions.
    assert values["tom_table_rows"]["elasticc2_brokermessage"] == 5000
    assert not [table for table in values["tom_table_rows"] if re.search(r"_\d\d$", table)]
    assert values["tom_table_size_bytes"]["elasticc2_brokermessage"] > 5000 * 100
    assert len(values["tom_table_rows"]) <= metrics.MOST_TABLES


def test_the_alert_rules_are_what_prometheus_takes() -> None:
    [group] = RULES["groups"]
    assert set(group) == {"name", "rules"}
    names = [rule["alert"] for rule in group["rules"]]
    assert len(names) == len(set(names))
    for rule in group["rules"]:
        assert {"alert", "expr", "labels", "annotations"} <= set(rule) <= {*rule, "for"}
        assert re.fullmatch(r"\d+[mh]", rule.get("for", "1m"))
        assert rule["labels"]["severity"] in ("page", "warn")
        assert set(rule["annotations"]) == {"summary", "what_to_do"}
        assert all(sentence.endswith(".") for sentence in rule["annotations"].values())


@pytest.mark.parametrize("rule", RULES["groups"][0]["rules"], ids=lambda rule: rule["alert"])
def test_every_metric_of_an_alert_rule_is_there(rule: dict[str, Any]) -> None:
    used = set(re.findall(r"\btom_\w+", rule["expr"]))
    assert used
    assert used <= NAMES

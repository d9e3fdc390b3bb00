"""Settings from the environment say what is wrong with them."""

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from tom_desc import env


def test_a_number_that_is_none_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_WORKERS", "many")
    with pytest.raises(ImproperlyConfigured, match="WEB_WORKERS must be a whole number"):
        env.number("WEB_WORKERS", 2)


@pytest.mark.parametrize(("text", "meaning"), [("yes", True), ("1", True), ("no", False), ("", False)])
def test_flags_are_words(monkeypatch: pytest.MonkeyPatch, text: str, meaning: bool) -> None:
    monkeypatch.setenv("DEBUG", text)
    assert env.flag("DEBUG") is meaning


def test_a_flag_that_is_neither_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUG", "maybe")
    with pytest.raises(ImproperlyConfigured, match="DEBUG must be yes or no"):
        env.flag("DEBUG")


def test_a_secret_is_the_first_line_of_its_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path))
    (tmp_path / "key").write_text("s3cret\nremark\n")
    assert env.secret("key") == "s3cret"


@pytest.mark.parametrize("content", [None, "", "\n"])
def test_a_missing_or_empty_secret_is_a_refusal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None
) -> None:
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path))
    if content is not None:
        (tmp_path / "key").write_text(content)
    with pytest.raises(ImproperlyConfigured, match="SECRETS_DIR"):
        env.secret("key")


@pytest.mark.parametrize(
    ("variable", "file", "password"),
    [("given", "kept\n", "given"), (None, "kept\n", "kept"), (None, None, ""), ("", "kept\n", "kept")],
)
def test_the_databases_password_is_the_variable_else_a_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str | None, file: str | None, password: str
) -> None:
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path))
    monkeypatch.delenv("DB_PASS", raising=False)
    if variable is not None:
        monkeypatch.setenv("DB_PASS", variable)
    if file is not None:
        (tmp_path / "postgres_password").write_text(file)
    assert env.database_password() == password

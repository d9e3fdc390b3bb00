"""Settings come from the environment; secrets come from files below ``SECRETS_DIR``."""

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

YES = {"1", "yes", "true", "on"}
NO = {"0", "no", "false", "off", ""}


def text(name: str, default: str) -> str:
    """The variable's text, or the default where it is unset."""
    return os.environ.get(name, default)


def number(name: str, default: int) -> int:
    """The variable as a whole number."""
    value = os.environ.get(name, "")
    try:
        return int(value) if value else default
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {value!r}") from None


def flag(name: str, default: bool = False) -> bool:
    """The variable as yes or no."""
    value = os.environ.get(name)
    if value is None:
        return default
    if value.lower() not in YES | NO:
        raise ImproperlyConfigured(f"{name} must be yes or no, not {value!r}")
    return value.lower() in YES


def secret(name: str) -> str:
    """First line of the file ``name`` in ``SECRETS_DIR``.

    Raises
    ------
    ImproperlyConfigured
        Where the file is missing or empty: a server never starts on a made-up secret.
    """
    path = Path(text("SECRETS_DIR", "/secrets")) / name
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise ImproperlyConfigured(f"the secret {name} is read from {path} (SECRETS_DIR): {error}") from error
    if not lines or not lines[0].strip():
        raise ImproperlyConfigured(f"the secret file {path} (SECRETS_DIR) is empty")
    return lines[0].strip()


def database_password() -> str:
    """``DB_PASS``, else the secret ``postgres_password``, else none: a server may trust us without."""
    if given := text("DB_PASS", ""):
        return given
    is_there = (Path(text("SECRETS_DIR", "/secrets")) / "postgres_password").exists()
    return secret("postgres_password") if is_there else ""

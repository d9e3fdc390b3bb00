"""Where a run keeps its things: everything lies below ``$TOM_HOME``."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from localservers import LocalServerError

CHECKOUT = Path(__file__).resolve().parent.parent

# Read by tom_desc.settings and by the commands that make the SQL roles.
DJANGO_SECRETS = ("django_secret_key", "postgres_ro_password", "postgres_ro_admin_password")


@dataclass(frozen=True)
class Home:
    """The directory that holds servers, secrets, logs and results of one user of the checkout."""

    path: Path

    @classmethod
    def from_environment(cls) -> Self:
        """``$TOM_HOME``, by default ``.tom`` in the checkout."""
        return cls(Path(os.environ.get("TOM_HOME") or CHECKOUT / ".tom").absolute())

    def directory(self, *names: str) -> Path:
        """A directory below the home, made when missing."""
        path = self.path.joinpath(*names)
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LocalServerError(f"cannot make {path}: {error.strerror}") from error
        return path

    @property
    def secrets(self) -> Path:
        """Directory of the secret files, for its owner only."""
        path = self.directory("secrets")
        if path.stat().st_mode & 0o077:
            path.chmod(0o700)
        return path

    def secret(self, name: str) -> str:
        """The text of a secret file, made at random when missing."""
        path = self.secrets / name
        try:
            if not path.exists():
                write_private(path, secrets.token_urlsafe(32))
            return path.read_text().strip()
        except PermissionError as error:
            raise LocalServerError(f"{path} belongs to another user") from error

    @contextmanager
    def lock(self, name: str, *, wait: bool = True) -> Iterator[None]:
        """Hold ``NAME.lock``; the kernel lets it go with the process, however that ends.

        Raises
        ------
        BlockingIOError
            Where somebody else holds it and ``wait`` is false.
        """
        with (self.directory() / f"{name}.lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            yield


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner reads; it is there whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(text + "\n")
    draft.replace(path)

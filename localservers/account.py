"""The account PostgreSQL runs as. It refuses root, so root lends it another user's."""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from localservers import LocalServerError

# In this order: the first lets an account read below directories that only root may enter, the second
# also run programs that only root may run; Docker's default set has the second only.
CAPABILITIES = ("", "dac_read_search", "dac_override")


@dataclass(frozen=True)
class Account:
    """A user and how to run programs as that user; ``capability`` is the one lent on top."""

    uid: int
    gid: int
    name: str
    capability: str = ""

    def prefix(self) -> list[str]:
        """What goes before a command line; empty where we are that user."""
        if self.uid == os.geteuid():
            return []
        return ["setpriv", f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups", *self._lent()]

    def _lent(self) -> list[str]:
        """The one capability, kept through exec, and nothing else to gain.

        Without no_setuid_fixup access(2), which PostgreSQL asks about its own binaries, ignores it.
        """
        if not self.capability:
            return []
        only = f"-all,+{self.capability}"
        return [
            f"--inh-caps={only}",
            f"--ambient-caps={only}",
            f"--bounding-set={only}",
            "--securebits=+no_setuid_fixup",
        ]

    def own(self, path: Path) -> None:
        """Give the file or directory to this user."""
        if self.uid != os.geteuid():
            os.chown(path, self.uid, self.gid)

    def able_to_run(self, program: Path, *, below: Path) -> "Account":
        """This account with the least capability under which it can run the program and enter the directory.

        A directory above ``below`` may be root's alone; opening it to others is not ours to do. The
        capability makes the database's superuser, whose password only root can read, read like root.
        """
        if self.uid == os.geteuid():
            return self
        for capability in CAPABILITIES:
            candidate = Account(self.uid, self.gid, self.name, capability)
            if candidate._runs(program, below):
                return candidate
        raise LocalServerError(
            f"PostgreSQL refuses to run as root, and {self.name} may not enter {below} or run {program}. "
            f"Choose a TOM_HOME that {self.name} can enter."
        )

    def _runs(self, program: Path, below: Path) -> bool:
        test = 'cd / && test -x "$1" && test -r "$2" && exec "$2" --version'
        command = [*self.prefix(), "sh", "-c", test, "sh", str(below), str(program)]
        return subprocess.run(command, capture_output=True, check=False, cwd="/").returncode == 0


def account_for(data: Path) -> Account:
    """The owner of an existing data directory; else ourselves, or as root ``postgres`` or ``nobody``.

    Raises
    ------
    LocalServerError
        Where the directory belongs to somebody whose place we cannot take.
    """
    owner = data.stat().st_uid if data.exists() else None
    if os.geteuid() != 0:
        if owner not in (None, os.geteuid()):
            raise LocalServerError(f"{data} belongs to another user; take a TOM_HOME of your own.")
        return Account(os.geteuid(), os.getegid(), "")
    if shutil.which("setpriv") is None:
        raise LocalServerError(
            "PostgreSQL refuses to run as root and there is no setpriv to change the user."
        )
    return _by_uid(owner) if owner else _unprivileged()


def _by_uid(uid: int) -> Account:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return Account(uid, uid, f"user {uid}")
    return Account(uid, entry.pw_gid, entry.pw_name)


def _unprivileged() -> Account:
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid, name)
    raise LocalServerError(
        "PostgreSQL refuses to run as root and there is neither a user postgres nor nobody."
    )

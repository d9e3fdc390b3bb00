"""Starting processes apart from us, knowing them again, and stopping exactly those."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

GENTLY = ((signal.SIGTERM, 20.0), (signal.SIGKILL, 5.0))


def start_apart(
    argv: Sequence[str], *, log: IO[bytes], env: Mapping[str, str], cwd: Path
) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own that holds no descriptor of ours but the log."""
    return subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=dict(env), cwd=cwd, start_new_session=True
    )


def tied(argv: Sequence[str]) -> list[str]:
    """The command so that it is killed with the thread that starts it, even if that is killed with -9.

    It stays as it is where the system has no such signal (prctl(2), PR_SET_PDEATHSIG).
    """
    if not _knows_parents_death():
        return list(argv)
    # A parent that died before the signal was asked for would never send it.
    with_parent_only = 'test "$PPID" = "$0" && exec "$@"'
    return ["setpriv", "--pdeathsig", "KILL", "sh", "-c", with_parent_only, str(os.getpid()), *argv]


def _knows_parents_death() -> bool:
    if shutil.which("setpriv") is None:
        return False
    test = ["setpriv", "--pdeathsig", "KILL", "true"]
    return subprocess.run(test, capture_output=True, check=False).returncode == 0


def find(pattern: re.Pattern[str]) -> int | None:
    """The process whose whole command line, arguments with a blank between, matches; None: there is none."""
    return next((pid for pid, line in _command_lines() if pattern.fullmatch(line)), None)


def is_alive(pid: int) -> bool:
    """Whether the process runs. A zombie does not: where nobody reaps orphans it would stay for ever."""
    return _ps(pid, "state")[:1] not in ("", "Z", "X")


def birth(pid: int) -> str:
    """When the process started: with the pid it names one process. Empty where there is none."""
    return _ps(pid, "lstart")


def command_line(pid: int) -> str:
    """The process' arguments with a blank between; empty where there is none."""
    return _ps(pid, "args")


def stop(pid: int, *, signals: Sequence[tuple[signal.Signals, float]] = GENTLY) -> bool:
    """Send each signal in turn, waiting its seconds for the end; true when the process is gone."""
    for number, seconds in signals:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return True
        if wait_for_end(pid, seconds=seconds):
            return True
    return False


def wait_for_end(pid: int, *, seconds: float) -> bool:
    """Whether the process ended within the time."""
    deadline = time.monotonic() + seconds
    while is_alive(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    # Our own child: take its status, so that its id is free again.
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    return True


@dataclass(frozen=True)
class Children:
    """Processes that end with us; their records let the next run stop those a killed run left behind."""

    records: Path

    def start(
        self, argv: Sequence[str], *, log: IO[bytes], env: Mapping[str, str], cwd: Path
    ) -> subprocess.Popen[bytes]:
        """Start a child and record it."""
        child = start_apart(argv, log=log, env=env, cwd=cwd)
        self.record(child.pid)
        return child

    def record(self, pid: int) -> None:
        """Remember a child that was started elsewhere."""
        (self.records / str(pid)).write_text(birth(pid))

    def forget(self, pid: int) -> None:
        """The child has ended."""
        (self.records / str(pid)).unlink(missing_ok=True)

    def stop_all(self, *, signals: Sequence[tuple[signal.Signals, float]] = GENTLY) -> None:
        """Stop every recorded process that is still the one recorded."""
        for record in self.records.glob("[0-9]*"):
            pid = int(record.name)
            if is_alive(pid) and birth(pid) == record.read_text():
                stop(pid, signals=signals)
            self.forget(pid)


def _command_lines() -> Iterator[tuple[int, str]]:
    """Every process with its arguments; a zombie has none."""
    if Path("/proc/self/stat").exists():
        for directory in Path("/proc").glob("[0-9]*"):
            yield int(directory.name), _from_proc(directory, "args")
        return
    listed = subprocess.run(["ps", "-axww", "-o", "pid=,args="], capture_output=True, text=True, check=False)
    for line in listed.stdout.splitlines():
        pid, _, args = line.strip().partition(" ")
        yield int(pid), args.strip()


def _ps(pid: int, column: str) -> str:
    """One fact about a process, from /proc where there is one (ps takes 10 ms)."""
    if Path("/proc/self/stat").exists():
        return _from_proc(Path("/proc", str(pid)), column)
    return subprocess.run(
        ["ps", "-o", f"{column}=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()


def _from_proc(directory: Path, column: str) -> str:
    """Fields as proc(5) numbers them: 3 is the state, 22 the start in clock ticks since boot."""
    try:
        if column == "args":
            return (directory / "cmdline").read_text(errors="surrogateescape").rstrip("\0").replace("\0", " ")
        fields = (directory / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return fields[0] if column == "state" else fields[19]

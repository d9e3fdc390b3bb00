"""Starting processes apart from us, knowing them again, and stopping exactly those."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
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

"""What a person at the terminal sees, and what a log keeps."""

import io

import pytest

from localservers import progress
from localservers.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(stream: io.StringIO) -> str:
    progress = Progress(stream)
    with progress.step("the survey loaded"):
        progress.tick("file 3 of 9")
    return stream.getvalue()


def test_elsewhere_than_on_a_terminal_lines_are_plain():
    lines = shown(io.StringIO()).splitlines()
    assert [line.split() for line in lines] == [["the", "survey", "loaded", "0.0", "s"]]


def test_elsewhere_than_on_a_terminal_a_long_step_is_one_line_too(monkeypatch):
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.0)
    lines = shown(io.StringIO()).splitlines()
    assert [line.split() for line in lines] == [
        ["the", "survey", "loaded", "0", "s", "file", "3", "of", "9", "...", "0.0", "s"]
    ]


def test_on_a_terminal_a_step_is_one_line():
    text = shown(Terminal())
    assert text.count("\n") == 1
    assert text.endswith("0.0 s\n")


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_a_step_that_fails_ends_its_line_and_says_so(stream: io.StringIO):
    with pytest.raises(ValueError), Progress(stream).step("the survey loaded"):
        raise ValueError
    assert stream.getvalue().endswith(" not finished: 0.0 s\n")

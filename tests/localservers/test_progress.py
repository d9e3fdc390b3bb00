"""What a person at the terminal sees."""

import io

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


def test_on_a_terminal_a_step_is_one_line():
    text = shown(Terminal())
    assert text.count("\n") == 1
    assert text.endswith("0.0 s\n")

"""The exported variables."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localservers import LocalServerError
from localservers.environment import export_lines, search_path

SHELL_TEXT = st.text(st.characters(exclude_characters="\n\0", exclude_categories=["Cs"]))


@given(value=SHELL_TEXT)
@settings(max_examples=60, deadline=None)
def test_a_shell_reads_back_every_value(value):
    script = export_lines({"NAME": value}) + 'printf %s "$NAME"'
    assert subprocess.run(["sh", "-c", script], capture_output=True, check=True).stdout.decode() == value


def test_an_export_is_one_single_quoted_literal():
    assert export_lines({"A": "it's"}) == "export A='it'\\''s'\n"


@pytest.mark.parametrize("variables", [{"A": "two\nlines"}, {"A": "nul\0"}, {"A B": "x"}, {"A;rm": "x"}])
def test_what_cannot_be_a_line_of_shell_is_refused(variables):
    with pytest.raises(LocalServerError, match="cannot be written"):
        export_lines(variables)


def test_the_search_path_has_ours_in_front_once():
    ours = (Path("/venv/bin"), Path("/pg/bin"))
    once = search_path("/usr/bin:/bin", first=ours)
    assert once == "/venv/bin:/pg/bin:/usr/bin:/bin"
    assert search_path(once, first=ours) == once

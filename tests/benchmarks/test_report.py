"""The table, and the words on what was missed."""

from benchmarks.measuring import Result, at_least, at_most
from benchmarks.report import missed, table

GOOD = Result("hot", 1.0, "s", 2.0, at_most(2), "5 objects", lambda: "never asked")
BAD = Result("load", 26_272.4, "rows/s", 53_362.0, at_least(0.6), profile=lambda: "90% waiting")
NEITHER = Result("ingest", 1.0, "messages/s", 2.0)


def test_a_line_has_the_ratio_before_the_figures():
    lines = table([GOOD, BAD]).splitlines()
    assert lines[1].split() == ["ratio", "goal", "value", "limit", "unit"]
    assert lines[2].split() == ["hot", "0.50", "<=", "2", "holds", "1.000", "2.000", "s"]
    assert lines[3].strip() == "5 objects"
    assert lines[4].split() == ["load", "0.49", ">=", "0.6", "MISSED", "26,272", "53,362", "rows/s"]


def test_only_what_is_missed_is_profiled():
    assert missed([GOOD, BAD, NEITHER]) == "\nGoal missed: load. 90% waiting\n"


def test_one_work_is_profiled_once():
    asked = []

    def profile():
        asked.append(1)
        return "90% waiting"

    both = [Result(name, 1.0, "s", 0.5, at_most(1), profile=profile) for name in ("reveal", "reveal, time")]
    assert missed(both) == "\nGoal missed: reveal; reveal, time. 90% waiting\n"
    assert asked == [1]

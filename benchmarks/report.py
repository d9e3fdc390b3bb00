"""A run's results for the reader."""

from collections.abc import Callable, Sequence

from benchmarks.measuring import Result

HEADINGS = ("", "ratio", "goal", "", "value", "limit", "unit")
JUDGEMENTS = {True: "holds", False: "MISSED", None: ""}


def table(results: Sequence[Result]) -> str:
    """One line a result, ratios first, and below it what value and limit are made of."""
    rows = [_cells(result) for result in results]
    widths = [max(map(len, column)) for column in zip(HEADINGS, *rows, strict=True)]
    lines = [_line(HEADINGS, widths)]
    for row, result in zip(rows, results, strict=True):
        lines += [_line(row, widths), *([f"    {result.detail}"] if result.detail else [])]
    return "\n".join(["", *lines, ""])


def missed(results: Sequence[Result]) -> str:
    """For each missed goal, where the time goes; once where several look at the same work."""
    profiles: dict[Callable[[], str], list[str]] = {}
    for result in results:
        if result.holds is False and result.profile is not None:
            profiles.setdefault(result.profile, []).append(result.name)
    return "".join(f"\nGoal missed: {'; '.join(names)}. {profile()}\n" for profile, names in profiles.items())


def _cells(result: Result) -> tuple[str, ...]:
    goal = "" if result.goal is None else str(result.goal)
    value, limit = (f"{number:,.{_decimals(number)}f}" for number in (result.value, result.limit))
    return result.name, f"{result.ratio:.2f}", goal, JUDGEMENTS[result.holds], value, limit, result.unit


def _decimals(number: float) -> int:
    return 0 if abs(number) >= 100 else 3 if abs(number) < 10 else 1


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    name, *others = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
    return "  ".join([name, *others]).rstrip()

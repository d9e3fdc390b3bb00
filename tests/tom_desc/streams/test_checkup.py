"""What the doctor says of the streams."""

from datetime import date

import pytest

from tests.tom_desc.streams.positions import STREAM, add_night, add_position
from tom_desc.streams.checkup import checkup
from tom_desc.streams.models import Gap

pytestmark = pytest.mark.django_db


def ledger():
    return checkup_of("ledger")


def gaps():
    return checkup_of("gaps")


def checkup_of(about):
    [finding] = [finding for finding in checkup() if finding.about == about]
    return finding


def test_streams_that_nobody_read_yet_are_in_order():
    assert [str(finding).split()[0] for finding in checkup()] == ["ok", "ok"]


def test_a_ledger_that_adds_up_is_in_order():
    add_night(seen=10, stored=7, duplicate=2, dead=1)
    add_night(partition=1)
    assert (ledger().ok, ledger().said) == (True, "adds up in all of its 2 rows")


def test_a_ledger_row_that_does_not_add_up_is_found_and_named():
    add_night(seen=10, stored=7, duplicate=1, dead=1, night=date(2026, 3, 6))
    add_night(partition=1)
    assert not ledger().ok
    assert ledger().said == (
        "does not add up in 1 rows: test, topic classifications, partition 0, night 2026-03-06:"
        " 10 seen, 9 stored, duplicate or dead"
    )


def test_of_many_wrong_rows_the_latest_are_named():
    for day in range(1, 10):
        add_night(seen=11, night=date(2026, 3, day))
    assert ledger().said.startswith("does not add up in 9 rows")
    assert [f"2026-03-0{day}" in ledger().said for day in range(1, 10)] == [False] * 4 + [True] * 5


def test_a_position_beyond_what_the_ledger_counts_is_in_order():
    add_position(next_offset=1000, end_offset=1000)
    add_night(seen=10)
    assert ledger().ok


def test_gaps_are_named_and_no_fault_of_ours():
    Gap.objects.create(**STREAM, first_offset=17, end_offset=20, reason="retention")
    Gap.objects.create(**STREAM | {"partition": 1}, first_offset=3, end_offset=None, reason="made anew")
    assert gaps().ok
    assert gaps().said == (
        "2, of 3 offsets as far as is known; the latest:"
        " test, topic classifications, partition 1, from 3 to an unknown end (made anew);"
        " test, topic classifications, partition 0, from 17 to before 20 (retention)"
    )

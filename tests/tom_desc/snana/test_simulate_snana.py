from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tom_desc.mjd import utc
from tom_desc.snana.management.commands import simulate_snana
from tom_desc.snana.simulate import MANIFEST, read_manifest

END = ("--last-mjd", "61000.7", "--first-mjd", "60900.7")


def run(capsys, outdir, *options):
    call_command("simulate_snana", str(outdir), "--objects", "3", *options)
    return capsys.readouterr()


def test_a_survey_is_summed_up_in_one_line(tmp_path, capsys):
    out, err = run(capsys, tmp_path / "sky", *END)
    manifest: Any = read_manifest(tmp_path / "sky")
    assert out.startswith(f"3 objects, {manifest['detections']} detections, {manifest['points']} points")
    assert len(out.splitlines()) == 1
    assert err.splitlines()[-1] == "simulated 3 of 3 objects"


def test_a_finished_simulation_is_reported_not_redone(tmp_path, capsys):
    first, _ = run(capsys, tmp_path / "sky", *END)
    made = (tmp_path / "sky" / MANIFEST).stat().st_mtime_ns
    for options in (END, END[2:], ()):
        again, err = run(capsys, tmp_path / "sky", *options)
        assert again == f"Already there: {first}"
        assert err == ""
    assert (tmp_path / "sky" / MANIFEST).stat().st_mtime_ns == made


def test_other_arguments_are_refused(tmp_path, capsys):
    run(capsys, tmp_path / "sky", *END)
    with pytest.raises(CommandError, match="holds a finished simulation"):
        run(capsys, tmp_path / "sky", *END, "--seed", "5")


def test_arguments_that_make_no_survey_are_an_error(tmp_path, capsys):
    with pytest.raises(CommandError, match="first_mjd must be at least 30 days before last_mjd"):
        run(capsys, tmp_path / "sky", "--last-mjd", "61000", "--first-mjd", "61000")


def test_the_survey_ends_now_unless_said_otherwise(tmp_path, capsys):
    before = datetime.now(tz=UTC)
    run(capsys, tmp_path / "sky")
    manifest: Any = read_manifest(tmp_path / "sky")
    end = utc(manifest["arguments"]["last_mjd"])
    assert abs((end - before).total_seconds()) < 60


def test_progress_is_a_line_for_every_tenth(capsys):
    advance = simulate_snana.progress_of(1000)
    for _ in range(1000):
        advance(1)
    assert len(capsys.readouterr().err.splitlines()) == 10

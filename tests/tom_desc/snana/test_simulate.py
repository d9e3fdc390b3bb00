import hashlib
import json
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from tests.tom_desc.snana.conftest import LAST_MJD
from tom_desc.snana.columns import BANDS, OBJECT_COLUMNS, TRUTH_COLUMNS
from tom_desc.snana.reading import read_survey_file, read_truth
from tom_desc.snana.simulate import (
    MANIFEST,
    OccupiedDirectory,
    finished_simulation,
    read_manifest,
    simulate_survey,
    snid_of,
)

HOSTLESS = {"Mdwarf-flare", "dwarf-nova", "uLens", "Cepheid", "RRL", "d-Sct", "EB"}
FEW: dict[str, Any] = {"objects": 3, "seed": 2, "last_mjd": LAST_MJD, "first_mjd": LAST_MJD - 90}


@pytest.fixture(scope="module")
def files(simulated):
    return {directory: [read_survey_file(h) for h in heads(directory)] for directory in simulated}


@pytest.fixture(scope="module")
def truths(simulated):
    return {directory: read_truth(directory / f"{directory.name}.DUMP") for directory in simulated}


def heads(directory):
    return sorted(directory.glob("*HEAD.FITS.gz"))


def digests(directory):
    paths = sorted(path for path in directory.rglob("*") if path.is_file())
    return {str(p.relative_to(directory)): hashlib.sha256(p.read_bytes()).hexdigest() for p in paths}


def all_of(files, part, name):
    columns = [getattr(file, part)[name] for many in files.values() for file in many]
    return np.concatenate([column for column in columns if column is not None])


def test_all_objects_are_there_once(files):
    ids = all_of(files, "objects", "diaobject_id")
    assert len(ids) == len(set(ids)) == 80
    assert ids.min() > 0
    assert ids.max() < 10_000_000


def test_every_class_has_its_directory(simulated):
    assert len(simulated) == 19
    for directory in simulated:
        names = {path.name for path in directory.iterdir()}
        assert {f"{directory.name}.{kind}" for kind in ("DUMP", "LIST", "README")} <= names
        listed = (directory / f"{directory.name}.LIST").read_text().split()
        assert [f"{name}.gz" for name in listed] == [head.name for head in heads(directory)]


def test_files_have_every_column(files):
    for directory, many in files.items():
        missing = {name for file in many for name, column in file.objects.items() if column is None}
        hostless = directory.name.split("_", 1)[1] in HOSTLESS
        assert {name for name in OBJECT_COLUMNS if "zphot_q" in name and hostless} == missing


def test_hostless_classes_hold_the_sentinels(files):
    for directory, many in files.items():
        if directory.name.split("_", 1)[1] in HOSTLESS:
            for name, sentinel in (("hostgal_mag_r", 999), ("hostgal_ra", -999), ("z_final", -9)):
                assert {float(v) for file in many for v in file.objects[name]} == {float(sentinel)}


def test_some_objects_have_a_second_host_and_some_have_not(files):
    second = all_of(files, "objects", "hostgal2_mag_r")
    first = all_of(files, "objects", "hostgal_mag_r")
    assert 0.15 < (second < 900).sum() / (first < 900).sum() < 0.55


def test_deep_fields_have_their_share(files):
    isddf = all_of(files, "objects", "isddf")
    assert isddf.sum() == 4


def test_the_survey_ends_in_its_last_night(files):
    mjd = all_of(files, "photometry", "midpointtai")
    assert mjd.min() > LAST_MJD - 400
    assert LAST_MJD - 0.35 < mjd.max() < LAST_MJD


def test_the_last_month_and_the_last_night_are_lively(files):
    detected = all_of(files, "photometry", "detected")
    mjd = all_of(files, "photometry", "midpointtai")[detected]
    ids = all_of(files, "photometry", "diaobject_id")[detected]
    assert len(set(ids[mjd > LAST_MJD - 30])) > 80 * 0.3
    assert len(set(ids[mjd > LAST_MJD - 0.35])) >= 2


def test_detections_are_plausible(files):
    detected = all_of(files, "photometry", "detected")
    snr = all_of(files, "photometry", "snr")
    assert 5 < np.median(snr[detected]) < 60
    assert snr[detected].min() > 3
    assert set(all_of(files, "photometry", "filtername")) == {band.encode() for band in BANDS}


def test_flags_are_those_of_the_spec_with_one_trigger_for_each_object(simulated):
    for directory in simulated:
        for head in heads(directory):
            flags = fits.getdata(head.with_name(head.name.replace("HEAD", "PHOT")), 1)["PHOTFLAG"]
            assert set(flags) <= {0, 4096, 6144}
            assert (flags == 6144).sum() == len(fits.getdata(head, 1))


def test_truth_is_of_the_same_objects(files, truths):
    for directory, many in files.items():
        ids = [int(snid) for file in many for snid in file.objects["diaobject_id"]]
        assert truths[directory]["diaobject_id"].tolist() == ids
        assert list(truths[directory]) == [ours for ours, _, _ in TRUTH_COLUMNS]


def test_truth_agrees_with_the_photometry(files, truths):
    for directory, many in files.items():
        truth = truths[directory]
        photometry = {name: np.concatenate([f.photometry[name] for f in many]) for name in many[0].photometry}
        for place, snid in enumerate(truth["diaobject_id"]):
            mine = photometry["diaobject_id"] == snid
            mjd = photometry["midpointtai"][mine]
            detected = mjd[photometry["detected"][mine]]
            assert truth["nobs"][place] == len(mjd)
            assert truth["mjd_detect_first"][place] == detected.min()
            assert truth["mjd_detect_last"][place] == detected.max()
            assert truth["snrmax"][place] == pytest.approx(photometry["snr"][mine].max(), rel=1e-4)


def test_supernovae_peak_where_they_are_brightest(files, truths):
    directory = next(directory for directory in files if directory.name.endswith("_SNIa"))
    offsets = []
    for place, snid in enumerate(truths[directory]["diaobject_id"]):
        photometry = files[directory][0].photometry
        mine = (photometry["diaobject_id"] == snid) & photometry["detected"]
        best = photometry["midpointtai"][mine][photometry["psflux"][mine].argmax()]
        offsets.append(best - truths[directory]["peakmjd"][place])
    assert abs(np.median(offsets)) < 15


def test_the_same_arguments_are_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        simulate_survey(tmp_path / name, **FEW)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_another_seed_is_another_survey(tmp_path):
    simulate_survey(tmp_path / "one", **FEW)
    simulate_survey(tmp_path / "two", **FEW | {"seed": 3})
    one, two = digests(tmp_path / "one"), digests(tmp_path / "two")
    assert one.keys() == two.keys()
    assert not set(one.values()) & set(two.values()) - {
        digest for name, digest in one.items() if name.endswith("LIST")
    }


def test_objects_do_not_depend_on_how_they_are_cut_into_files(tmp_path):
    whole = simulate_survey(tmp_path / "whole", **FEW)
    parts = simulate_survey(tmp_path / "parts", **FEW, files_per_model=3)
    for one, other in zip(whole, parts, strict=True):
        joined = [read_survey_file(head) for head in heads(other)]
        expected = read_survey_file(*heads(one)).photometry
        assert len(joined) == 3
        for name, column in expected.items():
            assert np.concatenate([f.photometry[name] for f in joined]).tobytes() == column.tobytes()


def test_progress_is_told_of_every_object(tmp_path):
    done: list[int] = []
    simulate_survey(tmp_path, **FEW, progress=done.append)
    assert done == [1, 1, 1]


def test_the_manifest_counts_what_was_written(tmp_path):
    directories = simulate_survey(tmp_path, **FEW)
    manifest: Any = read_manifest(tmp_path)
    files: Any = [read_survey_file(head) for directory in directories for head in heads(directory)]
    assert manifest["finished"]
    assert manifest["directories"] == [directory.name for directory in directories]
    assert manifest["objects"] == sum(len(file.objects["ra"]) for file in files) == 3
    assert manifest["points"] == sum(len(file.photometry["ra"]) for file in files)
    assert manifest["detections"] == sum(file.photometry["detected"].sum() for file in files)


def test_an_interrupted_simulation_is_redone(tmp_path):
    def interrupt(done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate_survey(tmp_path / "one", **FEW | {"objects": 30}, progress=interrupt)
    manifest: Any = read_manifest(tmp_path / "one")
    assert not manifest["finished"]
    simulate_survey(tmp_path / "one", **FEW)
    simulate_survey(tmp_path / "two", **FEW)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_a_finished_simulation_is_not_overwritten(tmp_path):
    simulate_survey(tmp_path, **FEW)
    before = digests(tmp_path)
    with pytest.raises(OccupiedDirectory, match="a finished simulation"):
        simulate_survey(tmp_path, **FEW)
    assert digests(tmp_path) == before


def test_other_files_are_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("42")
    with pytest.raises(OccupiedDirectory, match="other files"):
        simulate_survey(tmp_path, **FEW)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_simulation_is_found_again_by_its_arguments(tmp_path):
    simulate_survey(tmp_path, **FEW)
    assert finished_simulation(tmp_path, {"objects": 3, "seed": 2})
    assert finished_simulation(tmp_path, {"objects": 4, "seed": 2}) is None
    (tmp_path / MANIFEST).write_text(json.dumps({"finished": False, "arguments": {}}))
    assert finished_simulation(tmp_path, {}) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"objects": 0},
        {"seed": -1},
        {"ddf_fraction": 1.5},
        {"first_mjd": LAST_MJD - 10},
        {"last_mjd": float("nan")},
        {"files_per_model": 0},
    ],
)
def test_arguments_that_make_no_survey_are_refused(tmp_path, wrong):
    with pytest.raises(ValueError, match="must be"):
        simulate_survey(tmp_path / "out", **FEW | wrong)
    assert not (tmp_path / "out").exists()


@given(st.integers(0, 2**63), st.sets(st.integers(0, 9_999_990), min_size=2, max_size=200))
def test_no_two_objects_share_a_snid(seed, indices):
    snids = {snid_of(index, seed=seed) for index in indices}
    assert len(snids) == len(indices)
    assert min(snids) > 0
    assert max(snids) <= 9_999_991


def test_snids_do_not_tell_the_order():
    snids = [snid_of(index, seed=1) for index in range(100)]
    assert abs(np.corrcoef(np.arange(100), snids)[0, 1]) < 0.5

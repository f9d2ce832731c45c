"""Names of files: known before the run, short enough for the disk, of any letters."""

import json
import os
import sys

import numpy as np
import pytest

from napari_bitsnet.api.export.folders import check_name, check_writable
from napari_bitsnet.api.export.names import possible_names
from napari_bitsnet.api.export.strict_json import strict_json

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="names are bytes on Linux")


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("mix_source_1.tif", True),
        ("mix_source_12.tif", True),
        ("mix_candidate_3_source_1.tif", True),
        ("a_b_residual.tif", True),
        ("mix_run.json", True),
        ("mix_source_1.ome.tif", False),
        ("mix_source_x.tif", False),
        ("mix_report.html", False),
        ("mix_front.tif", False),
        ("mixer_source_1.tif", False),
        ("a_source_1.tif", False),
        ("mix.tif", False),
        ("mix", False),
    ],
)
def test_what_a_run_may_write(name, is_one):
    assert possible_names("separate", ("mix", "a_b"), candidates=True).matcher()(name) is is_one


def test_the_longest_name_is_among_them():
    names = possible_names("separate", ("a", "\u00e9\u00e9"), report=True, candidates=True)
    assert names.longest().startswith("\u00e9\u00e9_candidate_10_")
    assert names.matcher()(names.longest())


@pytest.mark.parametrize("letter", ["n", "\u00e9", "\u6f22"])
def test_names_near_the_limit_are_tried_before_anything_is_written(result_of, tmp_path, letter):
    size = len(letter.encode())
    result = result_of(np.random.default_rng(0).random((20, 30)).astype(np.float32))
    longest = len("_source_1.tif")
    for stem, fits in (
        (letter * ((255 - longest) // size), True),
        (letter * ((255 - longest) // size + 1), False),
    ):
        folder = check_writable(tmp_path / str(fits))
        if fits:
            result.save(folder, stem)
            continue
        with pytest.raises(
            ValueError, match=r"Expected outputs whose names .* can hold, got .*: give the input a shorter"
        ):
            result.save(folder, stem)
        assert list(folder.iterdir()) == []


def test_names_that_no_disk_takes(tmp_path):
    for name in ("a\x00b_run.json", "a/b/c_run.json"):
        with pytest.raises(ValueError, match="Expected outputs whose names"):
            check_name(tmp_path, name)


def test_trying_a_name_leaves_what_is_there(tmp_path):
    path = tmp_path / "scan_run.part"
    path.write_text("mine")
    check_name(tmp_path, "scan_run.json")
    assert path.read_text() == "mine"


@LINUX
def test_names_that_are_no_utf_8_are_written_with_their_report(result_of, tmp_path):
    stem = os.fsdecode(b"caf\xe9")
    result = result_of(np.random.default_rng(0).random((20, 30)).astype(np.float32))
    files = result.save(tmp_path, stem, report=True, inputs={"mixture": [str(tmp_path / f"{stem}.tif")]})
    assert all(path.exists() for path in files)
    page = next(path for path in files if path.suffix == ".html").read_text(encoding="utf-8")
    assert "<h1>caf\\udce9</h1>" in page
    assert json.loads(files[-1].read_text())["files"]["source_1"] == f"{stem}_source_1.tif"


def test_json_is_strict_whatever_it_is_made_of(tmp_path):
    content = {
        "nan": np.nan,
        "inf": -np.inf,
        "float32": np.float32(0.5),
        "nested": [{"deep": (np.float64("nan"), 1)}],
        "array": np.array([[1.0, np.inf]]),
        "int": np.int64(3),
        "path": tmp_path,
        3: True,
    }
    assert json.loads(strict_json(content), parse_constant=pytest.fail) == {
        "nan": None,
        "inf": None,
        "float32": 0.5,
        "nested": [{"deep": [None, 1]}],
        "array": [[1.0, None]],
        "int": 3,
        "path": str(tmp_path),
        "3": True,
    }

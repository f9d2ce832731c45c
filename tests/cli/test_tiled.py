"""``--tile``: images that do not fit into memory, from OME-Zarr to OME-Zarr."""

from __future__ import annotations

import json
import re
import signal

import dask
import numpy as np
import pytest
import zarr

import napari_bitsnet as nb
from napari_bitsnet.api import tiles
from napari_bitsnet.cli.batch import BAD_USAGE, FAILURE, INTERRUPTED, SUCCESS
from napari_bitsnet.io.writers.zarr import OmeZarr
from tests.panels import shared_panel

SIDE = 96
PANEL = shared_panel(2, SIDE)
FLAGS = ("--format", "zarr", "--tile", 64, "--preset", "quick", "--quiet")

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Return arguments with the mixture, its photographs and a folder; the fit is at half the size."""
    monkeypatch.setattr(tiles, "REDUCED", SIDE * SIDE // 4)
    paths = [tmp_path / f"{name}.ome.zarr" for name in ("mosaic", "front", "back")]
    arrays = [np.asarray(image) for image in (PANEL.mixture, *PANEL.guides)]
    OmeZarr().write_together(
        [
            (path, array, "YX" if array.ndim == 2 else "YXC", None, False)
            for path, array in zip(paths, arrays, strict=True)
        ],
        None,
    )
    mosaic, front, back = paths
    return mosaic, "--guide", front, "--guide", back, "-o", tmp_path / "out"


def test_same_numbers_as_from_python_with_a_record(call, files, tmp_path):
    code, text = call("xray", *files, *FLAGS)
    assert code == SUCCESS, text
    said = re.search(r"^mosaic: guided_network, in tiles, (\d+\.\d) s, \d+ images in ", text, re.MULTILINE)
    guides = [nb.read(path).channels_last for path in (files[2], files[4])]
    expected = nb.run_in_tiles("xray", nb.read(files[0]).array, guides=guides, tile=64, preset="quick")
    out = tmp_path / "out"
    written = zarr.open(out / "mosaic_source_1.ome.zarr", mode="r")["0"]
    np.testing.assert_array_equal(np.squeeze(written[:]), expected["source_1"].compute())
    record = json.loads((out / "mosaic_run.json").read_text())
    assert record["reduced_by"] == 2
    assert float(said[1]) > record["seconds"] - 0.1  # of fit and tiles; the record's are those of the fit
    assert record["inputs"]["mixture"] == [str(files[0])]
    assert {*record["files"].values(), "mosaic_run.json"} == {path.name for path in out.iterdir()}


def test_the_fit_at_reduced_size_shows_its_stages(call, files):
    code, text = call("xray", *files, *FLAGS[:-1])
    assert code == SUCCESS, text
    before, _, after = text.partition("mosaic, reduced, reading the image at reduced size")
    assert "%" not in before  # the bar of the tiles comes later
    stages = re.findall(r"mosaic, reduced, ([a-z][^\[]*) \[", after)
    assert len(set(stages)) >= 2
    assert "%" in after


def test_a_finished_image_is_skipped_and_overwritten_on_request(call, files, tmp_path):
    call("xray", *files, *FLAGS)
    code, text = call("xray", *files, *FLAGS)
    assert code == SUCCESS
    assert "finished before, skipped" in text
    out = tmp_path / "out"
    record = json.loads((out / "mosaic_run.json").read_text())
    (out / "mosaic_old.tif").write_bytes(b"")  # of an earlier run in another format
    record["files"]["old"] = "mosaic_old.tif"
    (out / "mosaic_run.json").write_text(json.dumps(record))
    code, text = call("xray", *files, *FLAGS, "--overwrite")
    assert code == SUCCESS, text
    assert not (out / "mosaic_old.tif").exists()
    assert "old" not in json.loads((out / "mosaic_run.json").read_text())["files"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--format", "imagej"), "Expected --format zarr with --tile, got imagej"),
        (("--report", "--candidates"), "Expected no --report and no --candidates with --tile"),
        (("--depth", "input"), "Expected no --depth input with --tile"),
        (("--tile", 8), "64"),
    ],
)
def test_options_that_need_the_whole_image_are_refused_before_any_work(call, files, tmp_path, more, message):
    code, text = call("xray", *files, *FLAGS, *more)
    assert code == BAD_USAGE
    assert message in text
    assert not (tmp_path / "out").exists()


def test_a_method_that_cannot_work_in_tiles_is_an_error_before_its_run(call, files, toy, monkeypatch):
    monkeypatch.setattr(tiles, "solve", lambda *_: pytest.fail("It must not be run."))
    code, text = call("xray", *files, *FLAGS, "--method", "toy")
    assert code == FAILURE
    assert "Expected a method that works in tiles, got Toy" in text


def test_ctrl_c_ends_it_between_tiles_and_leaves_nothing(call, files, tmp_path, monkeypatch):
    tile = tiles._tile

    def interrupted(work, window):
        signal.raise_signal(signal.SIGINT)
        return tile(work, window)

    monkeypatch.setattr(tiles, "_tile", interrupted)
    with dask.config.set(scheduler="sync"):  # signals are for the main thread
        code, text = call("xray", *files, *FLAGS)
    assert code == INTERRUPTED
    assert "stopped before its last tile" in text
    assert not (tmp_path / "out").exists()


def test_only_tasks_with_guides_have_tiles(call):
    assert "--tile" in call("xray", "--help")[1]
    assert "--tile" not in call("separate", "--help")[1]

"""Check, spike-in and register from files: what they print and their exit codes."""

import json

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_bitsnet.cli.batch import BAD_USAGE, FAILURE, SUCCESS
from napari_bitsnet.data.panel import simulate_panel


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    panel, folder = simulate_panel(5, 96), tmp_path_factory.mktemp("panel")
    Image.fromarray(panel.mixture).save(folder / "xray.png")
    for name, guide in zip(("front", "back"), panel.guides, strict=True):
        Image.fromarray(guide).save(folder / f"{name}.png")
    Image.fromarray(np.ascontiguousarray(panel.guides[1][::-1])).save(folder / "flipped.png")
    return folder


def test_check(call, folder):
    front = ("--guide", folder / "front.png")
    code, text = call("check", folder / "xray.png", *front, "--guide", "none")
    assert (code, "Nothing to mend" in text) == (SUCCESS, True), text
    code, text = call("check", folder / "xray.png", *front, "--guide", folder / "flipped.png")
    assert code == FAILURE, text
    assert "- Guide 2 fits no place" in text
    code, text = call("check", folder / "xray.png", "--guide", folder / "absent.png")
    assert code == BAD_USAGE
    assert "does not exist" in text


def test_spike_in(call, folder):
    guides = ("--guide", folder / "front.png", "--guide", "none", "--preset", "quick")
    code, text = call("spike-in", folder / "xray.png", *guides, "--extent", 0.2)
    assert code == SUCCESS, text
    assert "shape added to mixture" in text
    assert "source_2" in text
    code, text = call("spike-in", folder / "xray.png", *guides, "--where", "guide_2")
    assert code == BAD_USAGE
    assert "where to be one of mixture, guide_1, source_1" in text


def test_register(call, folder):
    out = folder / "back_registered.tif"
    code, text = call("register", folder / "back.png", folder / "xray.png", "-o", out)
    assert code == SUCCESS, text
    assert tifffile.imread(out).shape == (96, 96, 3)
    assert json.loads(out.with_suffix(".json").read_text())["score"] > 1.5
    (folder / "points.csv").write_text("10,10,12,13\n50,20,52,23\n")
    code, text = call(
        "register", folder / "flipped.png", folder / "xray.png", "-o", out, "--points", folder / "points.csv"
    )
    assert code == SUCCESS, text
    matrix = json.loads(out.with_suffix(".json").read_text())["matrix"]
    np.testing.assert_allclose(matrix, [[1, 0, 2], [0, 1, 3], [0, 0, 1]], atol=1e-6)
    code, text = call("register", folder / "back.png", folder / "xray.png", "-o", out, "--model", "rigid")
    assert code == BAD_USAGE
    assert "a model of shift, affine or smooth" in text


def test_files_for_the_lab(call, folder):
    guides = ("--guide", folder / "front.png", "--guide", folder / "back.png", "--preset", "quick")
    out = folder / "lab"
    options = ("--format", "ome", "--depth", "input", "--report", "-q")
    code, text = call("xray", folder / "xray.png", *guides, "-o", out, *options)
    assert code == SUCCESS, text
    assert tifffile.imread(out / "xray_source_1.ome.tif").dtype == np.uint16
    assert (out / "xray_report.html").read_text("utf-8").count("data:image/png") == 3 + 8

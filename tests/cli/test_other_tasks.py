"""X-rays with guides and several mixtures, from files to files; closed forms, so in seconds."""

import json

import numpy as np
import pytest
import tifffile
from PIL import Image

import napari_bitsnet as nb
from napari_bitsnet.cli.batch import BAD_USAGE, FAILURE, SUCCESS
from napari_bitsnet.data.panel import simulate_panel
from napari_bitsnet.data.synthetic import photograph_mixtures

SIZE = 64


@pytest.fixture(scope="module")
def panel():
    return simulate_panel(0, SIZE, misregistration=0.0)


@pytest.fixture
def panel_files(panel, tmp_path):
    tifffile.imwrite(tmp_path / "xray.tif", panel.mixture, resolution=(600, 600), resolutionunit="INCH")
    Image.fromarray(panel.guides[0]).save(tmp_path / "front.png")
    tifffile.imwrite(
        tmp_path / "back.tif", np.moveaxis(panel.guides[1], -1, 0), imagej=True, metadata={"axes": "CYX"}
    )
    return tmp_path


@pytest.fixture(scope="module")
def mixed():
    return photograph_mixtures(0, SIZE)


@pytest.fixture
def mixture_files(mixed, tmp_path):
    for m, mixture in enumerate(mixed.mixtures):
        Image.fromarray(mixture).save(tmp_path / f"m{m + 1}.png")
    return tmp_path


def stored(folder, name):
    return tifffile.imread(folder / f"{name}.tif")


QUICKLY = ("--method", "guided_regression", "--preset", "quick", "-q")


def test_xray_with_two_guides(call, panel, panel_files):
    guides = ("--guide", panel_files / "front.png", "--guide", panel_files / "back.tif")
    code, text = call("xray", panel_files / "xray.tif", *guides, "-o", panel_files, *QUICKLY)
    assert code == SUCCESS, text
    result = nb.run("xray", panel.mixture, guides=panel.guides, method="guided_regression", preset="quick")
    for name, output in result.outputs.items():
        np.testing.assert_array_equal(stored(panel_files, f"xray_{name}"), output)
    record = json.loads((panel_files / "xray_run.json").read_text())
    assert record["inputs"]["guides"] == [str(panel_files / "front.png"), str(panel_files / "back.tif")]


def test_xray_with_one_guide(call, panel, panel_files):
    guides = ("--guide", panel_files / "front.png", "--guide", "none")
    code, text = call("xray", panel_files / "xray.tif", *guides, "-o", panel_files, *QUICKLY)
    assert code == SUCCESS, text
    result = nb.run(
        "xray", panel.mixture, guides=[panel.guides[0], None], method="guided_regression", preset="quick"
    )
    np.testing.assert_array_equal(stored(panel_files, "xray_source_2"), result.sources[1])
    record = json.loads((panel_files / "xray_run.json").read_text())
    assert record["inputs"]["guides"] == [str(panel_files / "front.png"), None]
    again = ("--settings", panel_files / "xray_run.json", "-o", panel_files / "again", "-q")
    assert call("xray", *again)[0] == SUCCESS
    np.testing.assert_array_equal(stored(panel_files / "again", "xray_source_2"), result.sources[1])


def test_xray_without_guides(call, panel_files):
    code, text = call("xray", panel_files / "xray.tif", "-o", panel_files)
    assert code == BAD_USAGE
    assert "Expected --guide FILE once or more, got none. What FILE is: A photograph of each source" in text


def test_guide_of_another_size_is_resampled_with_a_warning(call, panel, panel_files):
    Image.fromarray(panel.guides[0][::2, ::2]).save(panel_files / "small.png")
    guides = ("--guide", panel_files / "small.png", "--guide", "none")
    code, text = call("xray", panel_files / "xray.tif", *guides, "-o", panel_files, "-q")
    assert code == SUCCESS
    assert "warning: xray: Resampled guide 1 of 32 x 32 pixels" in text


def test_guide_of_another_aspect(call, panel_files):
    Image.fromarray(np.zeros((9, 20, 3), np.uint8)).save(panel_files / "small.png")
    guides = ("--guide", panel_files / "small.png", "--guide", "none")
    code, text = call("xray", panel_files / "xray.tif", *guides, "-o", panel_files, "-q")
    assert code == FAILURE
    assert "error: xray: Expected" in text


def test_several_mixtures_are_one_run(call, mixed, mixture_files):
    files = [mixture_files / f"m{m + 1}.png" for m in range(2)]
    code, text = call("multi-mixture", *files, "-o", mixture_files, "--method", "ica", "-q")
    assert code == SUCCESS, text
    result = nb.run("multi_mixture", mixed.mixtures, method="ica")
    for k in range(2):
        expected = np.moveaxis(result.outputs[f"source_{k + 1}"], -1, 0)
        np.testing.assert_array_equal(stored(mixture_files, f"m1_source_{k + 1}"), expected)
    record = json.loads((mixture_files / "m1_run.json").read_text())
    np.testing.assert_allclose(record["values"]["weights"], result.outputs["weights"], rtol=1e-6)
    assert record["inputs"]["mixture"] == [str(file) for file in files]


@pytest.mark.parametrize("axes", ["ZYX", "TYX", "QYX"])
def test_one_file_with_all_mixtures(call, mixed, mixture_files, axes):
    grey = mixed.mixtures[..., 1]
    options = {} if axes == "QYX" else {"imagej": True, "metadata": {"axes": axes}}
    tifffile.imwrite(mixture_files / "all.tif", grey, photometric="minisblack", **options)
    arguments = ("multi-mixture", mixture_files / "all.tif", "-o", mixture_files, "--method", "ica", "-q")
    code, text = call(*arguments)
    assert code == SUCCESS, text
    expected = nb.run("multi_mixture", grey, method="ica").sources
    np.testing.assert_array_equal(stored(mixture_files, "all_source_1"), expected[0])


def test_mixtures_of_different_shapes(call, mixture_files):
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(mixture_files / "small.png")
    files = (mixture_files / "m1.png", mixture_files / "small.png")
    code, text = call("multi-mixture", *files, "-o", mixture_files, "-q")
    assert code == FAILURE
    assert "Expected mixtures of one shape, got m1.png (64, 64, 3), small.png (9, 9, 3)" in text


def test_one_mixture_is_not_several(call, mixture_files):
    code, text = call("multi-mixture", mixture_files / "m1.png", "-o", mixture_files, "-q")
    assert code == FAILURE
    assert "Expected several mixtures, got one image (64, 64, 3) in m1.png: name two files or more" in text


def test_estimated_weights_are_told(call, mixed, mixture_files):
    grey = mixed.mixtures[..., 1]
    for m, mixture in enumerate(grey):
        Image.fromarray(mixture).save(mixture_files / f"g{m + 1}.png")
    files = [mixture_files / f"g{m + 1}.png" for m in range(2)]
    out = mixture_files / "out"
    code, text = call("multi-mixture", *files, "-o", out, "--method", "ica", "-q", "--report")
    assert code == SUCCESS, text
    weights = nb.run("multi_mixture", grey, method="ica").outputs["weights"].array
    page = (out / "g1_report.html").read_text()
    for m, (one, two) in enumerate(([f"{w:.3g}" for w in row] for row in weights), 1):
        assert f"g1: mixing weights of g{m}.png: source 1 {one}, source 2 {two}\n" in text
        assert f"<tr><td>mixture {m}</td><td>{one}</td><td>{two}</td></tr>" in page
    assert "Contribution of this source" not in page
    assert "with free weights its scale is not known" in page


def test_the_colour_of_haze_is_told(call, tmp_path):
    hazy = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(hazy).save(tmp_path / "hazy.png")
    code, text = call("dehaze", tmp_path / "hazy.png", "-o", tmp_path, "--method", "dark_channel", "-q")
    assert code == SUCCESS, text
    airlight = nb.run("dehaze", hazy, method="dark_channel").outputs["airlight"].array
    told = [f"channel {k + 1} {value:.3g}" for k, value in enumerate(airlight)]
    assert f"hazy: airlight: {', '.join(told)}\n" in text

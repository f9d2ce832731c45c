"""OME-TIFF, the mixture's own depth, provenance inside files, the one-page report."""

import base64
import io
import json
import re
import warnings
from html.parser import HTMLParser

import numpy as np
import pytest
import tifffile
from PIL import Image

import napari_bitsnet as nb
from napari_bitsnet.api.export.report import write_report
from napari_bitsnet.api.export.saving import save_results
from napari_bitsnet.api.export.writing import write_image
from napari_bitsnet.api.planes import Planes
from napari_bitsnet.io.calibration import Calibration
from napari_bitsnet.io.read import read_image
from napari_bitsnet.tasks import TASKS
from tests.described import described
from tests.panels import shared_panel


def sides():
    return shared_panel(2, 48)


pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(scope="module")
def result():
    return nb.run("xray", sides().mixture, guides=sides().guides, preset="quick")


@pytest.mark.parametrize(
    ("axes", "stored"), [("ZYX", "ZYX"), ("TYXC", "TCYX"), ("ZTYX", "TZYX"), ("QYX", "ZYX")]
)
def test_ome_tiff_keeps_axes_units_and_provenance(tmp_path, axes, stored):
    image = (
        np.random.default_rng(0)
        .random([{"C": 3}.get(a, n + 4) for n, a in enumerate(axes)])
        .astype(np.float32)
    )
    place = Calibration((4.0, 2.0), "micron", 2.5)
    write_image(tmp_path / "a.ome.tif", image, axes, place, format="ome", record={"task": "x <&> y"})
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as tiff:
        assert tiff.is_ome
        assert tiff.series[0].axes == stored
        assert tiff.series[0].dtype == np.float32
        assert 'PhysicalSizeX="0.25"' in tiff.ome_metadata
        assert "x &lt;&amp;&gt; y" in tiff.ome_metadata
    assert read_image(tmp_path / "a.ome.tif").calibration == place


def test_ome_tiff_has_no_more_than_five_axes(tmp_path):
    with pytest.raises(ValueError, match="at most the axes T, C, Z, Y and X for OME-TIFF, got PTZYX"):
        write_image(tmp_path / "a.ome.tif", np.zeros((1, 1, 1, 4, 4)), "PTZYX", format="ome")


def test_imagej_files_carry_their_provenance(result, tmp_path):
    save(result, sides().mixture, tmp_path, "scan", inputs={"mixture": ["scan.tif"]})
    with tifffile.TiffFile(tmp_path / "scan_source_1.tif") as tiff:
        inside = json.loads(tiff.imagej_metadata["Info"])
    assert inside["output"] == "source_1"
    assert inside["inputs"] == {"mixture": ["scan.tif"]}
    assert inside["settings"] == result.provenance["settings"]


def test_sources_in_the_depth_of_the_mixture(result, tmp_path):
    missing = result.outputs["source_1"].copy()
    missing[0, 0] = np.nan
    given = nb.Result(described("xray", {**arrays_of(result), "source_1": missing}), result.provenance)
    save(given, sides().mixture, tmp_path, "scan", kind="ome", depth="input")
    stored = tifffile.imread(tmp_path / "scan_source_1.ome.tif")
    assert stored.dtype == np.uint16
    assert stored[0, 0] == 0
    exact = np.clip(missing.ravel()[1:], 0, 65535)
    assert np.abs(stored.ravel()[1:] - exact).max() <= 0.501  # halves are rounded either way
    assert tifffile.imread(tmp_path / "scan_unexplained.ome.tif").dtype == np.float32  # a difference


def test_clipped_pixels_are_counted_for_each_file(result, tmp_path):
    outputs = {"source_1": np.full((48, 48), 7.0, np.float32), "source_2": np.full((48, 48), 7.0, np.float32)}
    outputs["source_1"][0, :4] = -0.4, -0.6, 65535.4, np.nan  # one of them is clipped, the others are rounded
    outputs["source_2"][:2] = 65535.6
    given = nb.Result(described("xray", outputs), result.provenance, mixture=sides().mixture)
    with pytest.warns(UserWarning, match="^Clipped to 0 … 65535: ") as caught:
        given.save(tmp_path, "scan", depth="input")
    (text,) = [str(entry.message) for entry in caught]
    assert "1 pixel of scan_source_1.tif, 96 pixels of scan_source_2.tif" in text
    assert 'depth="float"' in text
    assert caught[0].filename == __file__
    assert text in json.loads((tmp_path / "scan_run.json").read_text())["warnings"]


def test_a_pixel_in_colour_is_counted_once_and_nothing_is_said_where_nothing_is_lost(result, tmp_path):
    colour = np.random.default_rng(0).integers(0, 255, (48, 48, 3), dtype=np.uint8)
    source = np.full(colour.shape, 7.0, np.float32)
    record = {**result.provenance, "stored": "uint8"}
    given = nb.Result(described("xray", {"source_1": source}), record, mixture=colour)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        given.save(tmp_path, "scan", depth="input")
        source[0, :2] = -9, 300, 4
        given.save(tmp_path, "scan")
    with pytest.warns(UserWarning, match=r"Clipped to 0 … 255: 2 pixels of scan_source_1\.tif"):
        given.save(tmp_path, "scan", depth="input")


def save(result, mixture, folder, stem, **options):
    """Save a result with `save_results`."""
    return save_results({stem: (result.outputs, result.provenance)}, mixture, folder, **options)


def arrays_of(result):
    """Arrays of a result by name."""
    return {name: output.array for name, output in result.outputs.items()}


class Page(HTMLParser):
    """Collects pictures and text, and refuses anything from outside."""

    def __init__(self) -> None:
        super().__init__()
        self.pictures: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attributes: list) -> None:
        assert tag not in ("script", "link")
        given = dict(attributes)
        if tag == "img":
            assert given["src"].startswith("data:image/png;base64,")
            Image.open(io.BytesIO(base64.b64decode(given["src"].partition(",")[2]))).verify()
            self.pictures.append(given["alt"])

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(path) -> Page:
    page = Page()
    page.feed(path.read_text("utf-8"))
    return page


def test_a_report_shows_all_and_needs_nothing_else(result, tmp_path):
    noted = nb.Result(result.outputs, {**result.provenance, "warnings": ["Look <here>."]})
    files = save(
        noted, sides().mixture, tmp_path, "scan", report=True, guides=sides().guides, truths=sides().truths
    )
    assert tmp_path / "scan_report.html" in files
    page = read(tmp_path / "scan_report.html")
    shown = [output.caption for output in result.outputs.values()]
    assert page.pictures == ["Mixture", "Guide 1", "Guide 2", *shown]
    assert {"Source 1", "Part that no guide explains", "Cancelled edges"} <= set(shown)
    text = "\n".join(page.text)
    assert "Look <here>." in text
    assert "offset-free gain" in text
    gain = nb.metrics.score(result.sources, sides().truths, sides().mixture)["mean_gain_offset_free"]
    assert f"{gain:.2f}" in text
    assert all(f"method_settings.{name}" in text for name in result.provenance["method_settings"])
    assert re.search(r"losses\.explained_energy", text)


def test_a_report_of_a_stack_shows_its_middle(tmp_path):
    stack = np.stack([sides().mixture] * 3)
    found = nb.run(
        "xray", stack, guides=sides().guides, axes="ZYX", preset="quick", settings={"trust": False}
    )
    write_report(
        tmp_path / "r.html", found.outputs, found.provenance, Planes(stack, "ZYX"), guides=sides().guides
    )
    page = read(tmp_path / "r.html")
    assert "Slice 1 of 3 is shown." in "".join(page.text)
    assert "Source 1" in page.pictures


def test_truths_reach_the_report_from_python_and_need_one(result, tmp_path):
    with pytest.raises(ValueError, match="Expected a report for the scores against truths"):
        result.save(tmp_path, "scan", truths=sides().truths)
    with pytest.raises(ValueError, match="Expected 2 truths"):
        result.save(tmp_path, "scan", truths=sides().truths[:1], report=True)
    assert list(tmp_path.iterdir()) == []  # before anything is written
    result.save(tmp_path, "scan", truths=sides().truths, report=True)
    gain = nb.metrics.score(result.sources, sides().truths, sides().mixture)["mean_gain"]
    assert f"{gain:.2f}" in read(tmp_path / "scan_report.html").text


def test_a_report_under_attenuation_scores_densities(tmp_path):
    density = sides().mixture / 20_000
    truths = sides().truths / 20_000
    intensity = 60_000 * np.exp(-density)
    found = nb.run("xray", intensity, guides=sides().guides, preset="quick", mixing="attenuation", i0=60_000)
    found.save(tmp_path, "scan", truths=truths, report=True)
    text = read(tmp_path / "scan_report.html").text
    scores = nb.metrics.score(found.sources, truths, density)
    assert np.isfinite(scores["mean_psnr"])
    for name in ("mean_gain_offset_free", "mean_gain", "mean_psnr", "mean_ssim"):
        assert f"{scores[name]:.2f}" in text
    assert any("In optical density." in part for part in text)


def test_a_report_says_how_far_to_trust_it_and_how_large_a_pixel_is(result, tmp_path):
    for name, place, words in (
        ("none", None, "Size of a pixel: not known."),
        ("bare", Calibration((4.0, 4.0)), "Size of a pixel: not known."),
        ("inch", Calibration((600.0, 600.0), "inch"), "Size of a pixel: 0.001667 inch."),
        (
            "stack",
            Calibration((4.0, 2.0), "mm", 3.0),
            "Size of a pixel: 0.25 mm wide, 0.5 mm high; slices lie 3 mm apart.",
        ),
    ):
        write_report(
            tmp_path / f"{name}.html",
            result.outputs,
            result.provenance,
            Planes(sides().mixture),
            calibration=place,
        )
        assert words in read(tmp_path / f"{name}.html").text
    text = read(tmp_path / "none.html").text
    begins = "The scores of the documentation were measured on simulated panels, and means of real images"
    (caution,) = (each for each in text if each.startswith(begins))
    assert caution.endswith("but no real X-radiographs. Not for diagnosis.")
    part = result.provenance["losses"]["explained_energy"]
    assert 0.15 < part < 1
    begins = f"The guides explain {part:.0%} of the mixture's edges (energy of the gradients)"
    assert any(each.startswith(begins) for each in text)
    blind = nb.Result(result.outputs, {**result.provenance, "losses": {}, "task": "of a plug-in"})
    write_report(tmp_path / "blind.html", blind.outputs, blind.provenance, Planes(sides().mixture))
    text = read(tmp_path / "blind.html").text
    assert not any("The guides explain" in each for each in text)
    assert "Not for diagnosis." in text  # and nothing that this package cannot know


@pytest.mark.parametrize("name", list(TASKS))
def test_every_task_says_on_which_images_it_was_measured(name):
    text = TASKS.get(name).validated_on
    assert 20 < len(text) < 160
    assert not text.endswith(".")  # it ends a sentence of the report

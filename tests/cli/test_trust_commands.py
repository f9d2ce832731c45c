"""Check, spike-in and register from files: what they print and their exit codes."""

import json
import re

import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy.ndimage import gaussian_filter

from napari_bitsnet.cli.batch import BAD_USAGE, FAILURE, SUCCESS
from napari_bitsnet.core.device import OutOfMemory
from napari_bitsnet.core.registration.register import LEAST_SCORE
from napari_bitsnet.io.calibration import Calibration
from napari_bitsnet.io.read import read_image
from napari_bitsnet.tasks import Inputs
from napari_bitsnet.tasks.xray import Xray
from tests.panels import shared_panel


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    both, folder = shared_panel(5, 96), tmp_path_factory.mktemp("panel")
    Image.fromarray(both.mixture).save(folder / "xray.png")
    for name, guide in zip(("front", "back"), both.guides, strict=True):
        Image.fromarray(guide).save(folder / f"{name}.png")
    Image.fromarray(np.ascontiguousarray(both.guides[1][::-1])).save(folder / "flipped.png")
    return folder


def test_check(call, folder):
    front = ("--guide", folder / "front.png")
    code, text = call("check", folder / "xray.png", *front, "--guide", "none", "--out", folder / "check.json")
    assert (code, "No problems found" in text) == (SUCCESS, True), text
    assert "(score of the check" in text
    record = json.loads((folder / "check.json").read_text())
    (place,) = record["guides"]
    assert (place["guide"], place["score"] > place["enough"]) == (1, True)
    assert max(map(abs, place["shift"])) <= 2 * place["spacing"]
    assert record["findings"] == []
    assert record["inputs"]["guides"] == [str(folder / "front.png"), None]
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


def test_spike_in_takes_settings_of_the_method(call, folder, monkeypatch):
    asked = []

    def spike_in(*_, settings, **__):
        asked.append(settings)

    monkeypatch.setattr("napari_bitsnet.api.spike_in", spike_in)
    command = ("spike-in", folder / "xray.png", "--guide", folder / "front.png")
    code, text = call(*command, "--set", "correct=false", "--set", "max_shift=3")
    assert code == SUCCESS, text
    assert asked == [{"correct": False, "max_shift": 3}]
    code, text = call(*command, "--set", "corect=false")
    assert (code, "correct" in text) == (BAD_USAGE, True), text


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    """Under attenuation, behind a beam whose shape hides the panel, with a strong dark current."""
    both, folder = shared_panel(5, 96, attenuation=True, bits=0), tmp_path_factory.mktemp("detector")
    y, x = np.mgrid[:96, :96]
    beam = 20000 * (1 + 0.9 * np.sin(1.7 * x) * np.sin(2.1 * y))
    tifffile.imwrite(folder / "xray.tif", np.round(beam * both.mixture / both.i0 + 9000).astype(np.uint16))
    tifffile.imwrite(folder / "flat.tif", np.round(beam + 9000).astype(np.uint16))
    tifffile.imwrite(folder / "dark.tif", np.full((96, 96), 9000, np.uint16))
    for name, guide in zip(("front", "back"), both.guides, strict=True):
        Image.fromarray(guide).save(folder / f"{name}.png")
    return folder


def frames(folder):
    return ("--mixing", "attenuation", "--flat", folder / "flat.tif", "--dark", folder / "dark.tif")


def test_check_looks_at_the_density_that_is_fitted_to(call, detector):
    command = (
        "check",
        detector / "xray.tif",
        "--guide",
        detector / "front.png",
        "--guide",
        detector / "back.png",
    )
    code, text = call(*command)
    assert code == FAILURE, text  # grey levels show the beam, which no photograph explains
    code, text = call(*command, *frames(detector))
    assert code == SUCCESS, text
    code, text = call(*command, *frames(detector)[:2], "--flat", detector / "absent.tif")
    assert (code, "does not exist" in text) == (BAD_USAGE, True), text
    code, text = call(*command, "--mixing", "multiplied")
    assert code == BAD_USAGE, text


def test_spike_in_takes_frames(call, detector):
    command = (
        "spike-in",
        detector / "xray.tif",
        "--guide",
        detector / "front.png",
        "--guide",
        detector / "back.png",
    )
    code, text = call(*command, *frames(detector), "--preset", "quick", "--extent", 0.2)
    assert code == SUCCESS, text
    arrived = [float(line.split()[1]) for line in text.splitlines() if line.strip().startswith("source_")]
    assert len(arrived) == 2
    assert abs(sum(arrived) - 1) <= 0.011  # two decimals each


@pytest.fixture
def smooth():
    """A photograph without noise, so that it may be interpolated."""
    rng = np.random.default_rng(0)
    fine = gaussian_filter(rng.standard_normal((96, 96, 3)), (4, 4, 0))
    return np.round(40 + 200 * (fine - fine.min()) / np.ptp(fine)).astype(np.uint8)


def test_a_mirrored_photograph_is_registered_by_points_of_its_file(call, folder, tmp_path, smooth):
    Image.fromarray(np.ascontiguousarray(smooth[:, ::-1])).save(tmp_path / "back.png")
    places = np.array(
        [[10, 12], [80, 20], [40, 85], [70, 60]]
    )  # (y, x) in the photograph as seen from the front
    lines = [f"{y},{95 - x},{y + 3},{x - 2}" for y, x in places]
    (tmp_path / "points.csv").write_text("\n".join(lines))
    out = tmp_path / "placed.tif"
    code, text = call(
        *("register", tmp_path / "back.png", folder / "xray.png", "-o", out),
        *("--mirror", "--points", tmp_path / "points.csv"),
    )
    assert code == SUCCESS, text
    np.testing.assert_array_equal(tifffile.imread(out)[3:, :94, :3], smooth[:93, 2:])


def test_what_a_photograph_does_not_cover_is_said_and_missing(call, tmp_path, smooth):
    both = shared_panel(5, 96)
    xray, photograph, out = (tmp_path / name for name in ("xray.tif", "front.png", "placed.tif"))
    tifffile.imwrite(xray, both.mixture, resolution=(600, 300), resolutionunit="INCH")
    Image.fromarray(smooth[:, :70]).save(photograph)
    (tmp_path / "points.txt").write_text("5 5 5 5\n90 10 90 10\n40 60 40 60\n")
    code, text = call("register", photograph, xray, "-o", out, "--points", tmp_path / "points.txt")
    assert code == SUCCESS, text
    assert "72.9 % of xray.tif is covered" in text
    assert "warning: front.png covers 72.9 % of xray.tif" in text
    assert json.loads(out.with_suffix(".json").read_text())["covered"] == 70 / 96
    file = read_image(out)
    assert file.calibration == Calibration((600, 300), "inch")
    assert file.axes == "YXC"
    known = np.arange(96) < 70
    np.testing.assert_array_equal(file.array[..., 3], np.where(known, 255, 0) + np.zeros((96, 1)))
    np.testing.assert_array_equal(file.array[:, :70, :3], smooth[:, :70])
    built = Xray().build(Inputs(both.mixture, (file.channels_last, None)))
    assert [str(notice)[:50] for notice in built.notices] == [
        "27.1% of the image are not covered by all guides: "
    ]
    problem = built.problem
    np.testing.assert_array_equal(problem.valid[0, 0].numpy(), known + np.zeros((96, 1)) > 0)
    guide = problem.guides[0]
    seen = smooth[:, :70].astype(float)
    expected = (seen - seen.min()) / np.ptp(seen)  # no black is among its colours
    np.testing.assert_allclose(guide[0, :, :, :70].numpy().transpose(1, 2, 0), expected, atol=1e-6)
    np.testing.assert_array_equal(
        guide[0, :, :, 70:].numpy(), guide[0, :, :, 69:70].expand(-1, -1, 26).numpy()
    )

    Image.fromarray(smooth).save(photograph)
    code, text = call("register", photograph, xray, "-o", out, "--points", tmp_path / "points.txt")
    assert "100 % of xray.tif is covered" in text
    assert " covers " not in text
    assert tifffile.imread(out).shape == (96, 96, 3)
    (tmp_path / "points.txt").write_text("\ufeff5 5 500 5\n", encoding="utf-8")
    code, text = call("register", photograph, xray, "-o", out, "--points", tmp_path / "points.txt")
    assert (code, "to cover a part of xray.tif, got none" in text) == (BAD_USAGE, True), text


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ("y x y x\n5 5 5 5\n", "Expected four numbers a line in .*, got 'y x y x' in line 1"),
        ("5 5 5 5\n5,5,5\n", "Expected four numbers a line in .*, got '5,5,5' in line 2"),
        ("5 5 5 nan\n", "got '5 5 5 nan' in line 1"),
        ("# nothing\n\n", "Expected pairs of points in .*, got none"),
        ("5 5 5 5 µ", "Expected points as text in UTF-8"),
        ("5 5 5 5\n5 5 9 9\n", "Expected two different points in each image, got one twice"),
        ("5 5 5 5\n9 9 5 5\n", "Expected two different points in each image, got one twice"),
        ("5 5 1 1\n9 9 2 2\n5 9 3 3\n", "Expected points that span an area, got points on one line"),
    ],
)
def test_points_that_are_none_are_said(call, folder, tmp_path, points, message):
    (tmp_path / "points.txt").write_bytes(points.encode("latin-1"))
    images = (folder / "front.png", folder / "xray.png")
    code, text = call("register", *images, "-o", tmp_path / "out.tif", "--points", tmp_path / "points.txt")
    assert code == BAD_USAGE
    assert re.search(f"error: .*{message}", text), text
    assert not (tmp_path / "out.tif").exists()


@pytest.mark.parametrize(
    ("command", "computes"),
    [
        ("register", "napari_bitsnet.core.registration.register.register"),
        ("check", "napari_bitsnet.api.check"),
        ("spike-in", "napari_bitsnet.api.spike_in"),
    ],
)
def test_a_full_memory_is_said(call, folder, tmp_path, monkeypatch, command, computes):
    def full(*args, **options):
        raise OutOfMemory("Expected more memory.")

    monkeypatch.setattr(computes, full)
    xray, front = folder / "xray.png", folder / "front.png"
    register = (front, xray, "-o", tmp_path / "out.tif")
    code, text = call(command, *(register if command == "register" else (xray, "--guide", front)))
    assert (code, text) == (BAD_USAGE, "error: Expected more memory.\n")


def test_a_part_at_the_same_pixel_size_and_points(call, tmp_path):
    whole = shared_panel(2, 144, misregistration=0.0)
    xray, part, out = tmp_path / "xray.png", tmp_path / "part.png", tmp_path / "out.tif"
    Image.fromarray(whole.mixture).save(xray)
    Image.fromarray(whole.guides[0][7:109, 23:135]).save(part)
    code, text = call("register", part, xray, "-o", out, "--model", "shift")
    assert code == SUCCESS, text
    assert "both taken to have the same pixel size" in text
    assert "take a photograph of all of it" in text
    assert "may not lie" not in text
    lines = [
        f"{y},{x},{y + 7 + off},{x + 23}" for y, x, off in ((5, 5, 0), (5, 105, 0), (95, 5, 0), (95, 105, 4))
    ]
    (tmp_path / "points.csv").write_text("\n".join(lines))
    code, text = call("register", part, xray, "-o", out, "--points", tmp_path / "points.csv")
    assert "the points agree to 1.0 px" in text
    (tmp_path / "points.csv").write_text("5,5,35,5\n5,105,35,105\n95,5,112,5\n")
    code, text = call("register", part, xray, "-o", out, "--points", tmp_path / "points.csv")
    assert "do not meet where the points say" in text
    assert "another object" not in text
    Image.fromarray(whole.guides[0][:142]).save(part)
    (tmp_path / "points.csv").write_text("5,5,5,5\n")
    code, text = call("register", part, xray, "-o", out, "--points", tmp_path / "points.csv")
    assert "covers 98.6 %" in text
    assert "take a photograph of all of it" not in text


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_low_score_says_what_to_do(call, tmp_path, folder, smooth, mirrored: bool):
    Image.fromarray(smooth).save(tmp_path / "other.png")
    arguments = ("register", tmp_path / "other.png", folder / "xray.png", "-o", tmp_path / "out.tif")
    code, text = call(*arguments, "--model", "shift", *(["--mirror"] if mirrored else []))
    assert code == SUCCESS, text
    assert json.loads((tmp_path / "out.json").read_text())["score"] < LEAST_SCORE
    mirror = "leave out --mirror" if mirrored else "--mirror, if it is seen from the back"
    for advice in (mirror, "the photograph of the other side", "--points with three pairs", "another object"):
        assert advice in text


def test_register(call, folder):
    out = folder / "front_registered.tif"
    code, text = call("register", folder / "front.png", folder / "xray.png", "-o", out)
    assert code == SUCCESS, text
    assert tifffile.imread(out).shape[:2] == (96, 96)
    record = json.loads(out.with_suffix(".json").read_text())
    assert record["score"] > 1.5 * LEAST_SCORE
    assert f"registration score {record['score']:.1f}: edges fit" in text  # not the score of the check
    assert "warning: front.png may not" not in text
    (folder / "points.csv").write_text("10,10,12,13\n50,20,52,23\n")
    code, text = call(
        "register", folder / "flipped.png", folder / "xray.png", "-o", out, "--points", folder / "points.csv"
    )
    assert code == SUCCESS, text
    matrix = json.loads(out.with_suffix(".json").read_text())["matrix"]
    np.testing.assert_allclose(matrix, [[1, 0, 2], [0, 1, 3], [0, 0, 1]], atol=1e-6)
    code, text = call("register", folder / "back.png", folder / "xray.png", "-o", out, "--model", "rigid")
    assert code == BAD_USAGE
    assert "a model of shift, affine, projective or smooth" in text


def test_files_for_the_lab(call, folder):
    guides = ("--guide", folder / "front.png", "--guide", folder / "back.png", "--preset", "quick")
    out = folder / "lab"
    options = ("--format", "ome", "--depth", "input", "--report", "-q")
    code, text = call("xray", folder / "xray.png", *guides, "-o", out, *options)
    assert code == SUCCESS, text
    assert tifffile.imread(out / "xray_source_1.ome.tif").dtype == np.uint16
    assert (out / "xray_report.html").read_text("utf-8").count("data:image/png") == 3 + 8

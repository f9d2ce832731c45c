"""Results on disk: values, axes, resolution, records; whole or not at all."""

import errno
import json
import os

import numpy as np
import pytest
import tifffile
from PIL import Image

import napari_bitsnet as nb
from napari_bitsnet.api import Result, RunSettings
from napari_bitsnet.api.export import bundle
from napari_bitsnet.api.export.folders import check_writable
from napari_bitsnet.api.export.names import record_path
from napari_bitsnet.api.export.saving import is_finished, save_results
from napari_bitsnet.api.export.space import NoSpaceError
from napari_bitsnet.api.export.writing import write_image
from napari_bitsnet.io.calibration import Calibration
from napari_bitsnet.io.read import read_image
from tests.described import described

RNG = np.random.default_rng(0)
MIXTURE = RNG.integers(0, 255, (20, 30), dtype=np.uint8)


def make_result(mixture=MIXTURE, *, axes=None, task="separate", n=2, stop_reason="iterations", **more):
    """A result as a run would return it."""
    arrays = {f"source_{k + 1}": (mixture / n + k).astype(np.float32) for k in range(n)}
    arrays["residual"] = (mixture - sum(arrays.values())).astype(np.float32)
    outputs = described(task, {**arrays, **more}, axes if mixture.ndim > 2 else None)
    settings = RunSettings(task=task, axes=axes).model_dump(mode="json")
    provenance = {
        "task": task,
        "method": "bitsnet",
        "preset": "quick",
        "settings": settings,
        "task_settings": {"mixing": "linear", "output": "density"},
        "iterations": 3,
        "stop_reason": stop_reason,
        "losses": {"loss": float("nan")},
    }
    return Result(outputs, provenance)


def save(result, mixture, folder, stem, **options):
    """Save a result with `save_results`."""
    return save_results({stem: (result.outputs, result.provenance)}, mixture, folder, **options)


def test_files_and_their_values(tmp_path):
    result = make_result()
    result.outputs["source_1"].array[3, 4] = np.nan
    files = save(result, MIXTURE, tmp_path, "scan", inputs={"mixture": ["scan.tif"]})
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(p.name for p in files)
    assert files[-1] == record_path(tmp_path, "scan")
    for name, output in result.outputs.items():
        stored = tifffile.imread(tmp_path / f"scan_{name}.tif")
        assert stored.dtype == np.float32
        np.testing.assert_array_equal(stored, output)
    preview = np.asarray(Image.open(tmp_path / "scan_preview.png"))
    assert preview.ndim == 3
    assert len(np.unique(preview)) > 50


def test_record_is_strict_json_with_everything(tmp_path):
    save(make_result(), MIXTURE, tmp_path, "scan", inputs={"mixture": ["scan.tif"]})
    record = json.loads((tmp_path / "scan_run.json").read_text(), parse_constant=pytest.fail)
    assert record["complete"] is True
    assert record["losses"] == {"loss": None}
    assert record["inputs"] == {"mixture": ["scan.tif"]}
    assert record["files"]["source_2"] == "scan_source_2.tif"
    assert RunSettings.model_validate(record["settings"]) == RunSettings()


def test_outputs_that_are_no_images_go_into_the_record(tmp_path):
    result = make_result(weights=np.array([[0.75, 0.25], [0.5, 0.5]]))
    files = save(result, MIXTURE, tmp_path, "scan")
    assert "scan_weights.tif" not in {p.name for p in files}
    assert json.loads(files[-1].read_text())["values"] == {"weights": [[0.75, 0.25], [0.5, 0.5]]}


@pytest.mark.parametrize(
    ("calibration", "expected"),
    [
        (Calibration((600, 300), "inch"), ((600, 1), (300, 1), 2)),
        (Calibration((50, 50), "cm"), ((50, 1), (50, 1), 3)),
        (Calibration((4, 2), "micron", 2.5), ((4, 1), (2, 1), 1)),
    ],
    ids=["inch", "cm", "micron"],
)
def test_resolution_is_kept_for_every_reader(tmp_path, calibration, expected):
    save(make_result(), MIXTURE, tmp_path, "scan", calibration=calibration)
    with tifffile.TiffFile(tmp_path / "scan_source_1.tif") as tiff:
        tags = tiff.pages.first.tags
        found = tuple(tags.valueof(n) for n in ("XResolution", "YResolution", "ResolutionUnit"))
        assert found == expected
        assert tiff.imagej_metadata["unit"] == calibration.unit
    assert read_image(tmp_path / "scan_residual.tif").calibration == calibration


@pytest.mark.parametrize(
    ("axes", "shape", "stored_axes"),
    [
        (None, (20, 30), "YX"),
        (None, (20, 30, 3), "CYX"),
        ("ZYX", (4, 20, 30), "ZYX"),
        ("TYXC", (4, 20, 30, 3), "TCYX"),
        ("CYX", (3, 20, 30), "CYX"),
        ("TZYX", (2, 4, 20, 30), "TZYX"),
        ("ZTYX", (2, 4, 20, 30), "TZYX"),
        ("IYX", (4, 20, 30), "ZYX"),
    ],
)
def test_axes_are_imagej_s(tmp_path, axes, shape, stored_axes):
    mixture = RNG.random(shape).astype(np.float32)
    result = make_result(mixture, axes=axes)
    save(result, mixture, tmp_path, "scan")
    path = tmp_path / "scan_source_1.tif"
    with tifffile.TiffFile(path) as tiff:
        assert tiff.is_imagej
        assert tiff.series[0].axes == stored_axes
    letters = [{"I": "Z"}.get(a, a) for a in axes or "YXC"[: len(shape)]]
    order = [letters.index(a) for a in stored_axes]
    np.testing.assert_array_equal(tifffile.imread(path), result.outputs["source_1"].transpose(order))


def test_more_axes_than_imagej_has(tmp_path):
    image = RNG.random((2, 2, 2, 2, 8, 9)).astype(np.float32)
    write_image(tmp_path / "a.tif", image, "PTZIYX", Calibration((300, 300), "inch"))
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert tiff.series[0].axes == "PTZIYX"
        assert tiff.pages.first.tags.valueof("XResolution") == (300, 1)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), image)


def test_opacity_is_not_expected_in_the_outputs(tmp_path):
    mixture = np.concatenate([RNG.random((20, 30, 3)), np.ones((20, 30, 1))], axis=-1)
    result = make_result(mixture[..., :3])
    save(result, mixture, tmp_path, "scan")
    assert tifffile.imread(tmp_path / "scan_source_1.tif").shape == (3, 20, 30)


def test_preview_of_a_stack_with_missing_slices(tmp_path):
    mixture = RNG.random((3, 20, 30))
    result = make_result(mixture, axes="ZYX")
    for output in result.outputs.values():
        output.array[1] = np.nan
    save(result, mixture, tmp_path, "scan")
    assert json.loads((tmp_path / "scan_run.json").read_text())["planes"] == 3
    pink = (np.asarray(Image.open(tmp_path / "scan_preview.png")) == (196, 120, 160)).all(axis=-1)
    assert not pink.any()


def test_finished_means_complete_and_all_files_there(tmp_path):
    assert not is_finished(tmp_path, "scan")
    save(make_result(stop_reason="stopped"), MIXTURE, tmp_path, "scan")
    assert not is_finished(tmp_path, "scan")
    save(make_result(), MIXTURE, tmp_path, "scan")
    assert is_finished(tmp_path, "scan")
    (tmp_path / "scan_source_2.tif").unlink()
    assert not is_finished(tmp_path, "scan")
    record_path(tmp_path, "scan").write_text("{broken")
    assert not is_finished(tmp_path, "scan")


def test_files_of_an_earlier_run_are_replaced(tmp_path):
    save(make_result(n=3), MIXTURE, tmp_path, "scan")
    (tmp_path / "scan_source_9.tif").write_text("not ours")
    save(make_result(n=2), MIXTURE, tmp_path, "scan")
    assert not (tmp_path / "scan_source_3.tif").exists()
    assert (tmp_path / "scan_source_9.tif").exists()


def test_a_record_cannot_make_other_files_go(tmp_path):
    other = tmp_path / "other.txt"
    other.write_text("kept")
    folder = tmp_path / "out"
    folder.mkdir()
    record_path(folder, "scan").write_text(
        json.dumps({"complete": True, "files": {"source_1": "../other.txt"}})
    )
    save(make_result(), MIXTURE, folder, "scan")
    assert other.read_text() == "kept"


@pytest.mark.parametrize("broken", ["write_image", "_write_png", "draw_preview"])
def test_what_cannot_be_written_leaves_the_earlier_run_as_it_was(tmp_path, monkeypatch, broken):
    save(make_result(n=3), MIXTURE, tmp_path, "scan", report=True)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    calls = []

    def fail(path, *rest, **options):
        calls.append(path)
        if broken != "write_image" or len(calls) == 2:
            if broken != "draw_preview":
                path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        write_image(path, *rest, **options)

    monkeypatch.setattr(bundle, broken, fail)
    with pytest.raises(
        NoSpaceError, match=r"free space in .* make .* free.* Files of earlier runs are as they were"
    ):
        save(make_result(), MIXTURE, tmp_path, "scan")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert is_finished(tmp_path, "scan")


def test_check_writable_makes_the_folder_and_leaves_it_empty(tmp_path):
    folder = check_writable(tmp_path / "a" / "b")
    assert folder.is_dir()
    assert list(folder.iterdir()) == []


def test_unwritable_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(
        ValueError, match=r"Expected a folder that can be written to, got .*file.*choose another one"
    ):
        check_writable(tmp_path / "file" / "out")
    with pytest.raises(ValueError, match="Expected a folder that can be written to"):
        check_writable(tmp_path / "file")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_folder_without_rights(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ValueError, match="Permission denied"):
        check_writable(tmp_path)


@pytest.mark.parametrize("kind", ["imagej", "ome"])
def test_labels_are_integers_in_files(tmp_path, kind):
    labels = (MIXTURE > 100).astype(np.uint8) + 1
    save(make_result(labels=labels), MIXTURE, tmp_path, "scan", kind=kind)
    stored = tifffile.imread(tmp_path / f"scan_labels.{'ome.tif' if kind == 'ome' else 'tif'}")
    assert stored.dtype == np.uint8
    np.testing.assert_array_equal(stored, labels)
    preview = np.asarray(Image.open(tmp_path / "scan_preview.png")).astype(int)
    assert (preview == (230, 159, 0)).all(
        axis=-1
    ).sum() > 1000  # grows by whole pixels: colours stay what they are
    assert (preview == (0, 114, 178)).all(axis=-1).sum() > 1000


def test_outputs_of_one_of_several_images_are_named_by_it(tmp_path):
    pair = np.stack([MIXTURE, MIXTURE[::-1]])
    names_of_outputs = ("clean_1", "clean_2", "watermark")
    outputs = described("watermark", {name: MIXTURE.astype(np.float32) for name in names_of_outputs})

    def names(*paths: str) -> list[str]:
        result = make_result(task="watermark")
        result.outputs = outputs
        files = save(result, pair, tmp_path, "cat", inputs={"mixture": list(paths)})
        return sorted(path.name for path in files if path.suffix == ".tif")

    assert names("a/cat.tif", "a/dog.ome.tif") == ["cat_clean.tif", "cat_watermark.tif", "dog_clean.tif"]
    alike = ["cat_clean_1.tif", "cat_clean_2.tif", "cat_watermark.tif"]
    assert names("a/cat.tif", "b/cat.tif") == alike
    assert names("both.tif") == alike


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_result_saves_itself_as_save_result_does(tmp_path):
    front = (MIXTURE[..., None] // [1, 2, 3]).astype(np.uint8)
    result = nb.run("xray", MIXTURE, guides=[front, None], preset="quick")
    files = result.save(tmp_path / "new" / "one", "scan", format="ome", depth="input", report=True)
    (tmp_path / "two").mkdir()
    expected = save(
        result,
        MIXTURE,
        tmp_path / "two",
        "scan",
        kind="ome",
        depth="input",
        report=True,
        guides=[front, None],
    )
    assert [path.name for path in files] == [path.name for path in expected]
    assert all(path.parent == tmp_path / "new" / "one" for path in files)
    for one, two in zip(files, expected, strict=True):
        if one.name.endswith(".ome.tif"):  # OME-TIFF holds a UUID of its own
            np.testing.assert_array_equal(tifffile.imread(one), tifffile.imread(two))
            assert tifffile.imread(one).dtype == tifffile.imread(two).dtype
        else:
            assert one.read_bytes() == two.read_bytes()
    assert result.save(tmp_path)[-1] == tmp_path / "result_run.json"


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_result_saves_its_other_splits_when_asked(tmp_path):
    mixture = np.random.default_rng(0).random((40, 48)).astype(np.float32)
    result = nb.separate(mixture, method="feedforward", settings={"views": 1, "looks": 1})
    assert len(result.candidates) > 1
    files = result.save(tmp_path, "two", candidates=True)
    assert files[-1] == tmp_path / "two_run.json"
    stored = [tifffile.imread(tmp_path / f"two_candidate_2_source_{k}.tif") for k in (1, 2)]
    np.testing.assert_array_equal(stored, result.candidates[1])
    chosen = result.choose(2)
    chosen.save(tmp_path, "chosen")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "chosen_source_1.tif"), stored[0])
    assert chosen.state is None


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    ("task", "mixture"), [("multi_mixture", [MIXTURE, MIXTURE[::-1]]), ("denoise", MIXTURE)]
)
def test_results_of_every_layout_save_themselves(task, mixture, tmp_path):
    result = nb.run(task, mixture, preset="quick", iterations=1)
    assert is_finished(tmp_path, "result") is False
    result.save(tmp_path)
    assert is_finished(tmp_path, "result")


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_result_that_went_on_saves_itself(tmp_path):
    first = nb.separate(MIXTURE, method="bitsnet", preset="quick", settings={"start": "none"}, iterations=1)
    more = nb.resume(first, iterations=1)
    assert (tmp_path / "result_source_1.tif") in more.save(tmp_path)


def test_what_cannot_be_saved_is_said(tmp_path):
    with pytest.raises(ValueError, match="got one without its mixture"):
        make_result().save(tmp_path)
    result = make_result()
    result.mixture = MIXTURE
    for stem in ("a/b", "", "..", "."):
        with pytest.raises(ValueError, match="Expected the beginning of a file's name"):
            result.save(tmp_path / "no", stem)
    assert not (tmp_path / "no").exists()

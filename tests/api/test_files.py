"""nb.read and nb.save: any format, the size of a pixel is kept, nothing is replaced unasked, all or
nothing."""

from __future__ import annotations

import errno

import numpy as np
import pytest
import torch

import napari_bitsnet as nb
from napari_bitsnet.api.export.space import NoSpaceError
from napari_bitsnet.io.calibration import Calibration
from napari_bitsnet.io.writers import WRITERS, format_of

STACK = np.random.default_rng(6).random((3, 20, 30)).astype(np.float32)
SIZE = Calibration((4.0, 2.0), "mm", 3.0)
ENDINGS = [(name, suffix) for name in WRITERS for suffix in WRITERS.get(name).suffixes]


@pytest.mark.parametrize(("name", "suffix"), ENDINGS)
def test_every_ending_has_its_format_and_comes_back(tmp_path, name, suffix):
    path = tmp_path / f"a{suffix}"
    assert format_of(path.name) == (name, suffix)
    assert nb.save(path, STACK, axes="ZYX", calibration=SIZE) == path
    file = nb.read(path)
    np.testing.assert_array_equal(np.asarray(file.array), STACK)
    assert file.axes == "ZYX"
    found = file.calibration
    sizes = np.array([*found.per_unit, found.z_step]) * ([10, 10, 0.1] if found.unit == "cm" else 1)
    if name != "imagej" or found.unit == "mm":
        assert sizes == pytest.approx((4, 2, 3))


@pytest.mark.parametrize(("name", "suffix"), ENDINGS)
def test_integers_that_the_format_holds_stay(tmp_path, name, suffix):
    for dtype in (*WRITERS.get(name).integers, "float64", "int64"):
        image = (STACK * 100).astype(dtype)
        nb.save(tmp_path / f"a{suffix}", image, axes="ZYX", overwrite=True)
        found = np.asarray(nb.read(tmp_path / f"a{suffix}").array)
        assert found.dtype == (dtype if dtype in WRITERS.get(name).integers else "float32")
        np.testing.assert_allclose(found, image, rtol=1e-6)


@pytest.mark.parametrize("suffix", [".tif", ".ome.zarr"])
def test_nothing_is_replaced_unasked(tmp_path, suffix):
    path = nb.save(tmp_path / f"a{suffix}", STACK, axes="ZYX")
    with pytest.raises(
        ValueError, match=r"Expected a new file, got .*, which exists: choose another name, or overwrite"
    ):
        nb.save(path, 2 * STACK, axes="ZYX")
    with pytest.raises(ValueError, match="Expected another file than the one that was read"):
        nb.save(path, 2 * STACK, like=nb.read(path), overwrite=True)
    np.testing.assert_array_equal(np.asarray(nb.read(path).array), STACK)
    nb.save(path, 2 * STACK, axes="ZYX", overwrite=True)
    np.testing.assert_array_equal(np.asarray(nb.read(path).array), 2 * STACK)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_nothing_is_put_into_a_folder_that_was_read(tmp_path):
    (tmp_path / "scan").mkdir()
    for k in range(2):
        nb.save(tmp_path / "scan" / f"{k}.tif", STACK[k])
    with pytest.raises(ValueError, match="Expected another file than the one that was read"):
        nb.save(tmp_path / "scan" / "out.tif", STACK, like=nb.read(tmp_path / "scan"))
    # a subfolder is not read, and neither is what a pattern does not match
    for given, out in (("scan", "scan/sub/out.tif"), ("scan/[01].tif", "scan/out.tif")):
        nb.save(tmp_path / out, STACK, like=nb.read(tmp_path / given))
        assert nb.read(tmp_path / given).array.shape == STACK[:2].shape


@pytest.mark.parametrize("name", ["a.jpg", "a", "a.tif.gz", ".tif"])
def test_other_endings_are_refused(tmp_path, name):
    with pytest.raises(
        ValueError, match=r"Expected a name that ends in \.nii, .*, got '.*': the ending says the format"
    ):
        nb.save(tmp_path / name, STACK, axes="ZYX")


def test_axes_that_a_format_does_not_hold(tmp_path):
    for suffix in (".ome.tif", ".nii", ".zarr"):
        with pytest.raises(ValueError, match="Expected at most the axes T, C, Z, Y and X for"):
            nb.save(tmp_path / f"a{suffix}", STACK[None, None, None], axes="PQRZYX")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".tif", ".nii.gz", ".ome.zarr"])
def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch, suffix):
    path = nb.save(tmp_path / f"a{suffix}", STACK, axes="ZYX")
    kind = type(WRITERS.get(format_of(path.name)[0]))
    write = kind.write

    def full(*args, **options):
        write(*args, **options)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(kind, "write", full)
    with pytest.raises(NoSpaceError, match=r"Expected .* of free space"):
        nb.save(path, 2 * STACK, axes="ZYX", overwrite=True)
    np.testing.assert_array_equal(np.asarray(nb.read(path).array), STACK)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("format", list(WRITERS))
def test_results_are_saved_in_every_format(tmp_path, format):
    image = STACK[0].copy()
    image[:2] = np.nan
    result = nb.run("denoise", image, method="nl_bayes", device="cpu")
    writer = WRITERS.get(format)
    for _ in range(2):  # the second replaces the first
        files = result.save(
            tmp_path / "out", "scan", format=format, calibration=Calibration((4.0, 2.0), "mm")
        )
    assert files[0].name == f"scan_clean{writer.suffixes[0]}"
    np.testing.assert_array_equal(np.asarray(nb.read(files[0]).array), result.outputs["clean"].array)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(path.name for path in files)
    other = result.save(tmp_path / "out", "scan", format="ome" if format == "imagej" else "imagej")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(path.name for path in other)


def test_a_folder_of_others_is_not_replaced(tmp_path):
    result = nb.run("denoise", STACK[0], method="nl_bayes", device="cpu")
    (tmp_path / "scan_clean.ome.zarr").mkdir()
    with pytest.raises(
        ValueError, match=r"got .*scan_clean\.ome\.zarr there already, which no record of a run lists"
    ):
        result.save(tmp_path, "scan", format="zarr")
    path = nb.save(tmp_path / "in" / "scan_clean.ome.zarr", STACK[0])
    with pytest.raises(ValueError, match=r"got .*scan_clean\.ome\.zarr both to read and to write"):
        result.save(path.parent, "scan", format="zarr", inputs={"mixture": [str(path)]})


def test_masked_places_are_saved_as_missing(tmp_path):
    hidden = np.zeros(STACK.shape, bool)
    hidden[1, 3:5] = True
    whole = np.ma.array((100 * STACK).astype(np.int16), mask=hidden)
    whole.data[hidden] = -9999
    expected = np.where(hidden, np.nan, whole.data)
    da = pytest.importorskip("dask.array")
    for name, image in (("a.tif", whole), ("a.ome.zarr", da.from_array(whole, chunks=(1, 20, 30)))):
        path = nb.save(tmp_path / name, image, axes="ZYX")
        np.testing.assert_array_equal(np.asarray(nb.read(path).array), expected)
    path = nb.save(tmp_path / "labels.tif", whole, axes="ZYX", labels=True)
    np.testing.assert_array_equal(nb.read(path).array, np.where(hidden, 0, whole.data))


def test_tensors_are_saved(tmp_path):
    tensor = torch.tensor(STACK, requires_grad=True)
    for name, image in (("a.tif", tensor), ("b.tif", tensor.bfloat16())):
        found = nb.read(nb.save(tmp_path / name, image, axes="ZYX")).array
        np.testing.assert_array_equal(found, image.detach().float().numpy())


@pytest.mark.parametrize("image", [STACK[0] * 1j, STACK[0].astype(str), STACK[0].astype("m8[s]")])
def test_what_is_no_real_number_is_not_saved(tmp_path, image):
    with pytest.raises(TypeError, match="Expected real numbers, got"):
        nb.save(tmp_path / "a.tif", image)
    assert not list(tmp_path.iterdir())


def test_what_float32_does_not_hold_is_not_saved(tmp_path):
    with pytest.raises(ValueError, match=r"Expected values that float32 holds, got up to 9.98.*e\+299"):
        nb.save(tmp_path / "a.tif", STACK[0].astype(np.float64) * -1e300)
    image = np.array([[np.inf, np.nan], [-np.inf, 3e38]])
    np.testing.assert_array_equal(nb.read(nb.save(tmp_path / "a.tif", image)).array, image.astype(np.float32))


def test_a_pixel_size_that_is_none_is_left_out_and_said(tmp_path):
    with pytest.warns(UserWarning, match="Expected a pixel size that is a finite number above 0, got nan"):
        path = nb.save(tmp_path / "a.tif", STACK[0], calibration=Calibration((float("nan"), 1.0), "mm"))
    assert nb.read(path).calibration is None
    lazy = nb.run_lazily("denoise", STACK, axes="ZYX", method="nl_bayes", preset="quick", device="cpu")
    with pytest.warns(UserWarning, match="Expected a pixel size that is a finite number above 0, got 0"):
        (path,) = lazy.to_zarr(tmp_path, "b", names=["clean"], calibration=Calibration((0.0, 1.0), "mm"))
    assert nb.read(path).calibration is None

"""OME-Zarr of every version and plain zarr equal the library's own reading, and are read where they are
looked at."""

from __future__ import annotations

import numpy as np
import pytest
import zarr

from napari_bitsnet.api.files import read, save
from napari_bitsnet.io.calibration import Calibration
from napari_bitsnet.io.read import read_file_calibration, read_image
from tests.io.written import write_zarr

RNG = np.random.default_rng(4)
IMAGE = RNG.integers(0, 1000, (1, 2, 8, 12), dtype=np.uint16)  # C, Z, Y, X
AXES = [
    {"name": "c", "type": "channel"},
    {"name": "z", "type": "space", "unit": "micrometer"},
    {"name": "y", "type": "space", "unit": "micrometer"},
    {"name": "x", "type": "space", "unit": "millimeter"},
]
SCALE = {"type": "scale", "scale": [1, 3, 0.5, 0.00025]}


def write_ome(path, version: str, *, name: str = "", image=IMAGE, axes=AXES, scale=SCALE) -> None:
    group = zarr.open_group(str(path / name), mode="w", zarr_format=3 if version == "0.5" else 2)
    for level, step in enumerate((1, 2)):
        group.create_array(
            str(level), data=image[..., ::step, ::step], chunks=(1,) * (image.ndim - 2) + (4, 4)
        )
    datasets = [{"path": "0", "coordinateTransformations": [scale]}, {"path": "1"}]
    about = {"multiscales": [{"axes": axes, "datasets": datasets, "version": version}]}
    group.attrs.update({"ome": {**about, "version": version}} if version == "0.5" else about)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_ome_zarr(tmp_path, version):
    write_ome(tmp_path / "a.zarr", version)
    file = read_image(tmp_path / "a.zarr")
    np.testing.assert_array_equal(np.asarray(file.array), IMAGE[0])
    assert (file.axes, file.doubt, file.array.dtype) == ("ZYX", "", np.uint16)
    assert file.calibration == Calibration((4000, 2000), "mm", 0.003)
    assert read_file_calibration(tmp_path / "a.zarr") == file.calibration
    (half,) = file.levels
    np.testing.assert_array_equal(np.asarray(half), IMAGE[0, :, ::2, ::2])


def test_versions_without_names_of_axes(tmp_path):
    write_ome(tmp_path / "a.zarr", "0.1", axes=[])
    assert read_image(tmp_path / "a.zarr").axes == "ZYX"
    write_ome(tmp_path / "b.zarr", "0.3", axes=["c", "z", "y", "x"])
    assert read_image(tmp_path / "b.zarr").axes == "ZYX"


@pytest.mark.parametrize("n_channels", [2, 3, 4])
def test_channels(tmp_path, n_channels):
    write_ome(tmp_path / "a.zarr", "0.5", image=np.repeat(IMAGE, n_channels, 0))
    file = read_image(tmp_path / "a.zarr")
    assert file.axes == "CZYX"
    assert (file.doubt == "") == (n_channels == 3)


@pytest.mark.parametrize("nested", ["{}", "A/{}"])
def test_collections(tmp_path, nested):
    """As bioformats2raw writes them, and wells of a plate."""
    zarr.open_group(str(tmp_path / "a.zarr"), mode="w", zarr_format=3)
    if "A" in nested:
        zarr.open_group(str(tmp_path / "a.zarr" / "A"), mode="w", zarr_format=3)
    for number in (0, 2, 10):
        write_ome(tmp_path / "a.zarr", "0.5", name=nested.format(number), image=IMAGE + number)
    file = read_image(tmp_path / "a.zarr")
    np.testing.assert_array_equal(np.asarray(file.array), IMAGE[0])
    assert file.notices == ("a.zarr holds 3 images, of which the first is read; choose another with series.",)
    np.testing.assert_array_equal(np.asarray(read_image(tmp_path / "a.zarr", series=2).array), IMAGE[0] + 10)
    with pytest.raises(ValueError, match="Expected a series from 0 to 2, got series 3"):
        read_image(tmp_path / "a.zarr", series=3)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize(("shape", "axes"), [((8, 12), "YX"), ((3, 8, 12), None)])
def test_plain_arrays(tmp_path, version, shape, axes):
    image = RNG.random(shape)
    zarr.create_array(str(tmp_path / "a.zarr"), data=image, chunks=(4,) * len(shape), zarr_format=version)
    file = read_image(tmp_path / "a.zarr")
    np.testing.assert_array_equal(np.asarray(file.array), image)
    assert (file.axes, file.calibration) == (axes, None)


def test_only_what_is_looked_at_is_read(tmp_path):
    save(tmp_path / "a.zarr", RNG.random((4, 20, 30)), axes="ZYX")
    for piece in (tmp_path / "a.zarr" / "0" / "c").iterdir():
        if piece.name != "2":
            for file in [each for each in piece.rglob("*") if each.is_file()]:
                file.write_bytes(b"damaged")
    found = read(tmp_path / "a.zarr")
    assert np.isfinite(np.asarray(found.array[2])).all()
    assert np.isfinite(np.asarray(read(tmp_path / "a.zarr", slices="2").array)).all()
    with pytest.raises(
        ValueError, match=r"Expected a whole image file, got .*a\.zarr, which is truncated or damaged"
    ):
        np.asarray(found.array[1])


def test_a_run_reads_it_slice_by_slice(tmp_path):
    import napari_bitsnet as nb

    stack = RNG.random((2, 24, 24)).astype(np.float32)
    write_zarr(tmp_path / "a.zarr", stack)
    file = read(tmp_path / "a.zarr")
    lazy, whole = (
        nb.run("denoise", image, axes="ZYX", method="nl_bayes", device="cpu").outputs["clean"].array
        for image in (file.array, stack)
    )
    np.testing.assert_array_equal(lazy, whole)


def test_stores_without_an_image(tmp_path):
    zarr.open_group(str(tmp_path / "a.zarr"), mode="w")
    with pytest.raises(ValueError, match=r"Expected a store with an image, got .*, which holds none"):
        read_image(tmp_path / "a.zarr")


@pytest.mark.parametrize("dtype", ["float32", "uint8", "int16"])
@pytest.mark.parametrize("lazy", [False, True])
def test_pyramids(tmp_path, dtype, lazy):
    import dask.array

    image = (RNG.random((2, 700, 1033)) * 200).astype(dtype)
    given = dask.array.from_array(image, chunks=(1, 333, 1033)) if lazy else image
    save(
        tmp_path / "a.ome.zarr",
        given,
        axes="ZYX",
        calibration=Calibration((4, 2), "micron", 3),
        record={"a": 1},
    )
    group = zarr.open_group(str(tmp_path / "a.ome.zarr"), mode="r")
    np.testing.assert_array_equal(group["0"][:], image)
    assert [group[str(k)].shape for k in range(3)] == [(2, 700, 1033), (2, 350, 517), (2, 175, 259)]
    means = image[:, :, :1032].reshape(2, 350, 2, 516, 2).mean((2, 4), dtype=np.float64)
    means = means if dtype == "float32" else np.rint(means)
    np.testing.assert_allclose(group["1"][:, :, :516], means, rtol=1e-6)
    edge = image[:, :, 1032].reshape(2, 350, 2).mean(2, dtype=np.float64)
    np.testing.assert_allclose(
        group["1"][:, :, 516], edge if dtype == "float32" else np.rint(edge), rtol=1e-6
    )
    about = dict(group.attrs)
    assert about["napari-bitsnet"] == {"a": 1}
    (scale,), (scale_1, shift) = (
        level["coordinateTransformations"] for level in about["ome"]["multiscales"][0]["datasets"][:2]
    )
    assert (scale["scale"], scale_1["scale"]) == ([3, 0.5, 0.25], [3, 1, 0.5])
    assert shift["translation"] == [0, 0.25, 0.125]  # a mean lies in the middle of its pixels
    assert read(tmp_path / "a.ome.zarr").calibration == Calibration((4, 2), "micron", 3)


def test_pieces_of_dask_are_computed_once(tmp_path):
    import dask.array

    seen = []

    def make(block_info):
        seen.append(block_info[None]["chunk-location"])
        return np.full((1, 600, 600), len(seen), np.float32)

    image = dask.array.map_blocks(
        make, chunks=((1,) * 3, (600,), (600,)), dtype=np.float32, meta=np.empty((0, 0, 0))
    )
    save(tmp_path / "a.zarr", image, axes="ZYX")
    assert sorted(seen) == [(k, 0, 0) for k in range(3)]
    assert sorted(np.asarray(read(tmp_path / "a.zarr").array[:, 0, 0])) == [1, 2, 3]


def test_labels_have_no_means_and_missing_pixels_do_not_count(tmp_path):
    labels = RNG.choice(np.array([1, 9], np.uint8), (600, 600))
    save(tmp_path / "labels.zarr", labels, labels=True)
    np.testing.assert_array_equal(np.asarray(read(tmp_path / "labels.zarr").levels[0]), labels[::2, ::2])
    image = RNG.random((600, 600)).astype(np.float32)
    image[:2, :2], image[2, 2] = np.nan, np.nan
    save(tmp_path / "image.zarr", image)
    half = np.asarray(read(tmp_path / "image.zarr").levels[0])
    assert np.isnan(half[0, 0])
    assert half[1, 1] == pytest.approx(np.nanmean(image[2:4, 2:4]))
    assert np.isfinite(half).sum() == half.size - 1

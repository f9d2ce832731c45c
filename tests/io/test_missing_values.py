"""Values that GDAL declares missing become NaN, or have no opacity."""

import numpy as np
import pytest
import tifffile

from napari_bitsnet.io.read import read_image

RNG = np.random.default_rng(6)
NO_DATA = 42113


def write(path, image, text, **options):
    tifffile.imwrite(path, image, extratags=[(NO_DATA, "s", 0, text, True)], **options)


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("uint8", 0, "0"),
        ("uint8", 255, "255"),
        ("uint16", 65535, "65535"),
        ("int16", -32768, "-32768"),
        ("int32", -9999, "-9999"),
        ("float32", -9999, "-9999"),
        ("float32", -9999, "-9999.0 "),
        ("float32", np.float32(-3.4028234663852886e38), "-3.4028234663852886e+38"),
        ("float32", np.float32(1e20), "1e+20"),
        ("float32", np.float32(-0.1), "-0,1"),
        ("float64", -1.7976931348623157e308, "-1.7976931348623157e+308"),
        ("float32", np.nan, "nan"),
        ("float32", np.inf, "inf"),
    ],
)
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_missing_values_become_nan(tmp_path, kind, value, text, byteorder):
    image = RNG.integers(1, 99, (20, 30)).astype(kind)
    missing = np.zeros(image.shape, bool)
    missing[3:9, 4] = True
    image[missing] = value
    write(tmp_path / "a.tif", image, text, byteorder=byteorder)
    file = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(file.array, np.where(missing, np.nan, image.astype(float)))
    assert file.array.dtype == (np.float64 if kind in ("int32", "float64") else np.float32)
    assert file.notices == ()


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("uint8", "-9999"),
        ("uint8", "256"),
        ("uint16", "1.5"),
        ("uint8", "nan"),
        ("uint16", "none"),
        ("uint8", "200"),
    ],
)
def test_values_that_do_not_occur_change_nothing(tmp_path, kind, text):
    image = RNG.integers(1, 99, (20, 30)).astype(kind)
    write(tmp_path / "a.tif", image, text)
    file = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(file.array, image)
    assert (file.array.dtype, file.notices) == (kind, ())


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_a_colour_is_missing_if_all_its_channels_are(tmp_path, planar):
    image = RNG.integers(1, 200, (20, 30, 3), dtype=np.uint8)
    image[2:5, 3] = 0
    image[7, 8] = 0, 0, 40  # dark, and there
    data = image if planar == "contig" else np.moveaxis(image, -1, 0)
    write(tmp_path / "a.tif", data, "0", photometric="rgb", planarconfig=planar)
    expected = image.astype(float)
    expected[2:5, 3] = np.nan
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").channels_last, expected)


def test_with_opacity_missing_colours_have_none(tmp_path):
    image = RNG.integers(1, 200, (20, 30, 4), dtype=np.uint8)
    image[2:5, 3, :3] = 0
    write(tmp_path / "a.tif", image, "0", photometric="rgb", extrasamples=["unassalpha"])
    read = read_image(tmp_path / "a.tif").array
    assert read.dtype == np.uint8
    assert not read[2:5, 3, 3].any()
    np.testing.assert_array_equal(read[..., :3], image[..., :3])
    np.testing.assert_array_equal(np.delete(read[..., 3], 3, 1), np.delete(image[..., 3], 3, 1))


def test_each_slice_and_each_band_by_itself(tmp_path):
    stack = RNG.integers(1, 99, (5, 20, 30)).astype(np.int16)
    stack[2, 3] = -1
    write(tmp_path / "z.tif", stack, "-1", photometric="minisblack")
    np.testing.assert_array_equal(
        read_image(tmp_path / "z.tif").array, np.where(stack == -1, np.nan, stack.astype(float))
    )
    write(tmp_path / "bands.tif", stack, "-1", photometric="minisblack", planarconfig="separate")
    np.testing.assert_array_equal(
        read_image(tmp_path / "bands.tif").array, np.where(stack == -1, np.nan, stack.astype(float))
    )


def test_an_index_of_a_palette(tmp_path):
    labels = RNG.integers(0, 3, (20, 30), dtype=np.uint8)
    table = np.zeros((3, 256), np.uint16)
    table[:, :3] = np.array([[1, 2, 3], [10, 20, 30], [100, 150, 200]]).T * 257
    write(tmp_path / "a.tif", labels, "2", photometric="palette", colormap=table)
    file = read_image(tmp_path / "a.tif")
    colours = np.array([[1, 2, 3], [10, 20, 30], [np.nan] * 3])[labels]
    np.testing.assert_array_equal(file.array, colours)
    np.testing.assert_array_equal(file.indices, labels)


@pytest.mark.parametrize("kind", ["grey", "rgb", "rgba", "palette"])
def test_a_mask_inside_the_file_marks_missing_pixels(tmp_path, kind):
    there = np.ones((20, 30), bool)
    there[4:9, 11:17] = False
    image = RNG.integers(
        1, 200, {"rgb": (20, 30, 3), "rgba": (20, 30, 4)}.get(kind, (20, 30)), dtype=np.uint8
    )
    options = {
        "rgb": {"photometric": "rgb"},
        "rgba": {"photometric": "rgb", "extrasamples": ["unassalpha"]},
        "palette": {
            "photometric": "palette",
            "colormap": np.tile(np.arange(256, dtype=np.uint16) * 257, (3, 1)),
        },
    }.get(kind, {})
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(image, metadata=None, **options)
        tiff.write(image[::2, ::2], metadata=None, subfiletype=1, **options)
        tiff.write(there, metadata=None, photometric="mask", subfiletype=4)
        tiff.write(there[::2, ::2], metadata=None, photometric="mask", subfiletype=5)
    file = read_image(tmp_path / "a.tif")
    if kind == "rgba":
        np.testing.assert_array_equal(file.array[..., :3], image[..., :3])
        np.testing.assert_array_equal(file.array[..., 3], np.where(there, image[..., 3], 0))
    else:
        shown = np.stack([image] * 3, -1) if kind == "palette" else image
        place = there if shown.ndim == 2 else there[..., None]
        np.testing.assert_array_equal(file.array, np.where(place, shown.astype(float), np.nan))
    assert file.notices == ()

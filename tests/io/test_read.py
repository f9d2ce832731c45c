"""Image files in all the kinds that are promised, and in all the ways in which they go wrong."""

import re

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_bitsnet.io.calibration import Calibration
from napari_bitsnet.io.read import read_file_calibration, read_image
from napari_bitsnet.io.readers.tiff import declared_axes

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (40, 50), dtype=np.uint8)
RGB = RNG.integers(0, 256, (40, 50, 3), dtype=np.uint8)


@pytest.mark.parametrize("kind", ["uint8", "int8", "uint16", "int16", "uint32", "float32", "float64"])
def test_tiff_keeps_type_and_values(tmp_path, kind):
    image = (RNG.random((40, 50)) * 100).astype(kind)
    tifffile.imwrite(tmp_path / "a.tif", image)
    file = read_image(tmp_path / "a.tif")
    assert file.array.dtype == image.dtype
    np.testing.assert_array_equal(file.array, image)
    assert (file.axes, file.calibration, file.notices) == ("YX", None, ())
    assert file.path == tmp_path / "a.tif"


def test_float_tiff_keeps_nan(tmp_path):
    image = np.array([[1.0, np.nan], [np.inf, -2.0]], dtype=np.float32)
    tifffile.imwrite(tmp_path / "a.tif", image)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").array, image)


@pytest.mark.parametrize("big_endian", [True, False])
@pytest.mark.parametrize("bigtiff", [True, False])
def test_every_tiff_dialect(tmp_path, big_endian, bigtiff):
    tifffile.imwrite(tmp_path / "a.tif", RGB, bigtiff=bigtiff, byteorder=">" if big_endian else "<")
    file = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(file.array, RGB)
    assert file.axes == "YXC"


@pytest.mark.parametrize(
    ("axes", "shape", "expected"),
    [
        ("ZYX", (5, 40, 50), "ZYX"),
        ("TYX", (5, 40, 50), "TYX"),
        ("CYX", (3, 40, 50), "CYX"),
        ("CYX", (2, 40, 50), "CYX"),
    ],
)
@pytest.mark.parametrize("dialect", ["imagej", "ome"])
def test_axes_of_imagej_and_ome(tmp_path, axes, shape, expected, dialect):
    stack = RNG.integers(0, 999, shape, dtype=np.uint16)
    tifffile.imwrite(
        tmp_path / "a.tif", stack, photometric="minisblack", metadata={"axes": axes}, **{dialect: True}
    )
    file = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(file.array, stack)
    assert file.axes == expected


@pytest.mark.parametrize(
    ("axes", "expected"),
    [
        ("YXS", "YXC"),
        ("SYX", "CYX"),
        ("IYX", "IYX"),
        ("CYXS", None),
        ("QYX", None),
        ("TZ", None),
    ],
)
def test_declared_axes(axes, expected):
    assert declared_axes(axes) == expected


def test_channels_last(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.moveaxis(RGB, -1, 0), imagej=True, metadata={"axes": "CYX"})
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").channels_last, RGB)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"resolution": (600, 300), "resolutionunit": "INCH"}, Calibration((600, 300), "inch")),
        ({"resolution": (50, 50), "resolutionunit": "CENTIMETER"}, Calibration((50, 50), "cm")),
        (
            {"imagej": True, "resolution": (4, 2), "metadata": {"axes": "ZYX", "unit": "um", "spacing": 3.0}},
            Calibration((4, 2), "um", 3),
        ),
        (
            {
                "ome": True,
                "metadata": {
                    "axes": "ZYX",
                    "PhysicalSizeX": 0.25,
                    "PhysicalSizeY": 0.5,
                    "PhysicalSizeXUnit": "µm",
                    "PhysicalSizeYUnit": "µm",
                    "PhysicalSizeZ": 2.0,
                },
            },
            Calibration((4, 2), "micron", 2),
        ),
        ({}, None),
    ],
    ids=["inch", "cm", "imagej", "ome", "none"],
)
def test_calibration_of_tiff(tmp_path, options, expected):
    tifffile.imwrite(
        tmp_path / "a.tif", np.zeros((5, 40, 50), np.uint16), photometric="minisblack", **options
    )
    assert read_image(tmp_path / "a.tif").calibration == expected


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
@pytest.mark.parametrize("kind", ["grey", "rgb", "grey16"])
def test_compressed_tiff(tmp_path, compression, kind):
    image = {"grey": GREY, "rgb": RGB, "grey16": GREY.astype(np.uint16) * 200}[kind]
    Image.fromarray(image).save(tmp_path / "a.tif", compression=compression, dpi=(300, 300))
    file = read_image(tmp_path / "a.tif")
    assert file.array.dtype == image.dtype
    np.testing.assert_array_equal(file.array, image)
    assert file.axes == ("YXC" if kind == "rgb" else "YX")
    assert file.calibration == Calibration((300, 300), "inch")


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_palettes_become_colours(tmp_path, suffix):
    picture = Image.fromarray(RGB).quantize(16)
    picture.save(tmp_path / f"a.{suffix}")
    np.testing.assert_array_equal(
        read_image(tmp_path / f"a.{suffix}").array, np.asarray(picture.convert("RGB"))
    )


@pytest.mark.parametrize("image", [GREY, RGB, GREY.astype(np.uint16) * 257], ids=["grey", "rgb", "grey16"])
def test_png_keeps_type_and_values(tmp_path, image):
    Image.fromarray(image).save(tmp_path / "a.png", dpi=(300, 300))
    file = read_image(tmp_path / "a.png")
    assert file.array.dtype == image.dtype
    np.testing.assert_array_equal(file.array, image)
    assert file.calibration is not None
    assert file.calibration.unit == "inch"
    assert file.calibration.per_unit == pytest.approx((300, 300), rel=1e-4)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_jpeg(tmp_path, mode):
    smooth = np.linspace(0, 255, 40 * 50).reshape(40, 50).astype(np.uint8)
    Image.fromarray(smooth).convert(mode).save(tmp_path / "a.jpg", quality=95, dpi=(72, 72))
    file = read_image(tmp_path / "a.jpg")
    grey = file.array.astype(float) if mode == "L" else file.array.mean(axis=-1)
    assert file.axes == ("YX" if mode == "L" else "YXC")
    assert np.abs(grey - smooth).max() < 8
    assert file.calibration == Calibration((72, 72), "inch")


def test_suffix_does_not_matter(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", GREY)
    (tmp_path / "a.tif").rename(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").array, GREY)


def test_only_the_first_of_several_images_is_read(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", GREY)
    tifffile.imwrite(tmp_path / "a.tif", GREY[:20], append=True)
    file = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(file.array, GREY)
    assert file.notices == ("a.tif holds 2 images, of which the first is read.",)


# --- What goes wrong -----------------------------------------------------------------------------------


def test_missing_file(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"Expected an image file, got .*no\.tif, which does not exist"
    ):
        read_image(tmp_path / "no.tif")


def test_folder(tmp_path):
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(
        ValueError, match=r"Expected .* files, got .*, which holds none: name a file or its folder"
    ):
        read_image(tmp_path)


def test_empty_file(tmp_path):
    (tmp_path / "a.tif").touch()
    with pytest.raises(ValueError, match=r"which is empty \(0 bytes\): copy or export it again"):
        read_image(tmp_path / "a.tif")


def test_other_format(tmp_path):
    (tmp_path / "a.png").write_text("no image at all")
    with pytest.raises(ValueError, match=r"Expected a BMP, .* file, got .*a\.png: convert it"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize(
    "name", ["plain.tif", "imagej.tif", "ome.tif", "zlib.tif", "lzw.tif", "a.png", "a.jpg"]
)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_truncated_file(tmp_path, name, share):
    options = {"imagej": {"imagej": True}, "ome": {"ome": True}, "zlib": {"compression": "zlib"}}
    path = tmp_path / name
    if path.suffix == ".tif" and path.stem != "lzw":
        tifffile.imwrite(path, RNG.random((90, 90)).astype(np.float32), **options.get(path.stem, {}))
    else:
        Image.fromarray(np.tile(RGB, (3, 3, 1))).save(
            path, **{".tif": {"compression": "tiff_lzw"}}.get(path.suffix, {})
        )
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(
        ValueError, match=re.escape(name) + r".*(truncated or damaged|: convert it to one of these)"
    ):
        read_image(path)


@pytest.mark.parametrize("kind", ["uint8", "uint16", "bool"])
@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_values_whose_white_is_zero_are_read_as_stored_and_said(tmp_path, kind, compression):
    image = (GREY > 99) if kind == "bool" else GREY.astype(kind)
    Image.fromarray(image).save(tmp_path / "a.tif", compression=compression)
    assert read_image(tmp_path / "a.tif").notices == ()
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+b") as tiff:
        tiff.pages.first.tags["PhotometricInterpretation"].overwrite(tifffile.PHOTOMETRIC.MINISWHITE)
    file = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(file.array, image)
    (notice,) = file.notices
    assert notice.startswith("a.tif is shown inverted by other programs")


@pytest.mark.parametrize("suffix", ["tif", "png", "jpg"])
def test_the_size_of_a_pixel_without_the_pixels(tmp_path, suffix):
    bare, known = tmp_path / f"bare.{suffix}", tmp_path / f"known.{suffix}"
    Image.fromarray(GREY).save(bare)
    Image.fromarray(GREY).save(known, dpi=(254, 127))
    assert read_file_calibration(bare) is None
    found = read_file_calibration(known)
    assert (found, found.unit) == (read_image(known).calibration, "inch")
    assert found.per_unit == pytest.approx((254, 127), abs=0.01)


def test_what_is_no_image_file_has_no_size_of_a_pixel(tmp_path):
    (tmp_path / "a.txt").write_text("no image")
    for path in (tmp_path, tmp_path / "a.txt", tmp_path / "gone.tif"):
        with pytest.raises((OSError, ValueError), match=r"Expected .* files?\b"):
            read_file_calibration(path)

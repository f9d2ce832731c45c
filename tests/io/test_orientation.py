"""Images that are stored turned or mirrored are read as they are shown, and say so."""

import io

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from napari_bitsnet.io.read import read_image

RNG = np.random.default_rng(1)
GREY = RNG.integers(0, 256, (20, 30), dtype=np.uint8)
RGB = RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8)
ORIENTATION = 274


def shown(array, orientation):
    """What Pillow makes of it; values of any type go through as positions."""
    places = np.arange(array.shape[-2] * array.shape[-1], dtype=np.int32).reshape(array.shape[-2:])
    image = Image.fromarray(places)
    image.getexif()[ORIENTATION] = orientation
    turned = np.asarray(ImageOps.exif_transpose(image))
    return array.reshape(*array.shape[:-2], -1)[..., turned]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("layout", ["YX", "YXC", "CYX", "ZYX", "big endian", "palette"])
def test_tiff(tmp_path, orientation, layout):
    stack = RNG.integers(0, 9999, (4, 20, 30), dtype=np.uint16)
    image, options = {
        "YX": (stack[0], {}),
        "YXC": (RGB, {"photometric": "rgb"}),
        "CYX": (np.moveaxis(RGB, -1, 0), {"photometric": "rgb", "planarconfig": "separate"}),
        "ZYX": (stack, {"metadata": {"axes": "ZYX"}}),
        "big endian": (stack[0], {"byteorder": ">", "bigtiff": True}),
        "palette": (
            GREY,
            {"photometric": "palette", "colormap": RNG.integers(0, 65536, (3, 256), dtype=np.uint16)},
        ),
    }[layout]
    tifffile.imwrite(
        tmp_path / "a.tif",
        image,
        resolution=(300, 100),
        resolutionunit="INCH",
        extratags=[(ORIENTATION, "H", 1, orientation, True)],
        **options,
    )
    file = read_image(tmp_path / "a.tif")
    if layout == "palette":
        np.testing.assert_array_equal(file.indices, shown(GREY, orientation))
        expected = options["colormap"].T[shown(GREY, orientation)]
    elif layout == "YXC":
        expected = np.moveaxis(shown(np.moveaxis(RGB, -1, 0), orientation), 0, -1)
    else:
        expected = shown(image, orientation)
    np.testing.assert_array_equal(file.array, expected)
    assert file.calibration.per_unit == ((100, 300) if orientation > 4 else (300, 100))
    assert len(file.notices) == (orientation != 1)
    if orientation != 1:
        assert (
            f"a.tif is stored in another orientation (EXIF {orientation}); it is read as it is shown"
            in file.notices[0]
        )


@pytest.mark.parametrize("orientation", [*range(1, 9), 0, 9])
@pytest.mark.parametrize("suffix", ["jpg", "png"])
@pytest.mark.parametrize("mode", ["L", "RGB", "P"])
def test_photographs(tmp_path, orientation, suffix, mode):
    if (suffix, mode) == ("jpg", "P"):
        pytest.skip("JPEG has no palettes")
    image = Image.fromarray(RGB).convert(mode)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    image.save(tmp_path / f"a.{suffix}", exif=exif, dpi=(300, 100))
    with Image.open(tmp_path / f"a.{suffix}") as again:
        turned = ImageOps.exif_transpose(again)
        expected = np.asarray(turned.convert("RGB") if mode == "P" else turned)
    file = read_image(tmp_path / f"a.{suffix}")
    np.testing.assert_array_equal(file.array, expected)
    if mode == "P":
        np.testing.assert_array_equal(file.indices, np.asarray(turned))
    across = orientation in (5, 6, 7, 8)
    assert file.calibration.per_unit == pytest.approx((100, 300) if across else (300, 100), rel=1e-3)
    assert bool(file.notices) == (1 < orientation < 9)


def test_metadata_that_cannot_be_parsed_cost_no_pixels(tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(GREY).save(buffer, "PNG", exif=b"Exif\0\0MM\0*\0\0\xff\xff\0\0")
    (tmp_path / "a.png").write_bytes(buffer.getvalue())
    file = read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(file.array, GREY)
    assert file.notices == ()

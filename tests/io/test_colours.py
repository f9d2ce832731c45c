"""Photometric interpretation: what is known is decoded rightly, everything else is refused with its name."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_bitsnet.io.read import read_image

RNG = np.random.default_rng(3)
SMOOTH = np.stack(
    [*np.meshgrid(np.linspace(0, 255, 30), np.linspace(255, 0, 20)), np.full((20, 30), 90.0)], -1
).astype(np.uint8)
PHOTOMETRIC = 262
FULL_COLOUR = (530, "H", 2, (1, 1), False)  # YCbCrSubSampling


def ycbcr(rgb):
    """ITU-R BT.601, full range, as JFIF and TIFF's defaults have it."""
    r, g, b = np.moveaxis(rgb.astype(float), -1, 0)
    luma = 0.299 * r + 0.587 * g + 0.114 * b
    return np.rint(np.stack([luma, 128 + (b - luma) / 1.772, 128 + (r - luma) / 1.402], -1)).astype(np.uint8)


@pytest.mark.parametrize("compression", [None, "lzw", "adobe_deflate", "zstd", "packbits"])
@pytest.mark.parametrize("layout", ["strips", "tiles", "planar", "big endian", "pages"])
def test_ycbcr_becomes_rgb(tmp_path, compression, layout):
    stored = ycbcr(SMOOTH)
    options = {
        "strips": {"rowsperstrip": 7},
        "tiles": {"tile": (16, 16)},
        "planar": {"planarconfig": "separate"},
        "big endian": {"byteorder": ">"},
        "pages": {},
    }[layout]
    data = {"planar": np.moveaxis(stored, -1, 0), "pages": np.stack([stored] * 3)}.get(layout, stored)
    tifffile.imwrite(
        tmp_path / "a.tif",
        data,
        photometric="rgb",
        compression=compression,
        extratags=[FULL_COLOUR],
        **options,
    )
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+b") as tiff:
        for page in tiff.pages:
            page.tags[PHOTOMETRIC].overwrite(6)
    file = read_image(tmp_path / "a.tif")
    assert file.doubt == ""
    for read in file.channels_last if layout == "pages" else [file.channels_last]:
        assert read.dtype == np.uint8
        assert np.abs(read.astype(int) - SMOOTH).max() <= 2  # rounding to YCbCr and back


def test_ycbcr_with_coefficients_and_range_of_its_own(tmp_path):
    red, green, blue = 0.2126, 0.7152, 0.0722  # BT.709
    rgb = SMOOTH.astype(float)
    luma = rgb @ [red, green, blue]
    stored = np.stack([luma, (rgb[..., 2] - luma) / (2 - 2 * blue), (rgb[..., 0] - luma) / (2 - 2 * red)], -1)
    stored = stored * [219 / 255, 112 / 127, 112 / 127] + [16, 128, 128]  # studio range
    tifffile.imwrite(
        tmp_path / "a.tif",
        np.rint(stored).astype(np.uint8),
        photometric="rgb",
        extratags=[
            FULL_COLOUR,
            (529, 5, 3, (2126, 10000, 7152, 10000, 722, 10000), True),
            (532, 5, 6, (16, 1, 235, 1, 128, 1, 240, 1, 128, 1, 240, 1), True),
        ],
    )
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+b") as tiff:
        tiff.pages.first.tags[PHOTOMETRIC].overwrite(6)
    assert np.abs(read_image(tmp_path / "a.tif").array.astype(int) - SMOOTH).max() <= 3


@pytest.mark.parametrize("subsampling", [(1, 1), (2, 2)])
def test_jpeg_in_tiff_is_decoded_once(tmp_path, subsampling):
    tifffile.imwrite(
        tmp_path / "a.tif", SMOOTH, photometric="rgb", compression="jpeg", subsampling=subsampling
    )
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert tiff.pages.first.photometric == 6
    file = read_image(tmp_path / "a.tif")
    assert file.lossy
    assert np.abs(file.array.astype(int) - SMOOTH).mean() < 4


def test_subsampled_colours_without_jpeg_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", SMOOTH, photometric="rgb", extratags=[(530, "H", 2, (2, 2), True)])
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+b") as tiff:
        tiff.pages.first.tags[PHOTOMETRIC].overwrite(6)
    with pytest.raises(
        ValueError, match=r"Expected colours at every pixel, got .*subsampled.*: convert it to RGB"
    ):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (5, "SEPARATED"),
        (8, "CIELAB"),
        (9, "ICCLAB"),
        (10, "ITULAB"),
        (32844, "LOGL"),
        (32845, "LOGLUV"),
        (51177, "DEPTH_MAP"),
    ],
)
@pytest.mark.parametrize("n", [1, 3])
def test_other_colour_spaces_are_refused_by_name(tmp_path, number, name, n):
    image = SMOOTH if n == 3 else SMOOTH[..., 0]
    tifffile.imwrite(tmp_path / "a.tif", image, photometric="rgb" if n == 3 else "minisblack")
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+b") as tiff:
        tiff.pages.first.tags[PHOTOMETRIC].overwrite(number)
    with pytest.raises(
        ValueError, match=rf"Expected grey values or RGB, got .*a\.tif: convert it to RGB or grey \(.*{name}"
    ):
        read_image(tmp_path / "a.tif")


def test_printing_inks_of_jpeg_are_said(tmp_path):
    Image.fromarray(SMOOTH).convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    file = read_image(tmp_path / "a.jpg")
    assert file.notices == (
        "a.jpg holds printing inks (CMYK); they are turned into RGB without a colour profile.",
    )
    assert np.abs(file.array.astype(int) - SMOOTH).mean() < 8


@pytest.mark.parametrize("scale", [257, 256, 1])
@pytest.mark.parametrize("n_pages", [1, 3])
def test_palettes_of_8_bits(tmp_path, scale, n_pages):
    table = RNG.integers(0, 256, (3, 256), dtype=np.uint16)
    labels = RNG.integers(0, 256, (n_pages, 20, 30), dtype=np.uint8).squeeze()
    tifffile.imwrite(
        tmp_path / "a.tif", labels, photometric="palette", colormap=(table * scale).astype(np.uint16)
    )
    file = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(file.indices, labels)
    np.testing.assert_array_equal(file.array, table.T.astype(np.uint8)[labels])
    assert file.array.dtype == np.uint8


def test_palettes_of_16_bits_keep_them(tmp_path):
    table = RNG.integers(0, 65536, (3, 256), dtype=np.uint16)
    labels = RNG.integers(0, 256, (20, 30), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", labels, photometric="palette", colormap=table)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").array, table.T[labels])


@pytest.mark.parametrize("colours", [2, 16, 200])
def test_palettes_by_pillow(tmp_path, colours):
    image = Image.fromarray(SMOOTH).quantize(colours)
    image.save(tmp_path / "a.tif", compression="tiff_lzw")
    file = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(file.array, np.asarray(image.convert("RGB")))
    np.testing.assert_array_equal(file.indices, np.asarray(image))


def as_white_is_zero(path, image, **options):
    tifffile.imwrite(path, image, photometric="miniswhite", **options)


@pytest.mark.parametrize("kind", ["bool", "uint8", "uint16"])
@pytest.mark.parametrize("compression", [None, "lzw", "ccitt_t6"])
def test_white_is_zero_is_inverted_only_as_it_is_shown(tmp_path, kind, compression):
    stored = RNG.integers(0, 2 if kind == "bool" else 200, (20, 30)).astype(kind)
    if compression == "ccitt_t6":
        if kind != "bool":
            pytest.skip("faxes have one bit")
        Image.fromarray(~stored).save(tmp_path / "a.tif", compression="group4")  # Pillow: black is zero
        with tifffile.TiffFile(tmp_path / "a.tif", mode="r+b") as tiff:
            tiff.pages.first.tags[PHOTOMETRIC].overwrite(0)
        stored = ~stored
    else:
        as_white_is_zero(tmp_path / "a.tif", stored, compression=compression)
    file = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(file.array, stored)
    assert [n.startswith("a.tif is shown inverted by other programs") for n in file.notices] == [True]
    shown = file.as_shown()
    full = {"bool": 1, "uint8": 255, "uint16": 65535}[kind]
    np.testing.assert_array_equal(shown.array, full - stored.astype(int))
    assert shown.array.dtype == stored.dtype
    assert shown.notices == (
        "a.tif says that white is zero; its values are inverted, as other programs show it.",
    )
    assert shown.as_shown() is shown


def test_what_is_not_inverted_stays_as_it_is(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", SMOOTH)
    file = read_image(tmp_path / "a.tif")
    assert file.as_shown() is file

"""Pictures equal their library's own reading: BMP, WebP, JPEG 2000, NumPy, camera raw; stacks of files; pages
and series."""

from __future__ import annotations

import struct

import imagecodecs
import numpy as np
import pytest
import rawpy
import tifffile
from PIL import Image

from napari_bitsnet.io.read import read_file_calibration, read_image
from tests.io.written import write_dng

RNG = np.random.default_rng(8)
RGB = RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8)
OPACITY = RNG.integers(1, 256, (20, 30, 1), dtype=np.uint8)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
@pytest.mark.parametrize("suffix", ["bmp", "webp", "jp2"])
def test_modes(tmp_path, suffix, mode):
    if (suffix, mode) in (("webp", "1"), ("jp2", "1"), ("jp2", "P")):
        pytest.skip("the format has no such images")
    picture = Image.fromarray(np.concatenate([RGB, OPACITY], -1)).convert(mode)
    picture.save(tmp_path / f"a.{suffix}", **({"lossless": True} if suffix == "webp" else {}))
    (tmp_path / f"a.{suffix}").rename(tmp_path / "a.tif")  # the contents decide
    file = read_image(tmp_path / "a.tif")
    with Image.open(tmp_path / "a.tif") as again:
        palette = again.mode == "P"
        np.testing.assert_array_equal(file.array, np.asarray(again.convert("RGB") if palette else again))
        np.testing.assert_array_equal(file.indices, np.asarray(again) if palette else None)
    assert file.axes == ("YX" if file.array.ndim == 2 else "YXC")
    assert not file.lossy


@pytest.mark.parametrize(
    ("name", "options", "lossy"),
    [
        ("a.webp", {}, True),
        ("a.webp", {"lossless": True}, False),
        ("a.jp2", {"irreversible": True}, True),
        ("a.j2k", {"irreversible": True}, True),
        ("a.j2k", {}, False),
    ],
)
def test_lossy(tmp_path, name, options, lossy):
    Image.fromarray(RGB).save(tmp_path / name, **options)
    assert read_image(tmp_path / name).lossy == lossy


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg2000_keeps_all_bits(tmp_path, bits, channels):
    image = RNG.integers(0, 2**bits, (20, 30, channels), dtype=np.uint16 if bits > 8 else np.uint8).squeeze()
    (tmp_path / "a.jp2").write_bytes(
        imagecodecs.jpeg2k_encode(image, bitspersample=bits, level=0, reversible=True)
    )
    np.testing.assert_array_equal(read_image(tmp_path / "a.jp2").array, image)


def boxed(image: np.ndarray, *boxes: tuple[bytes, bytes], bits: int = 16, space: int | None = None) -> bytes:
    """A JP2 file with further boxes of (name, contents) in its header, and another colour space."""
    made = bytearray(imagecodecs.jpeg2k_encode(image, bitspersample=bits, level=0, reversible=True))
    start = made.find(b"jp2h") - 4
    size = int.from_bytes(made[start : start + 4], "big")
    more = b"".join((len(body) + 8).to_bytes(4, "big") + name + body for name, body in boxes)
    made[start + size : start + size] = more
    made[start : start + 4] = (size + len(more)).to_bytes(4, "big")
    if space is not None:
        at = made.find(b"colr") + 7
        made[at : at + 4] = space.to_bytes(4, "big")
    return bytes(made)


def defined(*kinds: int) -> tuple[bytes, bytes]:
    """The box that says which channels are colours (0), opacity (1) or opacity that is multiplied in (2)."""
    rows = [struct.pack(">HHH", k, kind, 0 if kind else k + 1) for k, kind in enumerate(kinds)]
    return b"cdef", struct.pack(">H", len(kinds)) + b"".join(rows)


@pytest.mark.parametrize("channels", [2, 4, 5])
@pytest.mark.parametrize("codec", ["jp2", "j2k"])
def test_jpeg2000_channels_are_no_opacity_unless_the_file_says_so(tmp_path, channels, codec):
    image = RNG.integers(0, 2**16, (20, 30, channels), dtype=np.uint16)
    made = imagecodecs.jpeg2k_encode(image, bitspersample=16, level=0, reversible=True, codecformat=codec)
    (tmp_path / "a").write_bytes(made)
    file = read_image(tmp_path / "a")
    np.testing.assert_array_equal(file.array, image)
    assert f"{channels} channels" in file.doubt


@pytest.mark.parametrize("bits", [12, 16])
def test_jpeg2000_opacity(tmp_path, bits):
    colours = RNG.integers(0, 2**bits, (20, 30, 3), dtype=np.uint16)
    opacity = np.full((20, 30, 1), 2**bits - 1, np.uint16)
    opacity[:, :10], opacity[:, 10:20] = 0, 2 ** (bits - 1)
    (tmp_path / "a.jp2").write_bytes(
        boxed(np.concatenate([colours, opacity], -1), defined(0, 0, 0, 1), bits=bits)
    )
    file = read_image(tmp_path / "a.jp2")
    assert not file.doubt
    np.testing.assert_array_equal(file.array, np.concatenate([colours, opacity], -1))
    part = opacity / (2**bits - 1)
    multiplied = np.concatenate([np.rint(colours * part), opacity], -1).astype(np.uint16)
    (tmp_path / "b.jp2").write_bytes(boxed(multiplied, defined(0, 0, 0, 2), bits=bits))
    divided = read_image(tmp_path / "b.jp2").array
    np.testing.assert_allclose(divided[:, 10:, :3], colours[:, 10:], rtol=0, atol=2)
    (tmp_path / "c.jp2").write_bytes(boxed(multiplied[..., 2:], defined(0, 1), bits=bits))
    grey = read_image(tmp_path / "c.jp2")
    assert grey.array.shape == (20, 30)
    assert grey.stored == np.uint16
    np.testing.assert_array_equal(np.isnan(grey.array), opacity[..., 0] == 0)


@pytest.mark.parametrize(("space", "name"), [(12, "CMYK"), (14, "CIELab"), (99, "number 99")])
def test_jpeg2000_of_other_colour_spaces_is_refused_by_name(tmp_path, space, name):
    (tmp_path / "a.jp2").write_bytes(boxed(RGB, bits=8, space=space))
    with pytest.raises(ValueError, match=name):
        read_image(tmp_path / "a.jp2")


def test_jpeg2000_luminance_and_differences_become_rgb(tmp_path):
    (tmp_path / "a.jp2").write_bytes(boxed(RGB, bits=8, space=18))
    expected = np.asarray(Image.fromarray(RGB, "YCbCr").convert("RGB"))
    np.testing.assert_allclose(read_image(tmp_path / "a.jp2").array.astype(int), expected, rtol=0, atol=1)


@pytest.mark.parametrize("channels", [1, 5])  # also where Pillow knows no mode
def test_size_of_a_pixel_of_jpeg2000(tmp_path, channels):
    image = RNG.integers(0, 256, (20, 30, channels), dtype=np.uint8)
    capture = b"resc", struct.pack(">HHHHbb", 2, 1, 8, 2, 3, 4)  # 2000 by 40000 a metre
    made = boxed(image, (b"res ", (18).to_bytes(4, "big") + capture[0] + capture[1]), bits=8)
    (tmp_path / "a.jp2").write_bytes(made)
    for size in (read_image(tmp_path / "a.jp2").calibration, read_file_calibration(tmp_path / "a.jp2")):
        assert (size.per_unit, size.unit) == (pytest.approx((400, 20)), "cm")


def test_size_of_a_pixel_and_orientation(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.bmp", dpi=(300, 150))
    assert read_file_calibration(tmp_path / "a.bmp").per_unit == pytest.approx((300, 150), abs=0.02)
    exif = Image.Exif()
    exif[274], exif[282], exif[283], exif[296] = 6, 200.0, 100.0, 2
    Image.fromarray(RGB).save(tmp_path / "a.webp", exif=exif, lossless=True)
    file = read_image(tmp_path / "a.webp")
    np.testing.assert_array_equal(file.array, np.rot90(RGB, -1))
    assert file.calibration.per_unit == (100, 200)


def test_numpy(tmp_path):
    image = RNG.random((3, 4, 5)).astype(">f8")
    np.save(tmp_path / "a.npy", image)
    file = read_image(tmp_path / "a.npy")
    np.testing.assert_array_equal(file.array, image)
    assert file.axes is None
    assert file.array.dtype.isnative
    np.save(tmp_path / "b.npy", np.array([{"run": "code"}]), allow_pickle=True)
    with pytest.raises(ValueError, match="Expected a whole image file"):
        read_image(tmp_path / "b.npy")


def test_camera_raw_is_developed(tmp_path):
    write_dng(tmp_path / "a.tif")  # DNG's own tag decides
    file = read_image(tmp_path / "a.tif")
    with rawpy.imread(str(tmp_path / "a.tif")) as raw:
        expected = raw.postprocess(
            output_bps=16,
            use_camera_wb=True,
            no_auto_bright=True,
            gamma=(2.4, 12.92),
            output_color=rawpy.ColorSpace.sRGB,
        )
    np.testing.assert_array_equal(file.array, expected)
    assert (file.axes, file.encoding, file.array.dtype) == ("YXC", "srgb", np.uint16)


def test_even_light_is_even_grey(tmp_path):
    """Half of the white level is 0.735 on sRGB's curve."""
    write_dng(tmp_path / "a.dng", np.full((64, 96), 2047, np.uint16))
    inner = read_image(tmp_path / "a.dng").array[8:-8, 8:-8] / 65535
    assert inner == pytest.approx(0.735, abs=0.01)


def slices(folder, count: int = 12, **options) -> np.ndarray:
    stack = RNG.integers(0, 256, (count, 20, 30), dtype=np.uint8)
    folder.mkdir()
    for k, plane in enumerate(stack):
        Image.fromarray(plane).save(folder / f"slice{k}.png", **options)
    return stack


def test_folders_and_patterns_are_stacks_in_the_order_of_their_numbers(tmp_path):
    stack = slices(tmp_path / "scan", dpi=(254, 254))
    (tmp_path / "scan" / ".hidden.png").write_bytes(b"x")
    for name in ("scan", "scan/*.png", "sc?n/slice*"):
        file = read_image(tmp_path / name)
        np.testing.assert_array_equal(file.array, stack)
        assert (file.axes, file.notices, file.path) == ("ZYX", (), tmp_path / name)
        assert file.calibration == read_file_calibration(tmp_path / name)
    np.testing.assert_array_equal(read_image(tmp_path / "scan" / "slice1*.png").array, stack[[1, 10, 11]])
    assert read_image(tmp_path / "scan" / "slice3*.png").axes == "YX"


@pytest.mark.parametrize(
    ("chosen", "index"),
    [("5", 5), ("-1", -1), ("2:4", slice(2, 4)), ("::5", slice(0, None, 5)), ("::-1", slice(None, None, -1))],
)
def test_slices_are_chosen_as_python_does(tmp_path, chosen, index):
    stack = slices(tmp_path / "scan")
    file = read_image(tmp_path / "scan", slices=chosen)
    np.testing.assert_array_equal(file.array, stack[index])
    assert file.axes == ("YX" if isinstance(index, int) else "ZYX")


@pytest.mark.parametrize("chosen", ["12", "5:5", "a", "1:2:3:4", "::0", "1.5"])
def test_slices_that_there_are_not(tmp_path, chosen):
    slices(tmp_path / "scan")
    with pytest.raises(
        ValueError, match=r"Expected slices of scan from 0 to 11, as in 5, 10:20 or ::2, got '"
    ):
        read_image(tmp_path / "scan", slices=chosen)


def test_slices_of_other_sizes_are_refused(tmp_path):
    slices(tmp_path / "scan", 2)
    Image.fromarray(RGB).save(tmp_path / "scan" / "slice2.png")
    with pytest.raises(
        ValueError,
        match=r"Expected slices of one size and type, got slice0.png \(20x30, uint8\) and slice2.png "
        r"\(20x30x3, uint8\)",
    ):
        read_image(tmp_path / "scan")
    tifffile.imwrite(tmp_path / "stack1.tif", np.zeros((2, 5, 6), np.uint8), photometric="minisblack")
    tifffile.imwrite(tmp_path / "stack2.tif", np.zeros((2, 5, 6), np.uint8), photometric="minisblack")
    with pytest.raises(
        ValueError, match=r"Expected files of one slice each, got .*stack1\.tif of shape \(2, 5, 6\)"
    ):
        read_image(tmp_path / "stack*.tif")


def test_pages_and_series_of_tiffs(tmp_path):
    stack = RNG.integers(0, 999, (3, 8, 9), dtype=np.uint16)
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(stack, photometric="minisblack", metadata={"axes": "ZYX"})
        tiff.write(RGB, photometric="rgb")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif", page=2).array, stack[2])
    assert read_image(tmp_path / "a.tif", page=2).axes == "YX"
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif", series=1).array, RGB)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif", page=3).array, RGB)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif", series=0, slices="1").array, stack[1])
    for choice, text in (({"page": 4}, "a page from 0 to 3"), ({"series": 2}, "a series from 0 to 1")):
        with pytest.raises(ValueError, match=f"Expected {text}, got "):
            read_image(tmp_path / "a.tif", **choice)
    with pytest.raises(ValueError, match="Expected a page alone"):
        read_image(tmp_path / "a.tif", page=1, slices="1")


@pytest.mark.parametrize("bits", [12, 16])
def test_png_of_more_bits(tmp_path, bits):
    image = RNG.integers(0, 2**bits, (20, 30), dtype=np.uint16)
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(image))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").array, image)

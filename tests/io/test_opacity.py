"""A channel is opacity only if the file says so; associated opacity is divided out."""

import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_bitsnet.io.read import read_image

RNG = np.random.default_rng(2)
FULL = {"uint8": 255, "uint16": 65535, "float32": 1.0}


def colours(kind, n=3, shape=(20, 30)):
    values = RNG.random((*shape, n))
    return values.astype(kind) if kind == "float32" else np.rint(values * FULL[kind]).astype(kind)


def opacity(kind, shape=(20, 30)):
    """All, half and none, in three bands of columns."""
    alpha = np.full(shape, FULL[kind], kind)
    alpha[:, 10:20] = FULL[kind] / 2
    alpha[:, 20:] = 0
    return alpha


@pytest.mark.parametrize("kind", FULL)
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_associated_opacity_is_divided_out(tmp_path, kind, planar, byteorder):
    plain, alpha = colours(kind), opacity(kind)
    stored = plain * (alpha / FULL[kind])[..., None]
    stored = stored if kind == "float32" else np.rint(stored)
    image = np.concatenate([stored.astype(kind), alpha[..., None]], axis=-1)
    tifffile.imwrite(
        tmp_path / "a.tif",
        image if planar == "contig" else np.moveaxis(image, -1, 0),
        photometric="rgb",
        planarconfig=planar,
        extrasamples=["assocalpha"],
        byteorder=byteorder,
    )
    file = read_image(tmp_path / "a.tif")
    assert (file.axes, file.doubt, file.array.dtype) == ("YXC" if planar == "contig" else "CYX", "", kind)
    read = file.channels_last
    np.testing.assert_array_equal(read[..., 3], alpha)
    np.testing.assert_array_equal(read[:, :10, :3], plain[:, :10])
    tolerance = 1e-6 if kind == "float32" else 1  # rounding before the division
    np.testing.assert_allclose(read[:, 10:20, :3].astype(float), plain[:, 10:20], atol=tolerance)
    assert not read[:, 20:, :3].any()


@pytest.mark.parametrize("kind", FULL)
def test_other_opacity_leaves_colours_as_they_are(tmp_path, kind):
    image = np.concatenate([colours(kind), opacity(kind)[..., None]], axis=-1)
    tifffile.imwrite(tmp_path / "a.tif", image, photometric="rgb", extrasamples=["unassalpha"])
    file = read_image(tmp_path / "a.tif")
    assert (file.axes, file.doubt) == ("YXC", "")
    np.testing.assert_array_equal(file.array, image)


@pytest.mark.parametrize("kind", ["uint8", "uint16", "uint32", "float32"])
@pytest.mark.parametrize("associated", [True, False])
def test_grey_with_opacity_becomes_grey_with_missing_pixels(tmp_path, kind, associated):
    grey = RNG.integers(1, 200, (20, 30)).astype(kind)
    full = 1 if kind == "float32" else np.iinfo(kind).max
    alpha = np.full(grey.shape, full, kind)
    options = {"photometric": "minisblack", "planarconfig": "contig"}
    options["extrasamples"] = ["assocalpha" if associated else "unassalpha"]
    tifffile.imwrite(tmp_path / "all.tif", np.stack([grey, alpha], -1), **options)
    whole = read_image(tmp_path / "all.tif")
    assert (whole.axes, whole.array.dtype) == ("YX", grey.dtype)
    np.testing.assert_array_equal(whole.array, grey)
    alpha[5:, 7] = 0
    tifffile.imwrite(tmp_path / "part.tif", np.stack([grey, alpha], -1), **options)
    part = read_image(tmp_path / "part.tif")
    assert part.axes == "YX"
    np.testing.assert_array_equal(part.array, np.where(alpha == 0, np.nan, grey))


@pytest.mark.parametrize(
    ("shape", "options", "axes"),
    [
        ((20, 30, 4), {"photometric": "rgb", "extrasamples": ["unspecified"]}, "YXC"),
        (
            (4, 20, 30),
            {"photometric": "rgb", "extrasamples": ["unspecified"], "planarconfig": "separate"},
            "CYX",
        ),
        ((20, 30, 4), {"photometric": "minisblack", "planarconfig": "contig"}, "YXC"),
        ((4, 20, 30), {"photometric": "minisblack", "planarconfig": "separate"}, "CYX"),
        ((4, 20, 30), {"photometric": "minisblack", "imagej": True, "metadata": {"axes": "CYX"}}, "CYX"),
        ((4, 20, 30), {"photometric": "minisblack", "ome": True, "metadata": {"axes": "CYX"}}, "CYX"),
        ((6, 4, 20, 30), {"photometric": "minisblack", "ome": True, "metadata": {"axes": "ZCYX"}}, "ZCYX"),
        ((20, 30, 5), {"photometric": "rgb", "extrasamples": ["unspecified", "unassalpha"]}, "YXC"),
        ((2, 20, 30), {"photometric": "minisblack", "ome": True, "metadata": {"axes": "CYX"}}, "CYX"),
    ],
)
def test_channels_that_are_no_opacity_stay_and_ask(tmp_path, shape, options, axes):
    image = RNG.integers(0, 999, shape, dtype=np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", image, **options)
    file = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(file.array, image)
    assert file.axes == axes
    n = shape[axes.index("C")]
    assert f"got a.tif of shape {shape}, which has {n} channels" in file.doubt
    assert ("does not say that the fourth is opacity" in file.doubt) == (n == 4)
    with pytest.raises(ValueError, match="save its colours as RGB"):
        _ = file.channels_last


# --- PNG -----------------------------------------------------------------------------------------------


def write_png(path, samples, depth, colour_type, **chunks):
    """Write rows of packed samples; Pillow writes neither 16-bit colours nor all depths."""

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    height, width = samples.shape[:2]
    flat = samples.reshape(height, -1)
    if depth == 16:
        rows = [row.astype(">u2").tobytes() for row in flat]
    else:
        bits = np.unpackbits(flat.astype(np.uint8)[..., None], axis=-1)[..., 8 - depth :]
        rows = [np.packbits(row).tobytes() for row in bits.reshape(height, -1)]
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    parts = [chunk(b"IHDR", header), *(chunk(name.encode(), body) for name, body in chunks.items())]
    parts += [chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))), chunk(b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


@pytest.mark.parametrize(("colour_type", "n"), [(0, 1), (2, 3), (6, 4)])
def test_png_keeps_16_bits(tmp_path, colour_type, n):
    image = RNG.integers(0, 65536, (20, 30, n), dtype=np.uint16)
    write_png(tmp_path / "a.png", image, 16, colour_type)
    file = read_image(tmp_path / "a.png")
    assert (file.array.dtype, file.notices) == (np.uint16, ())
    np.testing.assert_array_equal(file.array, image if n > 1 else image[..., 0])


@pytest.mark.parametrize("depth", [8, 16])
def test_png_of_grey_and_opacity(tmp_path, depth):
    kind = np.uint8 if depth == 8 else np.uint16
    image = RNG.integers(1, 2**depth, (20, 30, 2)).astype(kind)
    write_png(tmp_path / "all.png", image, depth, 4)
    whole = read_image(tmp_path / "all.png").array
    assert whole.dtype == kind
    np.testing.assert_array_equal(whole, image[..., 0])
    image[3:9, 4, 1] = 0
    write_png(tmp_path / "part.png", image, depth, 4)
    np.testing.assert_array_equal(
        read_image(tmp_path / "part.png").array, np.where(image[..., 1] == 0, np.nan, image[..., 0])
    )


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_png_of_few_grey_levels_keeps_them_as_stored(tmp_path, depth):
    image = RNG.integers(0, 2**depth, (20, 30), dtype=np.uint8)
    write_png(tmp_path / "a.png", image, depth, 0)
    read = read_image(tmp_path / "a.png").array
    np.testing.assert_array_equal(read, image)
    assert read.dtype == (bool if depth == 1 else np.uint8)


def test_a_grey_level_that_png_declares_transparent_is_missing(tmp_path):
    image = RNG.integers(0, 9, (20, 30)).astype(np.uint16)
    write_png(tmp_path / "a.png", image, 16, 0, tRNS=struct.pack(">H", 4))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").array, np.where(image == 4, np.nan, image))


def test_a_colour_that_png_declares_transparent_has_no_opacity(tmp_path):
    image = RNG.integers(0, 2, (20, 30, 3)).astype(np.uint8)
    write_png(tmp_path / "a.png", image, 8, 2, tRNS=struct.pack(">HHH", 0, 1, 1))
    read = read_image(tmp_path / "a.png").array
    np.testing.assert_array_equal(read[..., :3], image)
    np.testing.assert_array_equal(read[..., 3] == 0, (image == [0, 1, 1]).all(axis=-1))


def test_palette_png_gives_colours_and_indices(tmp_path):
    labels = RNG.integers(0, 3, (20, 30), dtype=np.uint8)
    image = Image.fromarray(labels, "P")
    image.putpalette([0, 0, 0, 200, 10, 20, 30, 40, 250])
    image.save(tmp_path / "a.png")
    file = read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(file.indices, labels)
    np.testing.assert_array_equal(
        file.array, np.array([[0, 0, 0], [200, 10, 20], [30, 40, 250]], np.uint8)[labels]
    )
    image.save(tmp_path / "b.png", transparency=0)
    read = read_image(tmp_path / "b.png")
    np.testing.assert_array_equal(read.array[..., 3] == 0, labels == 0)
    np.testing.assert_array_equal(read.indices, labels)

"""Every compression, depth, byte order and layout of TIFF gives the values that were written."""

import numpy as np
import pytest
import tifffile

from napari_bitsnet.io.read import read_image

RNG = np.random.default_rng(7)


def draw(kind, shape):
    if np.dtype(kind).kind == "f":
        return RNG.normal(size=shape).astype(kind)
    if kind == "bool":
        return RNG.random(shape) < 0.5
    info = np.iinfo(kind)
    return RNG.integers(info.min, info.max, shape, dtype=kind, endpoint=True)


@pytest.mark.parametrize("kind", ["uint8", "uint16", "int16", "uint32", "float32", "float64"])
@pytest.mark.parametrize("compression", ["lzw", "adobe_deflate", "zstd", "lzma", "packbits", "lerc"])
@pytest.mark.parametrize("layout", ["strips", "tiles", "planar"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_lossless_compressions(tmp_path, kind, compression, layout, byteorder):
    if compression == "lerc" and (layout == "planar" or byteorder == ">"):
        pytest.skip("one layout is enough for a format of its own")
    shape = (3, 40, 50) if layout == "planar" else (40, 50)
    image = draw(kind, shape)
    options = {"tiles": {"tile": (16, 32)}, "planar": {"planarconfig": "separate", "photometric": "rgb"}}
    tifffile.imwrite(
        tmp_path / "a.tif",
        image,
        compression=compression,
        byteorder=byteorder,
        **{"photometric": "minisblack", **options.get(layout, {})},
    )
    read = read_image(tmp_path / "a.tif").array
    assert read.dtype == image.dtype
    np.testing.assert_array_equal(read, image)


@pytest.mark.parametrize("kind", ["uint8", "uint16", "uint32", "float32"])
@pytest.mark.parametrize("compression", ["lzw", "zlib", "zstd"])
def test_predictors(tmp_path, kind, compression):
    image = draw(kind, (40, 50, 3))
    tifffile.imwrite(tmp_path / "a.tif", image, compression=compression, predictor=True, photometric="rgb")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").array, image)


@pytest.mark.parametrize("compression", ["jpeg2000", "jpegxl", "png"])
@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_pictures_inside_tiff(tmp_path, compression, kind):
    image = draw(kind, (40, 50))
    options = {"jpegxl": {"lossless": True}}.get(compression, {})
    tifffile.imwrite(tmp_path / "a.tif", image, compression=compression, compressionargs=options)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").array, image)


@pytest.mark.parametrize("bits", [9, 10, 12, 14])
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("width", [50, 51])
def test_packed_bits(tmp_path, bits, byteorder, width):
    image = RNG.integers(0, 2**bits, (40, width), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", image, bitspersample=bits, byteorder=byteorder)
    # the first bit is the highest in either byte order; tifffile swaps bytes before it packs
    rows = np.unpackbits(image.astype(">u2").view(np.uint8).reshape(40, width, 2), axis=-1)[..., 16 - bits :]
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        at = tiff.pages.first.dataoffsets[0]
    with (tmp_path / "a.tif").open("r+b") as file:
        file.seek(at)
        file.write(np.packbits(rows.reshape(40, -1), axis=-1).tobytes())
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").array, image)


@pytest.mark.parametrize("kind", ["bool", "int8", "uint64", "float16"])
def test_other_types_of_numbers(tmp_path, kind):
    image = draw(kind, (40, 50))
    tifffile.imwrite(tmp_path / "a.tif", image)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").array, image)


def overwrite(path, tag, value):
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        tiff.pages.first.tags[tag].overwrite(value)


@pytest.mark.parametrize(
    ("tag", "value", "message"),
    [
        ("Compression", 34661, r"Expected a known compression, got .*a\.tif with .*34661.*: save it as TIFF"),
        ("Compression", 12345, r"Expected a known compression, got .*a\.tif with number \(12345\): save it"),
        ("Predictor", 77, r"Expected a known predictor, got .*a\.tif with number 77: save it as TIFF"),
        ("BitsPerSample", 77, r"Expected pixels of 1 to 64 bits, integer or floating, got .* with 77 bits"),
    ],
)
def test_what_cannot_be_decoded_is_named_and_not_called_damaged(tmp_path, tag, value, message):
    tifffile.imwrite(tmp_path / "a.tif", draw("uint8", (40, 50)), compression="zlib", predictor=True)
    overwrite(tmp_path / "a.tif", tag, value)
    with pytest.raises(ValueError, match=message) as caught:
        read_image(tmp_path / "a.tif")
    assert "damaged" not in str(caught.value)


def test_a_codec_that_this_imagecodecs_lacks_is_named(tmp_path, monkeypatch):
    import imagecodecs

    tifffile.imwrite(tmp_path / "a.tif", draw("uint8", (40, 50)), compression="zstd")

    def missing(*args, **options):
        raise imagecodecs.DelayedImportError("zstd_decode")

    monkeypatch.setitem(tifffile.TIFF.DECOMPRESSORS._codecs, 50000, missing)
    with pytest.raises(ValueError, match=r"Expected an image that can be decoded here, got .*zstd") as caught:
        read_image(tmp_path / "a.tif")
    assert "damaged" not in str(caught.value)

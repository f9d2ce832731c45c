"""Whatever is no damage is not called so: other formats, size, memory, rights."""

import os
import socket
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_bitsnet.io.read import read_image
from napari_bitsnet.io.readers import READERS

RNG = np.random.default_rng(9)
GREY = RNG.integers(0, 256, (20, 30), dtype=np.uint8)
RGB = RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("suffix", "name"),
    [
        ("bmp", "BMP"),
        ("gif", "GIF"),
        ("webp", "WebP"),
        ("jp2", "JPEG 2000"),
        ("avif", "AVIF"),
        ("pdf", "PDF"),
    ],
)
def test_pictures_of_other_formats_are_named(tmp_path, suffix, name):
    from PIL import features

    if suffix in ("webp", "avif") and not features.check(suffix):
        pytest.skip(f"this Pillow writes no {name}")
    Image.fromarray(RGB).save(tmp_path / f"a.{suffix}")
    (tmp_path / f"a.{suffix}").rename(tmp_path / "a.tif")  # the contents decide
    with pytest.raises(
        ValueError, match=rf"Expected a JPEG, PNG or TIFF file, got .*a\.tif, a {name} file: convert it"
    ):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"8BPS\0\1", "Photoshop"),
        (b"SIMPLE  =                    T", "FITS"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"\x93NUMPY\1\0", "NumPy"),
        (b"\x76\x2f\x31\x01\2\0\0\0", "OpenEXR"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIF"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1", "Canon camera raw"),
        (b"IIRO\x08\0\0\0", "Olympus camera raw"),
        (b"IIU\0\x18\0\0\0", "Panasonic camera raw"),
        (b"FUJIFILMCCD-RAW 0201", "Fuji camera raw"),
        (b"\x5c\x01\0\0" + bytes(340) + b"n+1\0", "NIfTI"),
        (bytes(128) + b"DICM", "DICOM"),
        (b"\x1f\x8b\x08\0", "gzip"),
    ],
)
def test_other_formats_are_named(tmp_path, head, name):
    (tmp_path / "a.tif").write_bytes(head + bytes(600))
    with pytest.raises(
        ValueError, match=rf"Expected a JPEG, PNG or TIFF file, got .*a\.tif, a {name} file: convert"
    ):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("preamble", [b"II*\0", b"MM\0*"])
@pytest.mark.parametrize("offset", [0, 40, 9999])
def test_dicom_with_the_preamble_of_a_tiff(tmp_path, preamble, offset):
    start = preamble + struct.pack("<I" if preamble[:1] == b"I" else ">I", offset)
    (tmp_path / "a.dcm").write_bytes(start.ljust(128, b"\0") + b"DICM" + bytes(600))
    with pytest.raises(
        ValueError, match=r"got .*a\.dcm, a DICOM file: export it as TIFF with 16 bits, or read it with"
    ):
        read_image(tmp_path / "a.dcm")


def test_a_dicom_that_is_a_tiff_as_well_is_read(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", GREY, metadata=None, byteorder="<")
    contents = (tmp_path / "a.tif").read_bytes()
    at = struct.unpack("<I", contents[4:8])[0]
    body = (
        bytearray(contents[:4] + struct.pack("<I", at + 200) + bytes(120) + b"DICM").ljust(200, b"\0")
        + contents
    )
    (n,) = struct.unpack_from("<H", body, at + 200)
    for k in range(n):  # strips and what stands behind the directory have moved by 200 bytes
        entry = at + 202 + 12 * k
        tag, kind, count, value = struct.unpack_from("<HHII", body, entry)
        if tag == 273 or {1: 1, 2: 1, 3: 2, 4: 4, 5: 8}[kind] * count > 4:
            struct.pack_into("<I", body, entry + 8, value + 200)
    (tmp_path / "b.dcm").write_bytes(body)
    np.testing.assert_array_equal(read_image(tmp_path / "b.dcm").array, GREY)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
@pytest.mark.parametrize("mode", ["L", "RGB", "P"])
def test_no_size_is_too_large_for_pillow(tmp_path, monkeypatch, suffix, mode):
    if (suffix, mode) == ("jpg", "P"):
        pytest.skip("JPEG has no palettes")
    image = Image.fromarray(RGB).convert(mode)
    image.save(tmp_path / f"a.{suffix}")
    with Image.open(tmp_path / f"a.{suffix}") as again:
        expected = np.asarray(again.convert("RGB") if mode == "P" else again)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(tmp_path / f"a.{suffix}")
    np.testing.assert_array_equal(read_image(tmp_path / f"a.{suffix}").array, expected)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
def test_too_little_memory_is_no_damage(tmp_path, monkeypatch, suffix):
    Image.fromarray(GREY).save(tmp_path / f"a.{suffix}")

    def out_of_memory(*args, **options):
        raise MemoryError("Unable to allocate 1.2 TiB for an array")

    import imagecodecs
    from PIL.JpegImagePlugin import JpegImageFile

    monkeypatch.setattr(imagecodecs, "png_decode", out_of_memory)
    monkeypatch.setattr(JpegImageFile, "load", out_of_memory)
    monkeypatch.setattr(tifffile.TiffPageSeries, "asarray", out_of_memory)
    with pytest.raises(
        ValueError,
        match=rf"Expected an image that fits into the memory, got .*a\.{suffix} \(Unable to allocate 1.2 TiB",
    ):
        read_image(tmp_path / f"a.{suffix}")


def test_a_fault_of_ours_is_not_taken_for_the_files(tmp_path, monkeypatch):
    tifffile.imwrite(tmp_path / "a.tif", GREY)

    def broken(*args):
        raise KeyError("a fault")

    monkeypatch.setattr("napari_bitsnet.io.readers.tiff.declared_axes", broken)
    with pytest.raises(KeyError, match="a fault"):
        read_image(tmp_path / "a.tif")


def test_a_disk_that_fails_is_no_damage(tmp_path, monkeypatch):
    tifffile.imwrite(tmp_path / "a.tif", GREY)

    def failing(*args, **options):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(tifffile.TiffPageSeries, "asarray", failing)
    with pytest.raises(ValueError, match=r"Expected a readable file, got .*a\.tif \(Input/output error\)"):
        read_image(tmp_path / "a.tif")


def test_files_of_others(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    (tmp_path / "a.tif").write_bytes(b"II*\0")
    (tmp_path / "a.tif").chmod(0)
    with pytest.raises(
        ValueError, match=r"Expected a readable file, got .*\(Permission denied\): check its rights"
    ):
        read_image(tmp_path / "a.tif")


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs sockets in the file system")
def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(
        ValueError, match=r"Expected a file, got .*pipe, which is a pipe or a device: save its contents"
    ):
        read_image(tmp_path / "pipe")


@pytest.mark.parametrize("bits", [8, 12])
def test_jpeg_of_12_bits(tmp_path, bits):
    import imagecodecs

    smooth = (
        np.linspace(0, 2**bits - 1, 40 * 48).reshape(40, 48).astype(np.uint16 if bits == 12 else np.uint8)
    )
    (tmp_path / "a.jpg").write_bytes(imagecodecs.jpeg_encode(smooth, level=98, bitspersample=bits))
    read = read_image(tmp_path / "a.jpg").array
    assert read.dtype == smooth.dtype
    assert np.abs(read.astype(int) - smooth).max() < 2 ** (bits - 5)


def test_animated_png_says_so(tmp_path):
    frames = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:])
    file = read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(file.array, GREY)
    assert file.notices == ("a.png is animated; its first image is read.",)


@pytest.mark.parametrize("name", list(READERS))
def test_every_reader_knows_its_own_files_only(tmp_path, name):
    reader = READERS.get(name)
    assert reader.title
    assert not reader.recognises(tmp_path, b"")
    assert not reader.recognises(tmp_path / "a", b"no image at all")
    Image.fromarray(GREY).save(tmp_path / "a", format=reader.title)
    head = (tmp_path / "a").read_bytes()[:512]
    assert [each for each in READERS if READERS.get(each).recognises(tmp_path / "a", head)] == [name]
    file = reader.read(tmp_path / "a")
    assert (file.axes, file.array.shape, file.path) == ("YX", GREY.shape, tmp_path / "a")
    assert reader.calibration(tmp_path / "a") is None

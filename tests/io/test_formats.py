"""Whatever is no damage is not called so: other formats, size, memory, rights."""

import os
import re
import socket
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_bitsnet.io.read import read_image
from napari_bitsnet.io.readers import READERS
from tests.io.written import write_dicom, write_dng, write_nifti, write_zarr

RNG = np.random.default_rng(9)
GREY = RNG.integers(0, 256, (20, 30), dtype=np.uint8)
RGB = RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("suffix", "name"),
    [
        ("gif", "GIF"),
        ("avif", "AVIF"),
        ("pdf", "PDF"),
    ],
)
def test_pictures_of_other_formats_are_named(tmp_path, suffix, name):
    from PIL import features

    if suffix == "avif" and not features.check(suffix):
        pytest.skip(f"this Pillow writes no {name}")
    Image.fromarray(RGB).save(tmp_path / f"a.{suffix}")
    (tmp_path / f"a.{suffix}").rename(tmp_path / "a.tif")  # the contents decide
    with pytest.raises(
        ValueError, match=rf"Expected a BMP, .* or OME-Zarr file, got .*a\.tif, a {name} file: convert it"
    ):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"8BPS\0\1", "Photoshop"),
        (b"SIMPLE  =                    T", "FITS"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"\x76\x2f\x31\x01\2\0\0\0", "OpenEXR"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIF"),
        (b"\x1f\x8b\x08\0", "gzip"),
    ],
)
def test_other_formats_are_named(tmp_path, head, name):
    (tmp_path / "a.tif").write_bytes(head + bytes(600))
    with pytest.raises(
        ValueError, match=rf"Expected a BMP, .* or OME-Zarr file, got .*a\.tif, a {name} file: convert"
    ):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("suffix", "mode"),
    [
        *((suffix, mode) for suffix in ("png", "tif", "bmp") for mode in ("L", "RGB", "P")),
        ("jpg", "L"),
        ("jpg", "RGB"),
        ("webp", "RGB"),
        ("webp", "RGBA"),
    ],
)
def test_no_size_is_too_large_for_pillow(tmp_path, monkeypatch, suffix, mode):
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


@pytest.mark.parametrize("given", ["a.tif", ".", "*.tif"])  # alone, or as a slice of a stack
def test_files_of_others(tmp_path, monkeypatch, given):
    (tmp_path / "a.tif").write_bytes(b"II*\0")

    def refusing(*args, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refusing)
    with pytest.raises(
        ValueError, match=r"Expected a readable file, got .*\(Permission denied\): check its rights"
    ):
        read_image(tmp_path / given)


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


@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_animated_pictures_say_so(tmp_path, suffix):
    image = GREY if suffix == "png" else RGB
    frames = [Image.fromarray(image), Image.fromarray(255 - image)]
    frames[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:], lossless=True)
    file = read_image(tmp_path / f"a.{suffix}")
    np.testing.assert_array_equal(file.array, image)
    assert file.notices == (f"a.{suffix} is animated; its first image is read.",)


WRITTEN = {
    "bmp": lambda path: Image.fromarray(GREY).save(path, format="BMP", dpi=(0, 0)),
    "camera_raw": lambda path: write_dng(path),
    "dicom": lambda path: write_dicom(path, GREY),
    "jpeg": lambda path: Image.fromarray(GREY).save(path, format="JPEG"),
    "jpeg2000": lambda path: Image.fromarray(GREY).save(path, format="JPEG2000"),
    "nifti": lambda path: write_nifti(path, GREY),
    "npy": lambda path: np.save(path.open("wb"), GREY),
    "png": lambda path: Image.fromarray(GREY).save(path, format="PNG"),
    "tiff": lambda path: Image.fromarray(GREY).save(path, format="TIFF"),
    "webp": lambda path: Image.fromarray(RGB).save(path, format="WEBP"),
    "zarr": lambda path: write_zarr(path, GREY),
}


@pytest.mark.parametrize("name", list(READERS))
def test_every_reader_knows_its_own_files_only(tmp_path, name):
    reader = READERS.get(name)
    assert reader.title
    assert not reader.recognises(tmp_path, b"")
    assert not reader.recognises(tmp_path / "a", b"no image at all")
    path = tmp_path / "a"
    WRITTEN[name](path)
    head = b"" if path.is_dir() else path.read_bytes()[:512]
    assert [each for each in READERS if READERS.get(each).recognises(path, head)][:1] == [name]
    file = reader.read(path)
    assert file.path == path
    assert file.array.shape[:2] == ((64, 96) if name == "camera_raw" else GREY.shape)
    assert file.axes == ("YX" if file.array.ndim == 2 else "YXC")
    assert reader.calibration(path) is None
    assert READERS.get(name).read_series(path, 0).axes == file.axes
    for choose in (reader.read_series, reader.read_page):
        with pytest.raises(ValueError, match=r"Expected .*, got .*: "):
            choose(path, 7)


@pytest.mark.parametrize(
    ("name", "package"),
    [("dicom", "pydicom"), ("nifti", "nibabel"), ("camera_raw", "rawpy"), ("zarr", "zarr")],
)
def test_messages_name_the_extra(tmp_path, monkeypatch, name, package):
    path = tmp_path / "a"
    WRITTEN[name](path)
    monkeypatch.setitem(sys.modules, package, None)  # importing it fails
    extra = READERS.get(name).extra
    with pytest.raises(ValueError, match=rf"package {package} .* pip install \"napari-bitsnet\[{extra}\]\""):
        read_image(path)


@pytest.mark.parametrize("name", list(READERS))
def test_damaged_files_are_said_in_a_sentence(tmp_path, name):
    """Cut short or with changed bytes, a file is read or refused; nothing else happens."""
    path, rng = tmp_path / "a", np.random.default_rng(0)
    WRITTEN[name](path)
    target = next(p for p in path.rglob("zarr.json")) if path.is_dir() else path
    contents = target.read_bytes()
    refused = 0
    for k in range(24):
        broken = bytearray(contents)
        if k % 2:
            broken = broken[: int(rng.integers(1, len(broken)))]
        else:
            for at in rng.integers(0, min(len(broken), 600), 8):
                broken[at] = rng.integers(256)
        target.write_bytes(broken)
        try:
            np.asarray(read_image(path).array)
        except ValueError as error:
            assert re.fullmatch(r"Expected .*", str(error), re.DOTALL), error  # noqa: PT017
            refused += 1
    assert refused

"""Folders and zips of images, packed."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_bitsnet.data.datasets import PackedImages, pack, reserved_photos
from napari_bitsnet.training import images as training_images
from napari_bitsnet.training.images import colours, image_names, read_images


def load_images(source: Path, *, short_side: int, cache: Path | None = None) -> PackedImages:
    """Read to the end."""
    reading = read_images(source, short_side=short_side, cache=cache)
    while True:
        try:
            next(reading)
        except StopIteration as end:
            return end.value


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    (tmp_path / "images" / "deeper").mkdir(parents=True)
    for name, size in [("b.png", (20, 30)), ("a.png", (8, 9)), ("deeper/c.png", (40, 16))]:
        pixels = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / name)
    (tmp_path / "images" / "notes.txt").write_text("no image")
    return tmp_path / "images"


def test_packing_keeps_every_pixel():
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (h, w, 3), dtype=np.uint8) for h, w in [(3, 4), (5, 2), (1, 1)]]
    packed = pack(iter(images))
    assert len(packed) == 3
    for k, image in enumerate(images):
        np.testing.assert_array_equal(packed[k], image)
    np.testing.assert_array_equal(packed.subset(np.array([2, 0]))[1], images[0])


def test_folders_are_read_in_order_and_made_small(folder: Path):
    images = load_images(folder, short_side=10)
    assert [images[k].shape for k in range(3)] == [(8, 9, 3), (10, 15, 3), (25, 10, 3)]
    np.testing.assert_array_equal(images[0], np.asarray(Image.open(folder / "a.png")))


def test_a_zip_gives_the_same_as_its_folder(folder: Path, tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        for name in ("a.png", "b.png", "deeper/c.png"):
            archive.write(folder / name, name)
    ours, theirs = (load_images(p, short_side=10) for p in (tmp_path / "images.zip", folder))
    np.testing.assert_array_equal(ours.pixels, theirs.pixels)
    np.testing.assert_array_equal(ours.shapes, theirs.shapes)


def test_the_cache_is_used(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    first = load_images(folder, short_side=10, cache=tmp_path / "cache")
    monkeypatch.setattr(training_images, "colours", None)  # decoding again would fail
    again = load_images(folder, short_side=10, cache=tmp_path / "cache")
    np.testing.assert_array_equal(first.pixels, again.pixels)


def test_reserved_photographs_are_left_out(folder: Path):
    names = reserved_photos()
    assert len(names) == 100
    assert all(name.endswith(".jpg") for name in names)
    Image.open(folder / "a.png").save(folder / min(names))
    assert len(load_images(folder, short_side=10)) == 3


def test_nothing_to_read(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r"Expected a folder or a \.zip of images, got .*absent"):
        load_images(tmp_path / "absent", short_side=10)
    with pytest.raises(ValueError, match=r"Expected images \(.*\.png.*\) in .*, found none"):
        load_images(tmp_path, short_side=10)
    with pytest.raises(ValueError, match="Expected at least one image, got none"):
        pack(iter([]))


def test_reading_tells_how_far_it_is(folder: Path):
    assert image_names(folder) == ["a.png", "b.png", "deeper/c.png"]
    assert list(read_images(folder, short_side=10)) == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("contents", [b"", b"no picture", b"cut off"])
def test_a_damaged_image_is_named(folder: Path, contents: bytes):
    if contents == b"cut off":
        contents = (folder / "b.png").read_bytes()[:900]
    (folder / "b.png").write_bytes(contents)
    with pytest.raises(ValueError, match=r"Expected an image, got b\.png in .*, which cannot be read"):
        load_images(folder, short_side=10)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_images_are_turned_as_they_are_shown(tmp_path: Path, suffix: str):
    """A camera held upright stores the picture sideways, and says so."""
    pixels = np.zeros((16, 32, 3), np.uint8)
    pixels[:, :8, 0] = 255  # red on the left as stored
    exif = Image.Exif()
    exif[0x0112] = 6  # the first row is the right side
    Image.fromarray(pixels).save(tmp_path / f"a.{suffix}", exif=exif)
    read = colours(tmp_path / f"a.{suffix}")
    assert read.shape == (32, 16, 3)
    assert read[2, 8, 0] > 200 > 60 > read[20, 8, 0]


@pytest.mark.parametrize("suffix", ["png", "bmp", "webp", "tif", "jpg"])
def test_large_images_are_read(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch):
    Image.fromarray(np.full((20, 30, 3), 90, np.uint8)).save(tmp_path / f"a.{suffix}")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)  # what Pillow would refuse
    assert abs(colours(tmp_path / f"a.{suffix}").astype(int) - 90).max() <= 3


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array([[0, 65535], [32768, 257]], np.uint16), [[0, 255], [128, 1]]),
        (np.array([[-1.0, 3.0], [1.0, np.nan]], np.float32), [[0, 255], [128, 0]]),
        (np.array([[0, 255], [7, 8]], np.uint8), [[0, 255], [7, 8]]),
    ],
    ids=["16 bits", "real numbers", "8 bits"],
)
def test_values_of_any_type_become_8_bits(tmp_path: Path, array, expected):
    import tifffile

    tifffile.imwrite(tmp_path / "a.tif", array)
    read = colours(tmp_path / "a.tif")
    np.testing.assert_array_equal(read, np.repeat(np.array(expected)[..., None], 3, axis=-1))


def test_stacks_are_no_images(tmp_path: Path):
    import tifffile

    tifffile.imwrite(tmp_path / "a.tif", np.zeros((5, 8, 9), np.uint16))
    with pytest.raises(ValueError, match=r"Expected an image, got a\.tif in .*a stack of shape \(5, 8, 9\)"):
        load_images(tmp_path, short_side=10)

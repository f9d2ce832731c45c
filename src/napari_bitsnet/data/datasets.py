"""Folders and zips of images, packed into one small file of 8-bit pixels for training."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}


@dataclass(frozen=True)
class PackedImages:
    """Many RGB images in one array.

    Parameters
    ----------
    pixels : uint8 array of shape (P,)
        All images, one after another, each (Y, X, 3) in C order.
    shapes : int64 array of shape (N, 2)
        Height and width of each image.
    """

    pixels: NDArray[np.uint8]
    shapes: NDArray[np.int64]

    def __post_init__(self) -> None:
        ends = np.cumsum(self.shapes.prod(axis=1) * 3)
        object.__setattr__(self, "_ends", ends)

    def __len__(self) -> int:
        return len(self.shapes)

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        """Return image `index`, (Y, X, 3)."""
        height, width = self.shapes[index]
        end = int(self._ends[index])  # type: ignore[attr-defined]
        return self.pixels[end - 3 * height * width : end].reshape(height, width, 3)

    def subset(self, indices: NDArray[np.integer]) -> PackedImages:
        """Return the images at `indices`, copied."""
        return pack(self[int(i)] for i in indices)


def pack(images: Iterator[NDArray[np.uint8]]) -> PackedImages:
    """Put (Y, X, 3) uint8 images into one array."""
    flat, shapes = [], []
    for image in images:
        flat.append(np.ascontiguousarray(image).reshape(-1))
        shapes.append(image.shape[:2])
    if not flat:
        raise ValueError("Expected at least one image, got none.")
    return PackedImages(np.concatenate(flat), np.array(shapes, dtype=np.int64))


def reserved_photos() -> frozenset[str]:
    """File names that training leaves out, because the benchmark scores on them."""
    text = files("napari_bitsnet.data").joinpath("reserved_photos.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))


def unreserved_photographs(folder: str | Path | None) -> list[Path]:
    """Return the ``*.jpg`` files of a folder, sorted, but those of `reserved_photos`; none without a folder."""
    reserved = reserved_photos()
    found = [] if folder is None else sorted(Path(folder).glob("*.jpg"))
    return [path for path in found if path.name not in reserved]


def load_images(source: Path, *, short_side: int, cache: Path | None = None) -> PackedImages:
    """Read a folder (with its sub-folders) or a zip of images, made small; see `read_images`."""
    reading = read_images(source, short_side=short_side, cache=cache)
    while True:
        try:
            next(reading)
        except StopIteration as end:
            return end.value


def read_images(
    source: Path, *, short_side: int, cache: Path | None = None
) -> Generator[tuple[int, int], None, PackedImages]:
    """Read a folder (with its sub-folders) or a zip of images, made small, one image at a time.

    Parameters
    ----------
    source : Path
        Folder or ``.zip``; files whose name is in `reserved_photos` are left out.
    short_side : int
        Images are reduced until their shorter side has this many pixels; smaller ones stay as they are.
    cache : Path, optional
        Folder for the packed pixels, so that the next call does not decode again.

    Yields
    ------
    tuple of int
        Images read and images in all; nothing where the packed pixels are found.

    Returns
    -------
    PackedImages

    Raises
    ------
    FileNotFoundError
        If there is no such folder or zip.
    ValueError
        If it holds no image, or one that cannot be read.
    """
    names = image_names(source)
    key = hashlib.sha256(f"{source.resolve()}|{source.stat().st_mtime_ns}|{short_side}".encode()).hexdigest()
    packed = None if cache is None else cache / f"{source.stem}-{short_side}-{key[:12]}.npz"
    if packed is not None and packed.exists():
        with np.load(packed) as arrays:
            return PackedImages(arrays["pixels"], arrays["shapes"])
    small = []
    for name, data in _contents(source, names):
        try:
            small.append(_shrink(data, short_side))
        except (OSError, SyntaxError):  # what Pillow raises for damaged files
            raise ValueError(
                f"Expected an image, got {name} in {source}, which cannot be read: take it away or copy it again."
            ) from None
        yield len(small), len(names)
    images = pack(iter(small))
    if packed is not None:
        packed.parent.mkdir(parents=True, exist_ok=True)
        np.savez(packed, pixels=images.pixels, shapes=images.shapes)
    return images


def image_names(source: Path) -> list[str]:
    """Return the paths of the images in a folder or zip, sorted, but those of `reserved_photos`; reads none.

    Raises
    ------
    FileNotFoundError
        If there is no such folder or zip.
    ValueError
        If it holds no image.
    """
    if not source.is_dir() and not zipfile.is_zipfile(source):
        raise FileNotFoundError(f"Expected a folder or a .zip of images, got {source}.")
    if source.is_dir():
        found = [path.relative_to(source).as_posix() for path in sorted(source.rglob("*"))]
    else:
        with zipfile.ZipFile(source) as archive:
            found = sorted(archive.namelist())
    reserved = reserved_photos()
    images = [n for n in found if Path(n).suffix.lower() in SUFFIXES and Path(n).name not in reserved]
    if not images:
        raise ValueError(f"Expected images ({', '.join(sorted(SUFFIXES))}) in {source}, found none.")
    return images


def _contents(source: Path, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Yield (path, contents) of the named files of a folder or zip."""
    if source.is_dir():
        for name in names:
            yield name, (source / name).read_bytes()
        return
    with zipfile.ZipFile(source) as archive:
        for name in names:
            yield name, archive.read(name)


def _shrink(data: bytes, short_side: int) -> NDArray[np.uint8]:
    with Image.open(BytesIO(data)) as opened:
        image = opened.convert("RGB")
    factor = short_side / min(image.size)
    if factor < 1:
        size = (round(image.width * factor), round(image.height * factor))
        image = image.resize(size, Image.Resampling.BOX)
    return np.asarray(image)

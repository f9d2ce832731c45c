"""Folders and zips of images, packed into one small file of 8-bit pixels for training."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
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


def load_images(source: Path, *, short_side: int, cache: Path | None = None) -> PackedImages:
    """Read a folder (with its sub-folders) or a zip of images, made small.

    Parameters
    ----------
    source : Path
        Folder or ``.zip``; files whose name is in `reserved_photos` are left out.
    short_side : int
        Images are reduced until their shorter side has this many pixels; smaller ones stay as they are.
    cache : Path, optional
        Folder for the packed pixels, so that the next call does not decode again.

    Raises
    ------
    FileNotFoundError
        If there is no such folder or zip.
    ValueError
        If it holds no image.
    """
    if not source.is_dir() and not zipfile.is_zipfile(source):
        raise FileNotFoundError(f"Expected a folder or a .zip of images, got {source}.")
    key = hashlib.sha256(f"{source.resolve()}|{source.stat().st_mtime_ns}|{short_side}".encode()).hexdigest()
    packed = None if cache is None else cache / f"{source.stem}-{short_side}-{key[:12]}.npz"
    if packed is not None and packed.exists():
        with np.load(packed) as arrays:
            return PackedImages(arrays["pixels"], arrays["shapes"])
    reserved = reserved_photos()
    images = pack(_shrink(data, short_side) for name, data in _image_files(source) if name not in reserved)
    if packed is not None:
        packed.parent.mkdir(parents=True, exist_ok=True)
        np.savez(packed, pixels=images.pixels, shapes=images.shapes)
    return images


def _image_files(source: Path) -> Iterator[tuple[str, bytes]]:
    """Yield (file name, contents), sorted by path."""
    found = False
    if source.is_dir():
        for path in sorted(p for p in source.rglob("*") if p.suffix.lower() in SUFFIXES):
            found = True
            yield path.name, path.read_bytes()
    else:
        with zipfile.ZipFile(source) as archive:
            for name in sorted(n for n in archive.namelist() if Path(n).suffix.lower() in SUFFIXES):
                found = True
                yield Path(name).name, archive.read(name)
    if not found:
        raise ValueError(f"Expected images ({', '.join(sorted(SUFFIXES))}) in {source}, found none.")


def _shrink(data: bytes, short_side: int) -> NDArray[np.uint8]:
    with Image.open(BytesIO(data)) as opened:
        image = opened.convert("RGB")
    factor = short_side / min(image.size)
    if factor < 1:
        size = (round(image.width * factor), round(image.height * factor))
        image = image.resize(size, Image.Resampling.BOX)
    return np.asarray(image)

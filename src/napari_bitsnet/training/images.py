"""Folders and zips of images, read once and packed into one small file of 8-bit pixels for training."""

from __future__ import annotations

import hashlib
import struct
import tempfile
import zipfile
from collections.abc import Generator, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_bitsnet.core.stages import telling
from napari_bitsnet.core.writing import atomically
from napari_bitsnet.data.datasets import PackedImages, pack, reserved_photos
from napari_bitsnet.io.read import read_image
from napari_bitsnet.training.few import warn_of_few
from napari_bitsnet.training.records import Progress

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}


def load_images(
    sources: Sequence[Path], *, short_side: int, cache: Path
) -> Generator[Progress, None, list[PackedImages]]:
    """Read several folders and zips, and tell how far it is; return the images of each. See `read_images`.

    Warns
    -----
    UserWarning
        If there are very few images; see `warn_of_few`.
    """
    packed = []
    for source in sources:
        reading = read_images(source, short_side=short_side, cache=cache)
        packed.append((yield from telling(reading, partial(_progress, source.name))))
    warn_of_few({"": sum(map(len, packed))})
    return packed


def _progress(name: str, counts: tuple[int, int]) -> Progress:
    return Progress(note=f"Reading {name}: {counts[0]} of {counts[1]} images…")


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
    for name, path in named_files(source, names):
        try:
            small.append(shrink(colours(path), short_side))
        except (OSError, ValueError, RuntimeError, SyntaxError, struct.error) as error:  # what decoders raise
            raise ValueError(
                f"Expected an image, got {name} in {source}, which cannot be read: take it away or copy it "
                f"again. ({error})"
            ) from None
        yield len(small), len(names)
    images = pack(iter(small))
    if packed is not None:
        packed.parent.mkdir(parents=True, exist_ok=True)
        with atomically(packed) as part, part.open("wb") as file:
            np.savez(file, pixels=images.pixels, shapes=images.shapes)
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


def colours(path: Path) -> NDArray[np.uint8]:
    """Return an image file as it is shown: upright, (Y, X, 3), integers of more bits and real numbers scaled
    to 8 bits.

    Raises
    ------
    ValueError
        If it cannot be read, or is a stack.
    """
    file = read_image(path).as_shown()
    array = file.channels_last
    has_channels = (file.axes is not None and "C" in file.axes) or (
        array.ndim == 3 and array.shape[-1] in (3, 4)
    )
    if array.ndim != 2 + has_channels:
        raise ValueError(f"expected one image, got a stack of shape {array.shape}")
    array = array[..., :3] if has_channels else array[..., None]
    if array.shape[-1] == 2:  # grey and another channel
        array = array[..., :1]
    return np.ascontiguousarray(np.broadcast_to(_eight_bits(array), (*array.shape[:2], 3)))


def shrink(image: NDArray[np.uint8], short_side: int) -> NDArray[np.uint8]:
    """Reduce an image (Y, X, 3) by averaging until its shorter side has `short_side` pixels; smaller ones
    stay."""
    height, width = image.shape[:2]
    factor = short_side / min(height, width)
    if factor >= 1:
        return image
    size = (round(width * factor), round(height * factor))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))


def _eight_bits(array: NDArray) -> NDArray[np.uint8]:
    """Scale integers by the range of their type, and real numbers by their own minimum and maximum; NaN
    becomes 0."""
    if array.dtype == np.uint8:
        return array
    values = array.astype(np.float64)
    if array.dtype == bool:
        low, high = 0.0, 1.0
    elif np.issubdtype(array.dtype, np.integer):
        low, high = float(np.iinfo(array.dtype).min), float(np.iinfo(array.dtype).max)
    else:
        finite = array[np.isfinite(array)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    scaled = np.nan_to_num((values - low) / ((high - low) or 1.0), posinf=1.0, neginf=0.0)
    return (255 * scaled.clip(0, 1)).round().astype(np.uint8)


def named_files(source: Path, names: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """Yield the name and a path of the named images of a folder or zip; those of a zip exist until the next
    one."""
    if source.is_dir():
        for name in names:
            yield name, source / name
        return
    with zipfile.ZipFile(source) as archive, tempfile.TemporaryDirectory() as folder:
        for name in names:
            path = Path(folder, "image").with_suffix(Path(name).suffix)
            path.write_bytes(archive.read(name))
            yield name, path

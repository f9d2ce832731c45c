"""Images of a folder, a zip or a file in their own units, plane by plane, for trainers that keep all bits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from napari_bitsnet.io.read import read_image
from napari_bitsnet.training.images import image_names, named_files


def read_planes(source: Path, *, colour: bool) -> Iterator[Tensor]:
    """Yield each image of a folder, a zip or a file as (1 or 3, Y, X), float32 in its own units.

    Raises
    ------
    OSError, ValueError
        If there is no image, or one cannot be read.
    """
    if is_stack(source):
        yield from _planes(source, colour)
        return
    for _, path in named_files(source, image_names(source)):
        yield from _planes(path, colour)


def _planes(path: Path, colour: bool) -> Iterator[Tensor]:
    file = read_image(path)
    array = file.channels_last
    axes = None if file.axes is None else file.axes.replace("C", "") + ("C" if "C" in file.axes else "")
    if axes is None:
        axes = "YXC" if array.ndim == 3 and array.shape[-1] in (3, 4) else "ZYX"[-array.ndim :]
    array = array if axes.endswith("C") else array[..., None]
    array = array[..., : 3 if array.shape[-1] >= 3 else 1]
    for plane in array.reshape(-1, *array.shape[-3:]):
        values = torch.from_numpy(np.ascontiguousarray(plane, dtype=np.float32)).permute(2, 0, 1)
        if not bool(torch.isfinite(values).all()):
            raise ValueError(
                f"Expected finite values, got missing or infinite ones in {path}: fill them first."
            )
        yield values.expand(3, -1, -1).contiguous() if colour else values.mean(dim=0, keepdim=True)


def is_stack(source: Path) -> bool:
    """Whether a source is an image or a stack (a file, a zarr folder), not a folder or zip of images."""
    suffix = source.suffix.lower()
    return (source.is_file() and suffix != ".zip") or (source.is_dir() and suffix == ".zarr")

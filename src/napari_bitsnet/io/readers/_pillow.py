"""Pictures that Pillow decodes, with what they say of their palette, orientation, pixel size and encoding."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.io.calibration import Calibration, from_tags
from napari_bitsnet.io.encoding import encoding_of_exif, encoding_of_profile
from napari_bitsnet.io.errors import decoding
from napari_bitsnet.io.exif import ORIENTATION, exif_pixel_size, exif_tags
from napari_bitsnet.io.image_file import ImageFile
from napari_bitsnet.io.opacity import grey_without_opacity
from napari_bitsnet.io.orientation import valid_orientation

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile as Picture

_AS_THEY_ARE = ("1", "L", "LA", "RGB", "RGBA", "I", "I;16", "F")
_INCH = 2


def read_picture(path: Path, plugin: type[Picture], *, lossy: bool = False) -> ImageFile:
    """Read a picture by the class of its format; not by Image.open, which refuses large ones.

    Raises
    ------
    UnreadableFile, DamagedFile
        If it cannot be decoded.
    """
    with decoding(path), plugin(path) as picture:
        info, animated = picture.info, getattr(picture, "is_animated", False)
        indices = np.asarray(picture) if picture.mode == "P" else None
        if picture.mode in _AS_THEY_ARE:
            array: NDArray = np.asarray(picture)
        else:
            array = np.asarray(picture.convert("RGBA" if "transparency" in info else "RGB"))
    stored = array.dtype
    if array.ndim == 3 and array.shape[-1] == 2:
        array = grey_without_opacity(array, 2)
    tags = exif_tags(info["exif"]) if "exif" in info else {}
    file = ImageFile(
        array,
        "YX" if array.ndim == 2 else "YXC",
        _pixel_size(info) or exif_pixel_size(tags),
        path,
        (f"{path.name} is animated; its first image is read.",) if animated else (),
        indices=indices,
        lossy=lossy,
        integers=None if array.dtype == stored else stored,
        encoding=encoding_of_profile(info.get("icc_profile")) or encoding_of_exif(tags),
    )
    return file.upright(valid_orientation(tags.get(ORIENTATION)), str(file.axes))


def _pixel_size(info: dict[Any, Any]) -> Calibration | None:
    x, y = info.get("dpi", (0, 0))
    return from_tags(x, y, _INCH)

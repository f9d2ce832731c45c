"""Tags of EXIF: how a picture is to be turned, how large its pixels are, and what its values mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_bitsnet.io.calibration import Calibration, from_tags

_OWN_TAGS = 34665  # of the directory that holds EXIF's own tags, beside TIFF's
ORIENTATION, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 274, 282, 283, 296
_UNKNOWN = (72.0, 72.0)
"""Per inch: EXIF 2.3 demands it where the resolution is not known, so it says nothing."""


def exif_tags(contents: bytes) -> Mapping[int, Any]:
    """Return the tags of an EXIF segment; none where it cannot be parsed, since the pixels are good
    without."""
    from PIL.Image import Exif

    exif = Exif()
    try:
        exif.load(contents)
        return {**dict(exif), **exif.get_ifd(_OWN_TAGS)}
    except Exception:  # Pillow raises anything
        return {}


def exif_pixel_size(tags: Mapping[int, Any]) -> Calibration | None:
    """Return the calibration that EXIF states; None for its 72 dots per inch."""
    if X_RESOLUTION not in tags or Y_RESOLUTION not in tags:
        return None
    unit = tags.get(RESOLUTION_UNIT, 2)
    found = from_tags(tags[X_RESOLUTION], tags[Y_RESOLUTION], unit)
    if found is not None and found.unit == "inch" and found.per_unit == _UNKNOWN:
        return None
    return found

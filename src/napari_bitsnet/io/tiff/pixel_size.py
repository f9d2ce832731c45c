"""How large a pixel of a TIFF is: OME's statement goes before ImageJ's and the tags'."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree

from napari_bitsnet.io.calibration import Calibration, from_sizes, from_tags, in_imagej, is_length, number_of

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage

_MICROMETRE = "µm"  # what OME's schema says where no unit stands


def pixel_size(tiff: TiffFile, page: TiffPage) -> Calibration | None:
    """Return the calibration of a page; None where the file says nothing (one pixel per no unit)."""
    pixels = _pixels(tiff)
    if pixels is not None:
        stated = from_sizes(_sizes(pixels))
        if stated is not None:
            return stated
    unit = page.tags.valueof("ResolutionUnit")
    # a second value is not part of the unit, and a pair of integers would be taken for a rational
    unit = unit[0] if isinstance(unit, tuple) and unit else unit
    by_tags = from_tags(page.tags.valueof("XResolution"), page.tags.valueof("YResolution"), unit)
    described = tiff.imagej_metadata
    return in_imagej(by_tags, described.get("unit"), described.get("spacing")) if described else by_tags


def invalid_size(tiff: TiffFile) -> str:
    """Return a size of OME's that is no length, as it stands in the file; empty if there is none."""
    pixels = _pixels(tiff)
    if pixels is None:
        return ""
    for axis, (size, _) in _sizes(pixels).items():
        if not is_length(number_of(size)):
            return f"PhysicalSize{axis} {size}"
    return ""


def _pixels(tiff: TiffFile) -> ElementTree.Element | None:
    try:
        return ElementTree.fromstring(tiff.ome_metadata).find(".//{*}Pixels") if tiff.ome_metadata else None
    except ElementTree.ParseError:
        return None


def _sizes(pixels: ElementTree.Element) -> dict[str, tuple[str, str]]:
    stated = {axis: pixels.get(f"PhysicalSize{axis}") for axis in "XYZ"}
    return {
        axis: (size, pixels.get(f"PhysicalSize{axis}Unit", _MICROMETRE).replace("μ", "µ"))
        for axis, size in stated.items()
        if size is not None
    }

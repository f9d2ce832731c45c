"""How large a pixel is: read from TIFF, ImageJ, OME, PNG and JPEG, and written back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

if TYPE_CHECKING:
    from tifffile import TiffFile

_TAG_UNITS = {2: "inch", 3: "cm"}  # TIFF 6.0, ResolutionUnit; 1 is "no absolute unit"
_UNIT_TAGS = {"inch": 2, "cm": 3}
_CENTIMETRES = {"nm": 1e-7, "micron": 1e-4, "µm": 1e-4, "um": 1e-4, "mm": 0.1, "m": 100.0}
_OME_NAMES = {"µm": "micron", "μm": "micron"}  # both Unicode letters occur; ImageJ's own name is ASCII


@dataclass(frozen=True)
class Calibration:
    """The resolution of an image.

    Parameters
    ----------
    per_unit : tuple of float
        Pixels per unit along x and y, as TIFF's XResolution and YResolution say it.
    unit : str
        ``"inch"``, ``"cm"``, ``"micron"``, …; empty if the file gives none.
    z_step : float, optional
        Distance between planes of a stack, in `unit`.
    """

    per_unit: tuple[float, float]
    unit: str = ""
    z_step: float | None = None

    @property
    def resolution_unit(self) -> int:
        """Value of TIFF's ResolutionUnit: 2 for inches, 3 for centimetres, else 1."""
        return _UNIT_TAGS.get(self.unit, 1)

    def tiff_tags(self) -> dict[str, Any]:
        """tifffile's ``resolution`` and ``resolutionunit``; lengths for which TIFF has no unit are put in centimetres."""
        if self.unit in _CENTIMETRES:
            x, y = (n / _CENTIMETRES[self.unit] for n in self.per_unit)
            return {"resolution": (x, y), "resolutionunit": _UNIT_TAGS["cm"]}
        return {"resolution": self.per_unit, "resolutionunit": self.resolution_unit}

    def imagej_metadata(self) -> dict[str, Any]:
        """The entries of ImageJ's image description: ``unit`` (in ASCII) and ``spacing``."""
        entries: dict[str, Any] = {}
        if self.unit:
            entries["unit"] = "".join(c if c.isascii() else f"\\u{ord(c):04X}" for c in self.unit)
        if self.z_step is not None:
            entries["spacing"] = self.z_step
        return entries

    def ome_metadata(self) -> dict[str, Any]:
        """The entries of OME's Pixels element: ``PhysicalSizeX`` … with their units; nothing without a unit."""
        unit = {"micron": "µm", "inch": "in"}.get(self.unit, self.unit)
        if not unit:
            return {}
        sizes = {"X": 1 / self.per_unit[0], "Y": 1 / self.per_unit[1]}
        if self.z_step is not None:
            sizes["Z"] = self.z_step
        return {f"PhysicalSize{a}": size for a, size in sizes.items()} | {
            f"PhysicalSize{a}Unit": unit for a in sizes
        }


def read_calibration(tiff: TiffFile) -> Calibration | None:
    """Return the calibration of a TIFF file's first image; OME's statement goes before ImageJ's and the tags'.

    Returns
    -------
    Calibration or None
        None where the file says nothing (one pixel per no unit).
    """
    if tiff.ome_metadata:
        calibration = _from_ome(tiff.ome_metadata)
        if calibration is not None:
            return calibration
    tags = tiff.pages.first.tags
    per_unit = (_rational(tags.valueof("XResolution")), _rational(tags.valueof("YResolution")))
    unit = _TAG_UNITS.get(int(tags.valueof("ResolutionUnit", 2)), "")
    z_step = None
    if tiff.imagej_metadata:
        unit = str(tiff.imagej_metadata.get("unit") or unit)
        spacing = tiff.imagej_metadata.get("spacing")
        z_step = None if spacing is None else float(spacing)
    if 0 in per_unit or (per_unit == (1, 1) and unit in ("", "pixel") and z_step is None):
        return None
    return Calibration(per_unit, unit, z_step)


def _rational(value: tuple[int, int] | None) -> float:
    """Return numerator over denominator; 0 if the tag is missing or broken."""
    if value is None or value[1] == 0:
        return 0.0
    return value[0] / value[1]


def _from_ome(xml: str) -> Calibration | None:
    try:
        pixels = ElementTree.fromstring(xml).find(".//{*}Pixels")
    except ElementTree.ParseError:
        return None
    if pixels is None or pixels.get("PhysicalSizeX") is None:
        return None
    x = float(pixels.get("PhysicalSizeX", 0))
    y = float(pixels.get("PhysicalSizeY", x))
    z = pixels.get("PhysicalSizeZ")
    if x <= 0 or y <= 0:
        return None
    unit = pixels.get("PhysicalSizeXUnit", "µm")  # the schema's default
    return Calibration((1 / x, 1 / y), _OME_NAMES.get(unit, unit), None if z is None else float(z))

"""How large a pixel is, and how files say it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Any

_TAG_UNITS = {2: "inch", 3: "cm"}  # TIFF 6.0, ResolutionUnit; 1 is "no absolute unit"
_UNIT_TAGS = {"inch": 2, "cm": 3}
_CENTIMETRES = {
    **{
        "pm": 1e-10,
        "Å": 1e-8,
        "nm": 1e-7,
        "µm": 1e-4,
        "um": 1e-4,
        "micron": 1e-4,
        "microns": 1e-4,
        "mm": 0.1,
    },
    **{"cm": 1.0, "dm": 10.0, "m": 100.0, "km": 1e5, "in": 2.54, "inch": 2.54, "thou": 2.54e-3, "ft": 30.48},
}
_NAMES = {
    "µm": "micron",
    "μm": "micron",
    "in": "inch",
}  # both Unicode letters occur; ImageJ's own name is ASCII
_NO_UNIT = ("", "pixel", "pixels")


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
    affine : tuple of 4 tuples of 4 floats, optional
        NIfTI's, from the indices (X, Y, Z, 1) of a pixel to its place in space; only NIfTI files hold it.
    """

    per_unit: tuple[float, float]
    unit: str = ""
    z_step: float | None = None
    affine: tuple[tuple[float, ...], ...] | None = None

    @property
    def resolution_unit(self) -> int:
        """Value of TIFF's ResolutionUnit: 2 for inches, 3 for centimetres, else 1."""
        return _UNIT_TAGS.get(self.unit, 1)

    def transposed(self) -> Calibration:
        """Return the calibration of the image with rows and columns exchanged."""
        return replace(self, per_unit=self.per_unit[::-1], affine=None)

    def sliced(self, start: int, step: int) -> Calibration:
        """Return the calibration of every `step`-th plane of the stack from `start` on."""
        affine = self.affine
        if affine is not None:
            affine = tuple((*row[:2], row[2] * step, row[3] + row[2] * start) for row in affine)
        return replace(self, z_step=None if self.z_step is None else abs(step) * self.z_step, affine=affine)

    def tiff_tags(self) -> dict[str, Any]:
        """tifffile's ``resolution`` and ``resolutionunit``; lengths for which TIFF has no unit are put in
        centimetres."""
        if self.unit not in _UNIT_TAGS and self.unit in _CENTIMETRES:
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
        """The entries of OME's Pixels element: ``PhysicalSizeX`` … with their units; nothing without a
        unit."""
        unit = {"micron": "µm", "inch": "in"}.get(self.unit, self.unit)
        if not unit:
            return {}
        sizes = {"X": 1 / self.per_unit[0], "Y": 1 / self.per_unit[1]}
        if self.z_step is not None:
            sizes["Z"] = self.z_step
        return {f"PhysicalSize{a}": size for a, size in sizes.items()} | {
            f"PhysicalSize{a}Unit": unit for a in sizes
        }


def from_tags(x: Any, y: Any, unit: Any) -> Calibration | None:
    """Return what XResolution, YResolution and ResolutionUnit (282, 283, 296) of TIFF or EXIF say, of
    whatever type.

    Parameters
    ----------
    x, y : number or tuple or None
        Pixels per unit: a rational as numerator and denominator, or any number.
    unit : int or tuple or None
        2 inches, the default; 3 centimetres.

    Returns
    -------
    Calibration or None
        None where a value is missing or no finite positive number, and for one pixel per no unit.
    """
    per_unit = (number_of(x), number_of(y))
    known = _TAG_UNITS.get(int(number_of(unit)), "") if unit is not None else "inch"
    return checked(Calibration(per_unit, known))


def from_sizes(sizes: dict[str, tuple[Any, str]]) -> Calibration | None:
    """Return what sizes of a pixel say, each in a unit of its own.

    Parameters
    ----------
    sizes : dict
        ``{"X": (size, unit)}`` and, as far as they are known, Y (else as X) and Z.

    Returns
    -------
    Calibration or None
        In the unit of X. None where the sizes of X and Y are no finite positive lengths; without
        a step where that of Z is none.
    """
    if "X" not in sizes:
        return None
    x, unit = number_of(sizes["X"][0]), sizes["X"][1]
    if unit not in _CENTIMETRES:  # pixel, reference frame: no lengths
        return None

    def along(axis: str) -> float:
        size, own = number_of(sizes[axis][0]), sizes[axis][1]
        if own == unit:
            return size
        converted = size * _CENTIMETRES.get(own, math.nan) / _CENTIMETRES[unit]
        return float(f"{converted:.12g}")  # without the last bits that the conversion adds

    y = along("Y") if "Y" in sizes else x
    if not (is_length(x) and is_length(y)):
        return None
    z = along("Z") if "Z" in sizes else math.nan
    return Calibration((1 / x, 1 / y), _NAMES.get(unit, unit), z if is_length(z) else None)


def in_imagej(calibration: Calibration | None, unit: Any, spacing: Any) -> Calibration | None:
    """Put ImageJ's unit and spacing of planes over what the tags say.

    Parameters
    ----------
    calibration : Calibration or None
        From the tags; None where they say nothing.
    unit, spacing : object
        Of the image description; None where it has none.
    """
    base = calibration or Calibration((1.0, 1.0))
    known = re.sub(
        r"\\u([0-9A-Fa-f]{4})", lambda found: chr(int(found[1], 16)), str(unit or base.unit)
    ).strip()
    z_step = number_of(spacing)
    if known in _NO_UNIT and base.per_unit == (1, 1) and z_step in (0.0, 1.0):
        return None  # ImageJ's defaults
    known = _NAMES.get(known, known)
    return checked(Calibration(base.per_unit, known, z_step if is_length(z_step) else None))


def checked(calibration: Calibration) -> Calibration | None:
    """Return the calibration, or None if it says nothing: no finite positive numbers, or one pixel per no
    unit."""
    per_unit = calibration.per_unit
    if not all(map(is_length, per_unit)):
        return None
    if per_unit == (1, 1) and calibration.unit in _NO_UNIT and calibration.z_step is None:
        return None
    return calibration


def is_length(value: float) -> bool:
    """Whether it is a finite positive number, and so is its inverse."""
    return math.isfinite(value) and value > 0 and math.isfinite(1 / value)


def number_of(value: Any) -> float:
    """Return a tag's value as a number; 0 if it is missing or broken.

    Tuples of two are rationals if they hold integers; of any other tuple the first counts.
    """
    try:
        if isinstance(value, tuple):
            if len(value) == 2 and all(type(part) is int for part in value):
                return value[0] / value[1]
            value = value[0]
        return float(value)
    except (TypeError, ValueError, ZeroDivisionError, IndexError, OverflowError):
        return 0.0

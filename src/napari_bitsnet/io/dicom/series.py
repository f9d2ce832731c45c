"""Files of one examination as stacks: those of one series, in the order of their places in space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_bitsnet.io.calibration import number_of
from napari_bitsnet.io.errors import UnreadableFile
from napari_bitsnet.io.stack import in_order

if TYPE_CHECKING:
    from pydicom import Dataset

NEEDED = [
    "SeriesInstanceUID",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "InstanceNumber",
    "Rows",
    "Columns",
]
_EVEN = 0.01
"""Part of the distance between slices by which one may differ and still count as the same."""


@dataclass(frozen=True)
class Series:
    """Files of one series in order; `step` is the distance between slices in mm, None where it is not known
    or not one."""

    paths: tuple[Path, ...]
    step: float | None
    uneven: bool


def split(headers: Sequence[tuple[Path, Dataset]]) -> list[Series]:
    """Return the series of files, the one with the most files first.

    Parameters
    ----------
    headers : sequence of (Path, Dataset)
        With the elements that `NEEDED` names.
    """
    groups: dict[object, list[tuple[Path, Dataset]]] = {}
    for path, header in headers:
        key = (header.get("SeriesInstanceUID"), header.get("Rows"), header.get("Columns"))
        groups.setdefault(key, []).append((path, header))
    found = [_ordered(group) for group in groups.values()]
    return sorted(found, key=lambda series: -len(series.paths))


def choose(found: Sequence[Series], number: int | None, place: Path) -> tuple[Series, tuple[str, ...]]:
    """Return series `number`, or the first, with what to say about the others.

    Raises
    ------
    UnreadableFile
        If there is none of that number.
    """
    if number is not None and number >= len(found):
        raise UnreadableFile(
            f"a series from 0 to {len(found) - 1}", f"series {number} of {place}", "choose another"
        )
    told = []
    if number is None and len(found) > 1:
        sizes = ", ".join(str(len(series.paths)) for series in found)
        told.append(
            f"{place.name} holds {len(found)} series of {sizes} files, of which the first is read; choose "
            "another with series."
        )
    chosen = found[number or 0]
    if chosen.uneven:
        told.append(
            f"{place.name}: its slices do not lie at equal distances (some may be missing); no distance is "
            "kept."
        )
    return chosen, tuple(told)


def _ordered(group: Sequence[tuple[Path, Dataset]]) -> Series:
    places = [_place(header) for _, header in group]
    if any(place is None for place in places):
        by_name = {path: k for k, path in enumerate(in_order([path for path, _ in group]))}
        ordered = sorted(
            group, key=lambda entry: (number_of(entry[1].get("InstanceNumber")), by_name[entry[0]])
        )
        return Series(tuple(path for path, _ in ordered), None, False)
    known = sorted(
        (float(place), path) for place, (path, _) in zip(places, group, strict=True) if place is not None
    )
    steps = np.diff([place for place, _ in known])
    even = len(steps) > 0 and steps.min() > 0 and np.ptp(steps) <= _EVEN * np.median(steps)
    step = float(f"{np.mean(steps):.9g}") if even else None
    return Series(tuple(path for _, path in known), step, uneven=len(steps) > 0 and not even)


def _place(header: Dataset) -> float | None:
    """Distance of a slice from the origin along its normal, mm."""
    position, directions = header.get("ImagePositionPatient"), header.get("ImageOrientationPatient")
    if position is None or directions is None or len(position) != 3 or len(directions) != 6:
        return None
    rows, columns = np.reshape([float(n) for n in directions], (2, 3))
    place = float(np.cross(rows, columns) @ [float(n) for n in position])
    return place if np.isfinite(place) else None

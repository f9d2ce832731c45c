"""Files opened and saved by napari itself, in formats for which it has no reader or writer that keeps values
and sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_bitsnet.api.files import read, save
from napari_bitsnet.io.calibration import Calibration
from napari_bitsnet.io.image_file import ImageFile

_UNITS = {"micron": "um", "inch": "inch"}
LayerData = tuple[Any, dict[str, Any], str]


def get_reader(path: str | list[str]) -> Callable[[str | list[str]], list[LayerData]] | None:
    """Return a function that reads a path, as npe2 asks for it; None for what napari gives in pieces."""
    return None if isinstance(path, list) and len(path) != 1 else open_file


def open_file(path: str | list[str]) -> list[LayerData]:
    """Return a file as image layer with the size of its pixels; a pyramid as multiscale layer, read where it
    is looked at.

    Raises
    ------
    ValueError
        If it cannot be read; napari shows the message.
    """
    import warnings

    name = path[0] if isinstance(path, list) else path
    file = read(name)
    for notice in file.notices:
        warnings.warn(notice, stacklevel=2)
    letters, rgb = file.axes, bool(file.axes and "C" in file.axes and not file.doubt)
    levels = [file.array, *file.levels]
    if letters is not None and rgb:
        levels = [_channels_last(level, letters.index("C")) for level in levels]
        letters = letters.replace("C", "")
    about: dict[str, Any] = {"name": Path(name).name, "rgb": rgb}
    if letters is not None:
        about |= _geometry(file, letters)
    if len(levels) > 1:
        about["multiscale"] = True
    return [(levels if len(levels) > 1 else levels[0], about, "image")]


def save_image(path: str, data: Any, about: Mapping[str, Any]) -> list[str]:
    """Write an image layer in the format of the path's ending, as npe2 asks for it; of a pyramid the full
    size.

    Raises
    ------
    ValueError
        If the format does not hold it.
    """
    full = data[0] if about.get("multiscale") else data
    n_stack = full.ndim - 2 - bool(about.get("rgb"))
    axes = f"{'TZ'[2 - n_stack :] if n_stack <= 2 else ''}YX{'C' if about.get('rgb') else ''}"
    scale, units = [float(size) for size in about["scale"]], about.get("units")
    unit = "" if units is None else f"{units[-1]:~}"
    calibration = None
    if unit not in ("", "pixel", "px"):
        calibration = Calibration((1 / scale[-1], 1 / scale[-2]), unit, scale[-3] if "Z" in axes else None)
    # napari has asked whether a file that is there is to be replaced
    return [str(save(path, full, axes=axes, calibration=calibration, overwrite=True))]


def _channels_last(array: Any, at: int) -> Any:
    return array.transpose([*(k for k in range(array.ndim) if k != at), at])


def _geometry(file: ImageFile, letters: str) -> dict[str, Any]:
    """Scale and units of every dimension; nothing where the file does not state them."""
    size = file.calibration
    if size is None or not size.unit:
        return {}
    if size.z_step is None:
        size = replace(size, z_step=1.0)
    steps = {"X": 1 / size.per_unit[0], "Y": 1 / size.per_unit[1], "Z": size.z_step}
    unit = _UNITS.get(size.unit, size.unit)
    known = "XY" if file.calibration is None or file.calibration.z_step is None else "XYZ"
    return {
        "scale": [steps[a] if a in known else 1.0 for a in letters],
        "units": [unit if a in known else "pixel" for a in letters],
    }

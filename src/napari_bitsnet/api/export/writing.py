"""One image to a file of any format that there is a writer for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from napari_bitsnet.api.export.strict_json import strict_json
from napari_bitsnet.io.calibration import Calibration
from napari_bitsnet.io.writers import WRITERS, FormatName, known_axes


def write_image(
    path: Path,
    image: Any,
    axes: str,
    calibration: Calibration | None = None,
    *,
    format: FormatName = "imagej",
    record: Mapping[str, Any] | None = None,
    labels: bool = False,
    suffix: str = "",
) -> None:
    """Write one image.

    Parameters
    ----------
    path : Path
        Where to; its name need not have the format's ending.
    image : array
        Any layout; integers that the format holds stay, all else becomes float32. A dask array is written
        piece by piece where the format is a folder.
    axes : str
        One letter a dimension. Letters other than T, Z, C, Y, X take the place of Z or T where these are
        free; where they are not, only ``"imagej"`` writes them, as a plain TIFF.
    calibration : Calibration, optional
        How large a pixel is.
    format : str
        Name of the writer.
    record : mapping, optional
        Provenance, kept as JSON inside.
    labels : bool
        Whether values are labels, of which smaller copies have no means.
    suffix : str
        Ending of the name that the file is to have; default the format's usual one.

    Raises
    ------
    ValueError
        If the format does not hold the axes, or its package is not installed.
    """
    writer = WRITERS.get(format)
    lazy = hasattr(image, "dask") and writer.is_folder
    image = image if lazy else np.asarray(image)
    if image.dtype.name not in writer.integers:
        image = image.astype(np.float32) if lazy else image.astype(np.float32, copy=False)
    text = None if record is None else strict_json(record)
    ending = suffix or writer.suffixes[0]
    writer.write(path, image, known_axes(axes), calibration, record=text, labels=labels, suffix=ending)


def try_writing(axes: str, calibration: Calibration | None = None, *, format: FormatName) -> None:
    """See that a format holds axes and a pixel size, by writing one pixel to a place of its own.

    Raises
    ------
    Exception
        Whatever the writer raises.
    """
    with TemporaryDirectory() as folder:
        write_image(
            Path(folder) / "a", np.zeros((1,) * len(axes), np.float32), axes, calibration, format=format
        )

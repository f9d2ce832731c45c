"""Read and write single image files, of every format that there is a reader or writer for."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_bitsnet.api.export.folders import check_writable
from napari_bitsnet.api.export.pixel_size import writable_calibration
from napari_bitsnet.api.export.space import SLACK, check_space, telling_what_is_missing
from napari_bitsnet.api.export.writing import write_image
from napari_bitsnet.core.arrays import as_array
from napari_bitsnet.core.images import plane_axes
from napari_bitsnet.core.writing import together
from napari_bitsnet.io.calibration import Calibration
from napari_bitsnet.io.image_file import ImageFile
from napari_bitsnet.io.read import files_of, read_image, would_read
from napari_bitsnet.io.writers import format_of


def read(
    path: str | Path, *, series: int | None = None, page: int | None = None, slices: str = ""
) -> ImageFile:
    """Read an image file, an OME-Zarr folder, a folder of slices or a pattern of files.

    Parameters
    ----------
    path : str or Path
        The contents, not the suffix, decide how it is read; see the page "Files" of the documentation.
    series : int, optional
        Which of several images, from 0; default the first.
    page : int, optional
        Which page of a file, from 0: a single plane.
    slices : str, optional
        Which slices of a stack, as Python counts: ``"5"``, ``"10:20"``, ``"::2"``.

    Returns
    -------
    ImageFile
        ``array`` in the file's own values and type, ``axes``, ``calibration`` (size of a pixel),
        ``encoding``, ``notices``.

    Raises
    ------
    FileNotFoundError, ValueError
        If it cannot be read; the message says why.
    """
    return read_image(path, series=series, page=page, slices=slices)


def save(
    path: str | Path,
    image: Any,
    *,
    axes: str | None = None,
    like: ImageFile | None = None,
    calibration: Calibration | None = None,
    record: Mapping[str, Any] | None = None,
    labels: bool = False,
    overwrite: bool = False,
) -> Path:
    """Write one image; it takes its place as a whole, or nothing changes.

    Parameters
    ----------
    path : str or Path
        Its ending says the format: ``.tif`` (ImageJ), ``.ome.tif``, ``.nii.gz``, ``.nii``, ``.ome.zarr`` or
        ``.zarr``.
    image : array-like
        Integers that the format holds stay, all else becomes float32. Masked places (`numpy.ma`) become NaN,
        of labels 0. A dask array is written to OME-Zarr piece by piece.
    axes : str, optional
        One letter a dimension; default those of `like`, else ``"YX"`` or ``"YXC"``.
    like : ImageFile, optional
        Takes the size of a pixel (with the affine of a NIfTI file) from the file that was read.
    calibration : Calibration, optional
        The size of a pixel, in place of that of `like`.
    record : mapping, optional
        Provenance, such as `Result.provenance`, kept inside as JSON.
    labels : bool
        Whether values are labels, of which a pyramid takes no means.
    overwrite : bool
        Whether a file that is there is replaced; never that of `like`.

    Returns
    -------
    Path
        Absolute.

    Raises
    ------
    TypeError
        If the image holds no real numbers.
    ValueError
        If no format has the ending, the format does not hold the axes, float32 not the values, the folder
        cannot be written to, or something is there.
    OSError
        If it cannot be written, `NoSpaceError` where the disk is full; what was there is then as it was.

    Warns
    -----
    UserWarning
        If the size of a pixel is no finite number above 0; it is left out.
    """
    path = Path(path).expanduser().absolute()
    format, suffix = format_of(path.name)
    image = _real(image, labels)
    given = axes or (like.axes if like is not None and like.axes and len(like.axes) == image.ndim else None)
    letters = plane_axes(tuple(image.shape), given)
    folder = check_writable(path.parent)
    _check_place(path, like, overwrite)
    size = calibration if calibration is not None or like is None else like.calibration
    size, notices = writable_calibration(size, format)
    needed = int(image.size) * min(int(image.dtype.itemsize), 4) * 4 // 3 + SLACK
    check_space(folder, needed)
    with together(folder) as files, telling_what_is_missing(files, needed):
        write_image(
            files.part(path.name),
            image,
            letters,
            size,
            format=format,
            record=record,
            labels=labels,
            suffix=suffix,
        )
    for text in notices:
        warnings.warn(text, stacklevel=2)
    return path


def _real(image: Any, labels: bool) -> Any:
    """Return an image of real numbers that float32 holds; dask arrays stay as they are, unless they are
    masked."""
    if hasattr(image, "dask") and not np.ma.isMaskedArray(image._meta):
        return image
    image = as_array(image, labels=labels)
    if image.dtype.kind not in "biuf":
        raise TypeError(
            f"Expected real numbers, got {image.dtype}: save parts, such as its magnitude, apart."
        )
    if image.dtype.kind == "f" and image.dtype.itemsize > 4:
        largest = np.max(np.abs(image), initial=0, where=np.isfinite(image))
        if largest > np.finfo(np.float32).max:
            raise ValueError(
                f"Expected values that float32 holds, got up to {largest:g}: divide them by a constant."
            )
    return image


def _check_place(path: Path, like: ImageFile | None, overwrite: bool) -> None:
    """See that nothing is replaced that is to stay, and nothing is put into a folder that was read."""
    read = [] if like is None else [file.resolve() for file in (like.path, *files_of(like.path))]
    place = path.resolve()
    within = like is not None and would_read(like.path, place.parent, [place.name])
    if within or any(file == place or place in file.parents for file in read):
        raise ValueError(
            f"Expected another file than the one that was read, got {path}: choose another name."
        )
    if path.exists() and not overwrite:
        raise ValueError(
            f"Expected a new file, got {path}, which exists: choose another name, or overwrite=True."
        )

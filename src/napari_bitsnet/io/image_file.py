"""An image as its file gives it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.io.calibration import Calibration
from napari_bitsnet.io.encoding import Encoding
from napari_bitsnet.io.orientation import is_transposed, orientation_notice, upright


@dataclass(frozen=True)
class ImageFile:
    """An image as its file gives it.

    Parameters
    ----------
    array : ndarray
        The file's own range and type; floating where pixels are missing, which are NaN. A dask array of
        formats that are read piece by piece (zarr).
    axes : str or None
        One letter a dimension, channels C: ``"YX"``, ``"YXC"``, ``"ZYX"``, ``"CYX"``, …; None where the file
        does not name them. Three channels are colours; of four, the last is opacity unless `doubt` says
        otherwise.
    calibration : Calibration or None
        How large a pixel is, if the file says so.
    path : Path
        Where it was read from, absolute.
    notices : tuple of str
        What was changed or left out on reading, for the user to know.
    doubt : str
        Why the channels cannot be taken for colours, as a sentence that says what to do; empty where they
        can.
    indices : ndarray or None
        What the file stores where `array` holds the colours that a palette gives them: labels are these.
    lossy : bool
        Whether the compression changed values, as JPEG's does.
    black : int or None
        The stored value that other programs show black, in files that say that white is zero; `array` is as
        stored.
    integers : dtype or None
        Type of the file's integers where missing pixels made `array` floating: its range tells white and
        saturation.
    encoding : {"srgb", "linear", "other"} or None
        Transfer curve of the values, as the file's ICC profile, EXIF or chunks state it; None where they do
        not.
    levels : tuple of array
        Smaller copies of `array` in a pyramid, each of half the size; empty where the file has none.
    """

    array: NDArray
    axes: str | None
    calibration: Calibration | None
    path: Path
    notices: tuple[str, ...] = ()
    doubt: str = ""
    indices: NDArray | None = None
    lossy: bool = False
    black: int | None = None
    integers: np.dtype | None = None
    encoding: Encoding | None = None
    levels: tuple[Any, ...] = ()

    @property
    def stored(self) -> np.dtype:
        """The type of the file's values."""
        return self.array.dtype if self.integers is None else self.integers

    @property
    def channels_last(self) -> NDArray:
        """The array with its channels, if any, as the last dimension: how guides, hints and masks are given.

        Raises
        ------
        ValueError
            If its channels cannot be taken for colours.
        """
        if self.doubt:
            raise ValueError(self.doubt)
        if self.axes is None or "C" not in self.axes:
            return self.array
        return np.moveaxis(self.array, self.axes.index("C"), -1)

    def upright(self, orientation: int, letters: str) -> ImageFile:
        """Return it as it is shown, with a notice; itself where it is stored so.

        Parameters
        ----------
        orientation : int
            EXIF's, 1 to 8.
        letters : str
            One a dimension of `array`, also where `axes` is None; of colours by a palette the last.
        """
        if orientation == 1:
            return self
        size = self.calibration
        return replace(
            self,
            array=upright(self.array, letters, orientation),
            indices=None if self.indices is None else upright(self.indices, letters[:-1], orientation),
            calibration=size.transposed() if size is not None and is_transposed(orientation) else size,
            notices=(*self.notices, orientation_notice(self.path.name, orientation)),
        )

    def with_stored_notice(self) -> ImageFile:
        """Add what to know where white is zero: the values are read as tifffile and napari read them."""
        if self.black is None:
            return self
        return replace(self, notices=(*self.notices, _as_stored(self.path)))

    def as_shown(self) -> ImageFile:
        """Return it with the brightness that other programs show, for photographs, masks and labels.

        Where white is zero, values are subtracted from the one that is shown black; measurements (mixtures)
        stay as stored.
        """
        if self.black is None:
            return self
        shown = (
            ~self.array if self.array.dtype == bool else (self.black - self.array).astype(self.array.dtype)
        )
        kept = tuple(notice for notice in self.notices if notice != _as_stored(self.path))
        told = (
            f"{self.path.name} says that white is zero; its values are inverted, as other programs show it."
        )
        return replace(self, array=shown, black=None, notices=(*kept, told))


def channels_doubt(path: Path, shape: tuple[int, ...], n_channels: int, opaque: bool) -> str:
    """Return why channels are no colours, if they are not; see `ImageFile.doubt`."""
    if n_channels in (1, 3) or (n_channels == 4 and opaque):
        return ""
    fourth = " and does not say that the fourth is opacity" if n_channels == 4 else ""
    return (
        f"Expected grey or colours (1 or 3 channels, with opacity or without), got {path.name} of shape "
        f"{shape}, which has {n_channels} channels{fourth}: save its colours as RGB, or name the channels' "
        "dimension with another letter, for example "
        'axes="ZYX" to take each by itself or, for several mixtures, axes="MYX".'
    )


def _as_stored(path: Path) -> str:
    return (
        f"{path.name} is shown inverted by other programs (its TIFF says that white is zero); its values are "
        "read as they are stored. For attenuation they must be large where much of the beam passed: compare "
        "a place beside the object."
    )

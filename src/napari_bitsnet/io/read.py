"""Image files to arrays: TIFF (plain, ImageJ, OME), PNG and JPEG, with axes and calibration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.io.calibration import Calibration, read_calibration

if TYPE_CHECKING:
    from PIL.Image import Image
    from tifffile import TiffFile

_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # classic and BigTIFF, little and big endian
_BITS = {"1": 1, "L": 8, "RGB": 8, "RGBA": 8, "I;16": 16, "I;16B": 16, "F": 32}  # modes Pillow keeps whole


@dataclass(frozen=True)
class ImageFile:
    """An image as its file gives it.

    Parameters
    ----------
    array : ndarray
        The file's own type and range.
    axes : str or None
        One letter a dimension, channels C: ``"YX"``, ``"YXC"``, ``"ZYX"``, ``"CYX"``, …; None where the file
        leaves a doubt, so that the user has to say.
    calibration : Calibration or None
        How large a pixel is, if the file says so.
    path : Path
        Where it was read from, absolute.
    notices : tuple of str
        What was left out on reading, for the user to know.
    """

    array: NDArray
    axes: str | None
    calibration: Calibration | None
    path: Path
    notices: tuple[str, ...] = ()

    @property
    def channels_last(self) -> NDArray:
        """The array with its channels, if any, as the last dimension: how guides, hints and masks are given."""
        if self.axes is None or "C" not in self.axes:
            return self.array
        return np.moveaxis(self.array, self.axes.index("C"), -1)


def present(path: str | Path) -> Path:
    """Return the absolute path of a file that there is.

    Raises
    ------
    FileNotFoundError
        If there is nothing of that name.
    """
    path = Path(path).expanduser().absolute()
    if not path.exists():
        raise FileNotFoundError(f"Expected an image file, got {path}, which does not exist: check the path.")
    return path


def read_image(path: str | Path) -> ImageFile:
    """Read one image file; its content, not its suffix, decides how.

    Parameters
    ----------
    path : str or Path
        TIFF (8, 16 and 32 bits, float; plain, ImageJ, OME), PNG (8 and 16 bits) or JPEG.

    Returns
    -------
    ImageFile

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is a folder, empty, truncated, damaged, of another format, or needs a package to decode.
    """
    path = present(path)
    if path.is_dir():
        raise ValueError(f"Expected an image file, got the folder {path}: name the files in it.")
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise ValueError(
            f"Expected a readable file, got {path} ({error.strerror}): check its rights."
        ) from error
    if not magic:
        raise ValueError(f"Expected an image, got {path}, which is empty (0 bytes): copy or export it again.")
    read = _read_tiff if magic in _TIFF_MAGIC else _read_picture
    try:
        return read(path)
    except _Undecodable as error:
        raise ValueError(f"Expected {error.expected}, got {path}: {error.advice}.") from None
    except Exception as error:  # damaged files make parsers raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(
            f"Expected a whole image file, got {path}, which is truncated or damaged ({reason}): "
            "copy or export it again."
        ) from error


def read_file_calibration(path: str | Path) -> Calibration | None:
    """Return how large a pixel is, without reading any.

    Parameters
    ----------
    path : str or Path
        TIFF, PNG or JPEG.

    Returns
    -------
    Calibration or None
        None where the file does not say.

    Raises
    ------
    OSError, ValueError
        If it is no such file.
    """
    with Path(path).open("rb") as file:
        magic = file.read(4)
    if magic in _TIFF_MAGIC:
        import tifffile

        with tifffile.TiffFile(path) as tiff:
            return read_calibration(tiff)
    from PIL import Image

    with Image.open(path, formats=("PNG", "JPEG")) as image:
        return _dpi(image)


class _Undecodable(Exception):
    """A file that may be whole, but cannot be read here."""

    def __init__(self, expected: str, advice: str) -> None:
        super().__init__(expected, advice)
        self.expected, self.advice = expected, advice


def declared_axes(tiff_axes: str, shape: tuple[int, ...]) -> str | None:
    """Translate tifffile's axes into ours.

    Parameters
    ----------
    tiff_axes : str
        tifffile's letters: S samples (colour), C channel, I sequence of pages, Q unknown, Z, T, …
    shape : tuple of int
        Length of each dimension.

    Returns
    -------
    str or None
        Colour samples become C. None where the file does not know (Q) or where C counts something
        other than colours.

    Examples
    --------
    >>> declared_axes("YXS", (64, 48, 3))
    'YXC'
    >>> declared_axes("QYX", (5, 64, 64)) is None
    True
    """
    if "S" in tiff_axes and "C" in tiff_axes:
        return None
    axes = tiff_axes.replace("S", "C")
    n_colours = shape[axes.index("C")] if "C" in axes else 3
    doubtful = "Q" in axes or n_colours not in (1, 3, 4) or len(set(axes)) < len(axes)
    return None if doubtful or not {"Y", "X"} <= set(axes) else axes


def _read_tiff(path: Path) -> ImageFile:
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        series = tiff.series[0]
        calibration = read_calibration(tiff)
        photometric = tiff.pages.first.photometric
        if photometric in (tifffile.PHOTOMETRIC.SEPARATED, tifffile.PHOTOMETRIC.CIELAB):
            raise _Undecodable(
                "grey values or RGB",
                f"convert it to RGB (its colours are {tifffile.PHOTOMETRIC(photometric).name})",
            )
        if photometric == tifffile.PHOTOMETRIC.PALETTE:  # values are indices into colours
            return _read_compressed(path, tiff)
        try:
            array = series.asarray()
        except ValueError as error:
            if "imagecodecs" in str(error):
                return _read_compressed(path, tiff)
            raise
        count = len(tiff.series)
        notices = []
        if count > 1:
            notices.append(f"{path.name} holds {count} images, of which the first is read.")
        if photometric == tifffile.PHOTOMETRIC.MINISWHITE:
            notices.append(_inverted(path))
        return ImageFile(array, declared_axes(series.axes, array.shape), calibration, path, tuple(notices))


def _inverted(path: Path) -> str:
    """What to know of a TIFF that shows small values bright; they are read as tifffile and napari read them."""
    return (
        f"{path.name} is shown inverted by other programs (its TIFF says that white is zero); its values are read as they are "
        "stored. For attenuation they must be large where much of the beam passed: compare a place beside the object."
    )


def _read_compressed(path: Path, tiff: TiffFile) -> ImageFile:
    """Read a TIFF that tifffile cannot decode by itself; Pillow can where it keeps the type whole."""
    import tifffile
    from PIL import Image

    page = tiff.pages.first
    with Image.open(path, formats=("TIFF",)) as image:
        image.load()
    whole = page.photometric == tifffile.PHOTOMETRIC.PALETTE or _BITS.get(image.mode) == page.bitspersample
    if len(tiff.pages) > 1 or not whole:
        raise _Undecodable(
            "a TIFF that can be decoded without further packages",
            f"pip install imagecodecs ({tifffile.COMPRESSION(page.compression).name} compression), or save it uncompressed",
        )
    array = _pillow_array(image)
    notices: tuple[str, ...] = ()
    if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        notices = (_inverted(path),)
        if image.mode in ("1", "L"):  # Pillow inverts these, and no others
            array = ~array
    return ImageFile(array, "YX" if array.ndim == 2 else "YXC", read_calibration(tiff), path, notices)


def _read_picture(path: Path) -> ImageFile:
    """Read PNG or JPEG."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path, formats=("PNG", "JPEG")) as image:
            image.load()
    except UnidentifiedImageError:
        raise _Undecodable(
            "a TIFF, PNG or JPEG file", "convert it to one of these, or copy it again if it should be one"
        ) from None
    notices: tuple[str, ...] = ()
    if image.format == "PNG" and image.mode in ("RGB", "RGBA") and _png_bit_depth(path) == 16:
        notices = (
            f"{path.name} is a PNG in colour, of whose 16 bits 8 are read: save it as TIFF to keep them.",
        )
    array = _pillow_array(image)
    return ImageFile(array, "YX" if array.ndim == 2 else "YXC", _dpi(image), path, notices)


def _dpi(image: Image) -> Calibration | None:
    dpi = image.info.get("dpi")
    return Calibration((float(dpi[0]), float(dpi[1])), "inch") if dpi and all(dpi) else None


def _pillow_array(image: Image) -> NDArray:
    """Return (Y, X), (Y, X, 3) or (Y, X, 4); palettes become the colours they stand for."""
    if image.mode in ("P", "LA", "PA"):
        opaque = image.mode == "P" and "transparency" not in image.info
        return np.asarray(image.convert("RGB" if opaque else "RGBA"))
    if image.mode == "I":  # how older versions of Pillow present 16-bit PNG
        return np.asarray(image).astype(np.uint16)
    if image.mode not in _BITS:  # CMYK, YCbCr, …
        return np.asarray(image.convert("RGB"))
    return np.asarray(image)


def _png_bit_depth(path: Path) -> int:
    with path.open("rb") as file:
        return file.read(25)[24]  # signature 8, length 4, "IHDR" 4, width 4, height 4, then the depth

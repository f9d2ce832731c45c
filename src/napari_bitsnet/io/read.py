"""Reads an image file of any format that there is a reader for."""

from __future__ import annotations

from pathlib import Path

from napari_bitsnet.io.calibration import Calibration
from napari_bitsnet.io.errors import UnreadableFile, unreadable
from napari_bitsnet.io.formats import format_name
from napari_bitsnet.io.image_file import ImageFile
from napari_bitsnet.io.readers import HEAD_BYTES, READERS, Reader


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
        TIFF (1 to 64 bits, integer or float; plain, ImageJ, OME, GeoTIFF; every compression that imagecodecs
        decodes), PNG (1 to 16 bits) or JPEG (8 and 12 bits), of any size that fits into the memory.

    Returns
    -------
    ImageFile
        As it is shown where the file gives an orientation, without associated opacity, and with NaN where GDAL's value
        for missing pixels stands.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is a folder, empty, truncated, damaged, of another format or colour space, a camera's raw file, or too large
        for the memory; the message says which.
    """
    path = present(path)
    head = _head(path)
    reader = _reader_of(path, head)
    if reader is None:
        name = format_name(head)
        what = f"{path}, a {name} file" if name else str(path)
        raise UnreadableFile(
            f"a {_titles()} file", what, "convert it to one of these, or copy it again if it should be one"
        )
    try:
        return reader.read(path)
    except UnreadableFile as error:
        if format_name(head) == "DICOM":  # its preamble may look like another format's
            raise UnreadableFile(
                f"a {_titles()} file",
                f"{path}, a DICOM file",
                "export it as TIFF with 16 bits, or read it with pydicom and pass the array in Python",
            ) from error
        raise


def read_file_calibration(path: str | Path) -> Calibration | None:
    """Return how large a pixel is as it is stored, without reading any.

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
    path = present(path)
    reader = _reader_of(path, _head(path))
    if reader is None:
        raise UnreadableFile(f"a {_titles()} file", path, "its pixel size cannot be read")
    return reader.calibration(path)


def _head(path: Path) -> bytes:
    """First bytes of a file; none of a folder."""
    if path.is_dir():
        return b""
    if not path.is_file():
        raise UnreadableFile(
            "a file", f"{path}, which is a pipe or a device", "save its contents to a file first"
        )
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise unreadable(path, error) from error
    if not head:
        raise ValueError(f"Expected an image, got {path}, which is empty (0 bytes): copy or export it again.")
    return head


def _reader_of(path: Path, head: bytes) -> Reader | None:
    """Return the first reader that recognises a file.

    Raises
    ------
    UnreadableFile
        For a folder that none recognises.
    """
    for name in READERS:
        reader = READERS.get(name)
        if reader.recognises(path, head):
            return reader
    if path.is_dir():
        raise UnreadableFile("an image file", f"the folder {path}", "name the files in it")
    return None


def _titles() -> str:
    """``"JPEG, PNG or TIFF"``: what can be read."""
    titles = [READERS.get(name).title for name in READERS]
    return ", ".join(titles[:-1]) + f" or {titles[-1]}"

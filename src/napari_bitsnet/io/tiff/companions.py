"""Files that a TIFF's OME metadata names: they must be there, and beside it."""

from __future__ import annotations

import ntpath
import os.path
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from napari_bitsnet.io.errors import UnreadableFile

if TYPE_CHECKING:
    from tifffile import TiffFile


def check_companions(tiff: TiffFile, path: Path) -> None:
    """See that all files of a multi-file OME-TIFF are there, before tifffile opens them.

    Raises
    ------
    UnreadableFile
        If one is missing, for which tifffile puts zeros; or if a name leads out of the file's folder.
    """
    names = _names(tiff.ome_metadata) if tiff.ome_metadata else []
    for name in names:
        if _leads_out(name):
            raise UnreadableFile(
                "an OME-TIFF whose parts lie in its own folder",
                f"{path}, which names {name!r}",
                "save it as one file, or see where it comes from",
            )
    missing = sorted(name for name in names if not (path.parent / name).is_file())
    if missing:
        raise UnreadableFile(
            "all files of a multi-file OME-TIFF",
            f"{path} without {', '.join(missing[:3])}{', …' if len(missing) > 3 else ''}",
            "copy them into its folder under their own names, or save it as one file",
        )


def _names(xml: str) -> list[str]:
    """Names of the other files; a file's own, which it may no longer have, goes with the identifier of the
    whole."""
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError:
        return []
    own = root.get("UUID")
    others = [uuid for uuid in root.iterfind(".//{*}TiffData/{*}UUID") if own is None or uuid.text != own]
    return list(dict.fromkeys(name for uuid in others if (name := uuid.get("FileName"))))


def _leads_out(name: str) -> bool:
    """Whether a relative name is none, or climbs above its folder, as POSIX or Windows read it."""
    if ntpath.splitdrive(name)[0] or name.startswith(("/", "\\")) or "\0" in name:
        return True
    return os.path.normpath(name.replace("\\", "/")).split("/")[0] == ".."

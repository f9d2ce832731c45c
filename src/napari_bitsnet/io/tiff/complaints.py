"""What tifffile only logs: missing parts become errors, the rest notices."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_bitsnet.io.errors import DamagedFile

_MISSING = re.compile(
    r"invalid (page )?offset|circular|corrupted|zeroed|truncated|incomplete|missing "
    r"(data|files|pages|byte)|failed to|"
    r"out of range|incorrect Strip|does not match page|discontiguous",
    re.IGNORECASE,
)
_HANDLED = "GDAL_NODATA"  # which is read here, also where tifffile cannot


class Complaints(logging.Filter):
    """Collects what tifffile logs in this thread, and keeps it from the terminal."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._thread = threading.get_ident()

    def filter(self, record: logging.LogRecord) -> bool:
        """Take a record; True leaves one of another thread, or below a warning, to the others."""
        if record.thread != self._thread or record.levelno < logging.WARNING:
            return True
        self.texts.append(re.sub(r"<[^>]*>\s*", "", record.getMessage()).strip())
        return False

    def check(self, path: Path) -> None:
        """See that nothing is missing.

        Raises
        ------
        DamagedFile
            With the first complaint about missing parts, for which tifffile puts zeros or leaves pages out.
        """
        for text in self.texts:
            if _MISSING.search(text) and _HANDLED not in text:
                raise DamagedFile(path, text)

    def notices(self, path: Path) -> tuple[str, ...]:
        """What else was said, once each."""
        said = dict.fromkeys(text for text in self.texts if _HANDLED not in text)
        return tuple(f"{path.name}: the TIFF library reports {text!r}." for text in said)


@contextmanager
def complaints() -> Iterator[Complaints]:
    """Listen to tifffile's logger for the duration of a block."""
    heard, logger = Complaints(), logging.getLogger("tifffile")
    logger.addFilter(heard)
    try:
        yield heard
    finally:
        logger.removeFilter(heard)

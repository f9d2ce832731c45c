"""Values that are remembered between sessions, in JSON files beside napari's settings; never images."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any, TypeVar

from qtpy.QtCore import QStandardPaths

from napari_bitsnet.api.export.strict_json import strict_json
from napari_bitsnet.core.writing import atomically

T = TypeVar("T")

LOG = logging.getLogger(__name__)


def folder() -> Path:
    """Return the folder of the files."""
    home = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.GenericConfigLocation)
    return Path(home) / "napari-bitsnet"


def recall(name: str) -> dict[str, Any]:
    """Return the remembered values under a name; {} without a readable file."""
    try:
        found = json.loads((folder() / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def entry(known: dict[str, Any], name: str, default: T) -> T:
    """Return the value under a name, or the default for a missing value or one of another type.

    The files are JSON that another version has written, or a person.
    """
    found = known.get(name, default)
    return found if isinstance(found, type(default)) else default


def remember(name: str, what: dict[str, Any]) -> None:
    """Remember values under a name, if the file can be written."""
    path = folder() / f"{name}.json"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomically(path) as part:
            part.write_text(strict_json(what, indent=1), encoding="utf-8")
    except OSError as error:
        LOG.info("%s was not remembered: %s", name, error)

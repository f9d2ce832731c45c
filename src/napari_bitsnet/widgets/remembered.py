"""What is remembered between sessions, as JSON files beside napari's own settings; never layers or images."""

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
    """Return where the files are."""
    home = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.GenericConfigLocation)
    return Path(home) / "napari-bitsnet"


def recall(name: str) -> dict[str, Any]:
    """Return what was remembered under a name; {} if there is nothing that can be read."""
    try:
        found = json.loads((folder() / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def entry(known: dict[str, Any], name: str, default: T) -> T:
    """Return what stands under a name, or the default where there is nothing, or something of another kind.

    The files are JSON that another version has written, or a person.
    """
    found = known.get(name, default)
    return found if isinstance(found, type(default)) else default


def remember(name: str, what: dict[str, Any]) -> None:
    """Write something down under a name; where that is not possible it is forgotten."""
    path = folder() / f"{name}.json"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomically(path) as part:
            part.write_text(strict_json(what, indent=1), encoding="utf-8")
    except OSError as error:
        LOG.info("%s was not remembered: %s", name, error)

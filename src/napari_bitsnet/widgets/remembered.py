"""What is remembered between sessions, as JSON files beside napari's own settings; never layers or images."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from qtpy.QtCore import QStandardPaths

LOG = logging.getLogger(__name__)


def folder() -> Path:
    """Return where the files are."""
    home = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.GenericConfigLocation)
    return Path(home) / "napari-bitsnet"


def recall(name: str) -> dict[str, Any]:
    """Return what was remembered under a name; {} if there is nothing that can be read."""
    try:
        found = json.loads((folder() / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def remember(name: str, what: dict[str, Any]) -> None:
    """Write something down under a name; where that is not possible it is forgotten."""
    path = folder() / f"{name}.json"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(what, indent=1), encoding="utf-8")
    except OSError as error:
        LOG.info("%s was not remembered: %s", name, error)

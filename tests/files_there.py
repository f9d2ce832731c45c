"""Files that are there before a run, for tests that see to it that none is replaced."""

from __future__ import annotations

import json
from pathlib import Path

READ = "both to read and to write: choose another folder"
FOREIGN = "which no record of a run lists: move what is there"
APART = "Expected outputs apart from what is read"
"""What is said of outputs that would replace an input or a foreign file, or lie among what is read."""


def record(folder: Path, name: str, *files: str, complete: bool = True) -> None:
    """Write the record of an earlier run that wrote some files."""
    (folder / name).write_text(json.dumps({"complete": complete, "files": dict(enumerate(files))}))


def contents(folder: Path) -> dict[str, bytes]:
    """Return what all files of a folder hold, by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}

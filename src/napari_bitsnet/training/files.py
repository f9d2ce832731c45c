"""Names of the files in the folder of a training, and the facts in them; loads no torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CHECKPOINT = "checkpoint.safetensors"
LOSSES = "losses.csv"
PICTURE = "held_out.png"
FILES = (CHECKPOINT, LOSSES, PICTURE)


def facts_of(path: Path) -> dict[str, Any]:
    """Return the facts at the beginning of a checkpoint or a file of weights; none if it is something else.

    The tensors are not read.
    """
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(min(size, 10_000_000)))
        facts = json.loads(header["__metadata__"]["facts"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return facts if isinstance(facts, dict) else {}

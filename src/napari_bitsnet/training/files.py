"""Names of the files that a training keeps in its folder."""

from __future__ import annotations

CHECKPOINT = "checkpoint.safetensors"
LOSSES = "losses.csv"
PICTURE = "held_out.png"
FILES = (CHECKPOINT, LOSSES, PICTURE)

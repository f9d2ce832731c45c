"""Names of the files in the folder of a training."""

from __future__ import annotations

CHECKPOINT = "checkpoint.safetensors"
LOSSES = "losses.csv"
PICTURE = "held_out.png"
FILES = (CHECKPOINT, LOSSES, PICTURE)

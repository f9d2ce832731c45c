"""Files of a training: nothing is replaced but those of the training that the command goes on with."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from napari_bitsnet.api.export.folders import check_writable
from napari_bitsnet.api.export.names import PossibleNames
from napari_bitsnet.api.export.overwriting import check_outputs, files_of
from napari_bitsnet.api.export.strict_json import strict_json
from napari_bitsnet.api.export.writing import atomically

RECORD = "training_run.json"
CHECKPOINT = "checkpoint.safetensors"
FILES = (CHECKPOINT, "losses.csv", "validation.png")
"""What a training keeps in its folder."""


def claim_training(out: Path, folder: Path, inputs: Iterable[Path | None]) -> None:
    """See that weights and checkpoints replace nothing that is not of this training, and leave a record of them.

    Parameters
    ----------
    out : Path
        The weights.
    folder : Path
        For checkpoints, loss curve and pictures.
    inputs : iterable of Path or None
        Folders, zips and weights that are read. Nothing is written into folders among them: the pictures would be trained on.

    Raises
    ------
    ValueError
        If the weights have another ending, or files would be replaced.
    """
    if out.suffix.lower() != ".safetensors":
        raise ValueError(
            f"Expected a file that ends in .safetensors after --out, got {out.name}: no other format is written."
        )
    read = [path for path in inputs if path is not None]
    place, own = check_writable(out.parent), check_writable(folder)
    goes_on = files_of(own / RECORD) is not None or _is_checkpoint(own / CHECKPOINT)
    names, ours = PossibleNames((*FILES, RECORD)), FILES if goes_on else ()
    check_outputs(own, names, inputs=read, records=[RECORD], ours=ours)
    check_outputs(place, PossibleNames((out.name,)), inputs=read, ours=[out.name] if goes_on else ())
    files = {f"file {k + 1}": name for k, name in enumerate(FILES)}
    with atomically(own / RECORD) as path:
        path.write_text(strict_json({"complete": True, "files": files}, indent=2) + "\n", encoding="utf-8")


def _is_checkpoint(path: Path) -> bool:
    """Whether a file holds the state of a training, by the facts at its beginning; torch is not needed for that."""
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(min(size, 10_000_000)))
        return "training" in json.loads(header["__metadata__"]["facts"])
    except (OSError, ValueError, KeyError, TypeError):
        return False

"""Train from start to end, for the command ``train`` and the dock "Train networks…"."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from napari_bitsnet.api.export.folders import check_writable, without_empty
from napari_bitsnet.api.export.names import PossibleNames
from napari_bitsnet.api.export.overwriting import check_outputs, files_of
from napari_bitsnet.api.export.strict_json import strict_json
from napari_bitsnet.core.networks.facts import facts_of
from napari_bitsnet.core.writing import atomically
from napari_bitsnet.training.files import CHECKPOINT, FILES
from napari_bitsnet.training.protocol import TRAINERS, Progress, TrainingConfig

SUFFIX = ".safetensors"
RECORD = "training_run.json"


def train(
    trainer: str,
    data: Mapping[str, Sequence[Path]],
    output: Path,
    config: TrainingConfig,
    *,
    folder: Path | None = None,
    device: str = "auto",
) -> Generator[Progress, None, None]:
    """Train step by step, and write the weights after each checkpoint and at the end.

    Parameters
    ----------
    trainer : str
        Name of the trainer; see `TRAINERS`.
    data : mapping of str to sequence of Path
        Folders and zips by the name of the input. Photographs that are reserved for scores are left out by
        name.
    output : Path
        File of the weights, ``.safetensors``. Closing the generator between two steps writes it as well. It
        stays as it is if the training was finished before.
    config : TrainingConfig
        Settings of the trainer.
    folder : Path, optional
        Folder for checkpoints, packed images, the loss curve and pictures. A training continues from a
        checkpoint in it, with the same trainer, data and settings; only those that every trainer has, such
        as the number of steps, may change. Default: the name of the output without its suffix.
    device : str
        As in `resolve_device`.

    Raises
    ------
    OSError, ValueError
        If the data cannot be used, the folder holds another training, or a file that is not of this training
        would be replaced; before any long work.
    """
    check_suffix(output)
    folder = training_folder(output) if folder is None else folder
    job = TRAINERS.get(trainer)(config, data, folder=folder, device=device)
    job.check()
    read = [path for paths in data.values() for path in paths]
    read += [value for value in dict(config).values() if isinstance(value, Path)]
    with without_empty(output.parent), without_empty(folder):
        claim_training(output, folder, read)
    has_begun = False
    try:
        with closing(job.steps()) as steps:  # type: ignore[type-var]
            for progress in steps:
                if progress.step:
                    # a training that was finished before was perhaps killed before it wrote its weights
                    written = progress.note and facts_of(output).get("steps") == progress.step
                    has_begun = has_begun or not written
                if progress.saved:
                    job.export(output)
                yield progress
        has_begun = has_begun or not output.is_file()
    finally:
        if has_begun:
            job.export(output)


def training_folder(output: Path) -> Path:
    """Return the default folder of a training, which has the name of its weights."""
    return output.with_suffix("")


def check_suffix(output: Path) -> None:
    """Check that the file of weights is a ``.safetensors`` file.

    Raises
    ------
    ValueError
        If not.
    """
    if output.suffix.lower() != SUFFIX:
        raise ValueError(
            f"Expected a file for the weights that ends in {SUFFIX}, got {output.name!r}: no other format is "
            "written."
        )


def claim_training(output: Path, folder: Path, inputs: Iterable[Path]) -> None:
    """Check that weights and checkpoints replace only files of this training, and write a record of them.

    Parameters
    ----------
    output : Path
        The weights.
    folder : Path
        Folder for checkpoints, the loss curve and pictures.
    inputs : iterable of Path
        Folders, zips and weights that are read. Nothing is written into these folders, because pictures in
        them would be used for training.

    Raises
    ------
    ValueError
        If files would be replaced.
    """
    read = list(inputs)
    place, own = check_writable(output.parent), check_writable(folder)
    goes_on = files_of(own / RECORD) is not None or "training" in facts_of(own / CHECKPOINT)
    names, ours = PossibleNames((*FILES, RECORD)), FILES if goes_on else ()
    check_outputs(own, names, inputs=read, records=[RECORD], ours=ours, data=read)
    check_outputs(
        place, PossibleNames((output.name,)), inputs=read, ours=[output.name] if goes_on else (), data=read
    )
    files = {f"file {k + 1}": name for k, name in enumerate(FILES)}
    with atomically(own / RECORD) as path:
        path.write_text(strict_json({"complete": True, "files": files}, indent=2) + "\n", encoding="utf-8")

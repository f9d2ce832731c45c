"""Inputs and settings of a training, checked before any long work; loads no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_bitsnet.api.training import check_suffix, training_folder
from napari_bitsnet.training.files import CHECKPOINT
from napari_bitsnet.training.protocol import TRAINERS, TrainingConfig


@dataclass(frozen=True)
class TrainingRequest:
    """Inputs and settings of a training.

    Parameters
    ----------
    trainer : str
        Name of the trainer.
    data : mapping of str to sequence of Path
        Folders and zips by the name of the input.
    output : Path
        File of the weights; checkpoints go to a folder of the same name.
    config : TrainingConfig
        Settings.
    device : str
        As in `resolve_device`.

    Raises
    ------
    ValueError
        If the output is not a ``.safetensors`` file.
    """

    trainer: str
    data: Mapping[str, Sequence[Path]]
    output: Path
    config: TrainingConfig
    device: str = "auto"

    def __post_init__(self) -> None:
        check_suffix(self.output)

    @property
    def folder(self) -> Path:
        """Return the folder for checkpoints, packed images, the loss curve and pictures."""
        return training_folder(self.output)

    @property
    def resumes(self) -> bool:
        """Return True if there is a training to continue."""
        return (self.folder / CHECKPOINT).is_file()

    def check(self) -> None:
        """See `Trainer.check`."""
        trainer = TRAINERS.get(self.trainer)
        trainer(self.config, self.data, folder=self.folder, device=self.device).check()

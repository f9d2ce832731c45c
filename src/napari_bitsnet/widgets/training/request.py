"""What a training works on, checked before any long work; loads no torch."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from napari_bitsnet.data.datasets import image_names
from napari_bitsnet.training.settings import FeedforwardTraining

SUFFIX = ".safetensors"


@dataclass(frozen=True)
class TrainingRequest:
    """What to train on, where to, and how.

    Parameters
    ----------
    sources : tuple of Path
        Folders or zips of images.
    output : Path
        Weights to write; checkpoints go to a folder of the same name.
    config : FeedforwardTraining
        Settings.
    device : str
        As in `resolve_device`.

    Raises
    ------
    ValueError
        If there is no source, or the output is not a ``.safetensors`` file.
    """

    sources: tuple[Path, ...]
    output: Path
    config: FeedforwardTraining
    device: str = "auto"

    def __post_init__(self) -> None:
        if not self.sources:
            raise ValueError("Expected a folder or a zip of images, got none: add one.")
        if self.output.suffix != SUFFIX:
            raise ValueError(
                f"Expected a file for the weights that ends in {SUFFIX}, got {self.output.name!r}."
            )

    @property
    def folder(self) -> Path:
        """For checkpoints, packed images, loss curve and pictures."""
        return self.output.with_suffix("")

    @property
    def resumes(self) -> bool:
        """Whether there is a training to go on from."""
        return (self.folder / f"checkpoint{SUFFIX}").is_file()

    def check(self) -> None:
        """See that there are images and a place to write to, before any long work.

        Raises
        ------
        OSError, ValueError
            If not.
        """
        for source in self.sources:
            image_names(source)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for folder in (self.folder, self.output.parent):
                with tempfile.TemporaryFile(dir=folder):
                    pass
        except OSError as error:
            raise ValueError(
                f"Expected a place to write the weights to, got {self.output} ({error.strerror}): name another one."
            ) from None

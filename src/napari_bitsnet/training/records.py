"""Inputs, settings and progress of a training; loads no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from napari_bitsnet.core.config import Config, setting

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    Look = Callable[..., Tensor]


@dataclass(frozen=True)
class Input:
    """An input of a trainer: one or several folders or zips of images.

    Parameters
    ----------
    name : str
        Key in the data, such as ``"images"``. On the command line, the first input of a trainer has no flag;
        each other input has one (``--layer``), which is repeated for several folders.
    title, description : str
        Texts of the form and the help.
    least, most : int
        Smallest and largest number of folders or zips; None means any number.
    flag : bool
        Whether the first input has a flag, too.
    """

    name: str
    title: str
    description: str
    least: int = 1
    most: int | None = None
    flag: bool = False


@dataclass(frozen=True)
class Progress:
    """One step of a training, or of its preparation.

    Parameters
    ----------
    step : int
        Finished steps, also of a training that was finished before; 0 during the preparation.
    seconds, seconds_left : float
        Elapsed and remaining time of the training, without preparation and validation.
    loss : float
        Mean over the steps since the last validation.
    scores : dict of str to float
        Scores on held-out data if they were measured at this step, else empty. The most important one is
        first; a name ends with its unit: ``"gain (dB)"``.
    picture : ndarray of shape (Y, X, 3), optional
        uint8: held-out examples, if there was a validation.
    note : str
        Text about the preparation, or that the training was finished before; empty during the training.
    saved : bool
        Whether a checkpoint was written at this step; the weights should then be exported as well.
    """

    step: int = 0
    seconds: float = 0.0
    seconds_left: float = 0.0
    loss: float = float("nan")
    scores: dict[str, float] = field(default_factory=dict)
    picture: NDArray[np.uint8] | None = None
    note: str = ""
    saved: bool = False


class TrainingConfig(Config):
    """Settings that all trainers share."""

    hours: float = setting(
        1.0, "Time to train, unless steps are given.", ge=0.001, le=1000, step=0.5, unit="h"
    )
    steps: int | None = setting(
        None, "Steps to train; none: until the time is up.", ge=1, le=10**8, step=1000
    )
    validate_every: int = setting(500, "Steps between validations.", ge=1, le=10**6, step=100)
    checkpoint_every: float = setting(180.0, "Time between checkpoints.", ge=1, le=86400, step=60, unit="s")
    batch: int = setting(8, "Examples in a step.", ge=1, le=8192, step=8)
    rate: float = setting(2e-3, "Largest learning rate.", ge=1e-6, le=0.1, step=1e-4)
    decay: float = setting(0.01, "Weight decay.", ge=0, le=1, step=0.01)
    averaging: float = setting(0.998, "How slowly the averaged weights follow.", ge=0, le=0.99999, step=1e-3)
    half: bool = setting(True, "Compute in bfloat16 where the processor can.")
    compiled: bool = setting(False, "Compile the network, which pays on a GPU after a minute.")
    weights: Path | None = setting(None, "Weights of an earlier training to begin with.")
    seed: int = setting(0, "Seed of weights, examples and validation.", ge=0, le=2**31 - 1, step=1)

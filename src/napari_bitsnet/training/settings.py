"""Settings of training; loads no torch, so that forms and commands can be built from them."""

from __future__ import annotations

from pathlib import Path

from napari_bitsnet.core.config import Config, setting


class FeedforwardTraining(Config):
    """How the trained start is trained."""

    hours: float = setting(
        1.0, "Time to train, unless steps are given.", ge=0.001, le=1000, step=0.5, unit="h"
    )
    steps: int | None = setting(
        None, "Steps to train; none: until the time is up.", ge=2, le=10**8, step=1000
    )
    procedural: float = setting(0.1, "Part of the images that are drawn by rules.", ge=0, le=1, step=0.05)
    drawn: int = setting(3000, "How many images are drawn by rules.", ge=40, le=10**6, step=1000)
    checkpoint_every: float = setting(180.0, "Time between checkpoints.", ge=1, le=86400, step=60, unit="s")
    batch: int = setting(48, "Pairs of images in a step.", ge=2, le=8192, step=16)
    rate: float = setting(1e-3, "Largest learning rate.", ge=1e-6, le=0.1, step=1e-4)
    decay: float = setting(0.02, "Weight decay.", ge=0, le=1, step=0.01)
    averaging: float = setting(0.999, "How slowly the averaged weights follow.", ge=0, le=0.99999, step=1e-3)
    hint_chance: float = setting(0.5, "Part of the pairs that come with scribbles.", ge=0, le=1, step=0.1)
    half: bool = setting(True, "Compute in bfloat16 where the processor can.")
    validate_every: int = setting(500, "Steps between validations.", ge=1, le=10**6, step=100)
    validation_pairs: int = setting(192, "Held-out pairs.", ge=1, le=10**4, step=64)
    trunk: Path | None = setting(
        None,
        "Published weights that the network's trunk begins with: the file of an EfficientNet-lite2; "
        "none: random ones.",
    )
    trunk_pace: float = setting(0.2, "Learning rate of the trunk, over the other's.", ge=0, le=1, step=0.1)
    weights: Path | None = setting(None, "Weights of an earlier training to begin with, instead.")
    compiled: bool = setting(False, "Compile the network, which pays on a GPU after a minute.")
    seed: int = setting(0, "Seed of weights, pairs and validation.", ge=0, le=2**31 - 1, step=1)

"""Trains the weights of the method `feedforward`."""

from __future__ import annotations

import csv
import pickle
import time
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from napari_bitsnet.core.device import resolve_device
from napari_bitsnet.core.networks.efficientnet import fold_normalisation
from napari_bitsnet.core.networks.weights import compress, save_tensors
from napari_bitsnet.data.datasets import PackedImages, load_images
from napari_bitsnet.data.procedural import procedural_images
from napari_bitsnet.methods.feedforward.feedforward import load_network
from napari_bitsnet.methods.feedforward.network import SEEN_SIZE, SplitNetwork
from napari_bitsnet.training.bank import ImageBank
from napari_bitsnet.training.settings import FeedforwardTraining
from napari_bitsnet.training.stage import Diet, Progress, Training

HOLD_OUT = 40
"""One image in so many is kept for validation."""


def train_feedforward(
    sources: Sequence[Path],
    output: Path,
    config: FeedforwardTraining,
    *,
    folder: Path | None = None,
    device: str = "auto",
) -> Generator[Progress, None, None]:
    """Train, one step at a time, and write the weights at the end.

    Parameters
    ----------
    sources : sequence of Path
        Folders or zips of images; photographs reserved for scoring are left out by name.
    output : Path
        Weights, a ``.safetensors`` file; stopping early leaves those of the last checkpoint there.
    config : FeedforwardTraining
        Settings.
    folder : Path, optional
        For checkpoints (a run that finds some goes on from there), packed images, loss curve and validation
        pictures; default the output's name without its suffix.
    device : str
        As in `resolve_device`.

    Raises
    ------
    FileNotFoundError, ValueError
        If a source holds no images; before any long work.
    """
    folder = output.with_suffix("") if folder is None else folder
    folder.mkdir(parents=True, exist_ok=True)
    device = resolve_device(device)
    network = new_network(config.seed)
    if config.weights is not None:
        network = load_network(config.weights)
    elif config.trunk is not None:
        load_trunk(network, config.trunk)
    diet = load_diet(sources, SEEN_SIZE, config, folder, device)
    training = Training(network, diet, config, steps=config.steps, seconds=3600 * config.hours, device=device)
    yield from _run(training, folder, output, config)


def new_network(seed: int) -> SplitNetwork:
    """Build the network with weights drawn from `seed`; the global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return SplitNetwork(trunk={"width": 1.1, "depth": 1.2})


def load_trunk(network: SplitNetwork, path: Path) -> None:
    """Begin the network's trunk with published weights; see `fold_normalisation`.

    Raises
    ------
    FileNotFoundError, ValueError
        If the file is absent, or not such a checkpoint.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"Expected the weights of an EfficientNet-lite2, got {path}, which is absent."
        )
    trunk = network.trunk
    assert trunk is not None
    try:
        published = torch.load(path, map_location="cpu", weights_only=True)
        trunk.load_state_dict(fold_normalisation({n: t.float() for n, t in published.items()}, trunk))
    except (KeyError, pickle.UnpicklingError) as error:
        raise ValueError(f"Expected the weights of an EfficientNet-lite2, got {path}: {error}.") from None


def load_diet(
    sources: Sequence[Path], size: int, config: FeedforwardTraining, cache: Path | None, device: str = "cpu"
) -> Diet:
    """Read the images, twice as large as they are trained on where they are large enough, onto the device.

    Every folder or zip is drawn from equally often, so that a thousand whole scenes are not lost among many
    small pictures. Those of pictures smaller than half of `size` are left out.

    Raises
    ------
    ValueError
        If nothing is left.
    """
    loaded = [load_images(source, short_side=2 * size, cache=cache) for source in sources]
    loaded = [images for images in loaded if np.median(images.shapes.min(axis=1)) >= size / 2]
    if not loaded and config.procedural < 1:
        raise ValueError(f"Expected images of at least {size} x {size} pixels, got only smaller ones.")
    chances = [(1 - config.procedural) / max(len(loaded), 1)] * len(loaded)
    if config.procedural:
        loaded.append(procedural_images(config.drawn, min(2 * size, 128), seed=config.seed))
        chances.append(config.procedural)

    if min(len(images) for images in loaded) < 2:
        raise ValueError(
            "Expected at least two images in each folder or zip, got one: one is for validation."
        )

    def part(images: PackedImages, *, kept: bool) -> ImageBank:
        index, every = np.arange(len(images)), min(HOLD_OUT, len(images))
        return ImageBank(images.subset(index[(index % every == every - 1) == kept]), device)

    return Diet([part(p, kept=False) for p in loaded], [part(p, kept=True) for p in loaded], chances)


def export_weights(network: SplitNetwork, output: Path, facts: dict[str, Any]) -> None:
    """Write the trained network, made small, with the record that the method needs to build it again."""
    record = {"method": "feedforward", "network": network.sizes}
    save_tensors(output, compress(network.state_dict()), {**record, **facts})


def _run(training: Training, folder: Path, output: Path, config: FeedforwardTraining) -> Iterator[Progress]:
    """Train, keeping checkpoint, weights, loss curve and validation picture up to date."""
    checkpoint = folder / "checkpoint.safetensors"
    if checkpoint.is_file():
        training.resume(checkpoint)

    def keep() -> None:
        training.save(checkpoint)
        facts = {"steps": training.step, "settings": config.model_dump(mode="json")}
        export_weights(training.average, output, facts)

    saved = time.monotonic()
    try:
        for progress in training.train():
            if progress.picture is not None:
                _append_row(folder / "losses.csv", progress)
                Image.fromarray(progress.picture).save(folder / "validation.png")
            if time.monotonic() - saved > config.checkpoint_every:
                keep()
                saved = time.monotonic()
            yield progress
    finally:
        keep()


def _append_row(path: Path, progress: Progress) -> None:
    """Add one line to the loss curve."""
    row = {
        "step": progress.step,
        "seconds": round(progress.seconds, 1),
        "loss": progress.loss,
        **{f"validation_{name}": value for name, value in progress.validation.items()},
    }
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)

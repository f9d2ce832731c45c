"""Trains the weights of the method `feedforward`: first its coarse network, then its fine one."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image

from napari_bitsnet.core.device import resolve_device
from napari_bitsnet.core.networks.cascade import Cascade
from napari_bitsnet.core.networks.weights import save_tensors
from napari_bitsnet.data.datasets import PackedImages, load_images
from napari_bitsnet.data.procedural import procedural_images
from napari_bitsnet.training.settings import FeedforwardTraining
from napari_bitsnet.training.stage import Diet, Progress, Stage, picture_size

HOLD_OUT = 40
"""One image in so many is kept for validation."""


def train_feedforward(
    sources: Sequence[Path],
    output: Path,
    config: FeedforwardTraining,
    *,
    folder: Path | None = None,
    device: str = "auto",
) -> Iterator[Progress]:
    """Train, one step at a time, and write the weights at the end of each stage.

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
    network = new_network(config.seed).to(device)
    stages: list[tuple[Literal["coarse", "fine"], float]] = [
        ("coarse", 1 - config.fine_share),
        ("fine", config.fine_share),
    ]
    for name, share in stages:
        if share == 0:
            continue
        diet = load_diet(sources, picture_size(name, config), config, folder)
        steps = None if config.steps is None else max(round(share * config.steps), 1)
        stage = Stage(
            name, network, diet, config, steps=steps, seconds=3600 * share * config.hours, device=device
        )
        yield from _run_stage(stage, folder, output, config)
        network = stage.average


def new_network(seed: int) -> Cascade:
    """Build the networks with weights drawn from `seed`; the global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Cascade()


def load_diet(sources: Sequence[Path], size: int, config: FeedforwardTraining, cache: Path | None) -> Diet:
    """Read the images, twice as large as they are trained on where they are large enough.

    Every folder or zip is drawn from equally often, so that a thousand whole scenes are not lost among many
    small pictures. Those of pictures smaller than `size` are left out.

    Raises
    ------
    ValueError
        If nothing is left.
    """
    loaded = [load_images(source, short_side=2 * size, cache=cache) for source in sources]
    loaded = [images for images in loaded if np.median(images.shapes.min(axis=1)) >= size]
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

    def part(images: PackedImages, *, kept: bool) -> PackedImages:
        index, every = np.arange(len(images)), min(HOLD_OUT, len(images))
        return images.subset(index[(index % every == every - 1) == kept])

    return Diet([part(p, kept=False) for p in loaded], [part(p, kept=True) for p in loaded], chances)


def export_weights(network: Cascade, output: Path, facts: dict[str, Any]) -> None:
    """Write the networks in half precision, with the record that the method needs to build them again."""
    tensors = {name: tensor.half() for name, tensor in network.state_dict().items()}
    record = {"method": "feedforward", "network": network.widths, "levels": network.trained_levels}
    save_tensors(output, tensors, {**record, **facts})


def _run_stage(stage: Stage, folder: Path, output: Path, config: FeedforwardTraining) -> Iterator[Progress]:
    """Train one stage, keeping checkpoint, weights, loss curve and validation picture up to date."""
    checkpoint = folder / f"{stage.name}.safetensors"
    if stage.name == "fine":
        stage.average.trained_levels = config.fine_levels
    if checkpoint.is_file():
        stage.resume(checkpoint)

    def keep() -> None:
        stage.save(checkpoint)
        facts = {"stage": stage.name, "steps": stage.step, "settings": config.model_dump(mode="json")}
        export_weights(stage.average, output, facts)

    saved = time.monotonic()
    try:
        for progress in stage.train():
            if progress.picture is not None:
                _append_row(folder / "losses.csv", progress)
                Image.fromarray(progress.picture).save(folder / f"{stage.name}.png")
            if time.monotonic() - saved > config.checkpoint_every:
                keep()
                saved = time.monotonic()
            yield progress
    finally:
        keep()


def _append_row(path: Path, progress: Progress) -> None:
    """Add one line to the loss curve."""
    row = {
        "stage": progress.stage,
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

"""Training of the trained start: it learns, resumes to the same bits, and leaves weights that load."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_bitsnet.data.procedural import procedural_images
from napari_bitsnet.methods.feedforward.feedforward import load_network
from napari_bitsnet.training import feedforward
from napari_bitsnet.training.bank import ImageBank
from napari_bitsnet.training.feedforward import export_weights, load_diet, new_network, train_feedforward
from napari_bitsnet.training.settings import FeedforwardTraining
from napari_bitsnet.training.stage import Diet, Training

CONFIG = FeedforwardTraining(steps=4, batch=4, drawn=40, validate_every=2, validation_pairs=8)


@pytest.fixture(scope="module")
def diet() -> Diet:
    used, kept = (ImageBank(procedural_images(n, 40, seed=n), "cpu") for n in (12, 4))
    return Diet([used], [kept], [1.0])


def _weights(training: Training) -> torch.Tensor:
    tensors = [*training.network.parameters(), *training.average.parameters()]
    return torch.cat([t.detach().flatten() for t in tensors])


def test_a_resumed_training_reaches_the_same_bits(diet, small_network, tmp_path: Path):
    whole = Training(small_network(0), diet, CONFIG, steps=6)
    list(whole.train())

    first = Training(small_network(0), diet, CONFIG, steps=6)
    for progress in first.train():
        if progress.step == 3:
            break
    first.save(tmp_path / "checkpoint.safetensors")
    second = Training(small_network(1), diet, CONFIG, steps=6)
    second.resume(tmp_path / "checkpoint.safetensors")
    assert [p.step for p in second.train()] == [4, 5, 6]
    assert torch.equal(_weights(whole), _weights(second))


def test_it_learns(diet, small_network):
    """On the images trained on, better than the mixture as the answer (d = 0)."""
    config = CONFIG.updated({"rate": 0.005, "validate_every": 1000, "half": False, "hint_chance": 0.0})
    training = Training(small_network(0), replace(diet, kept=diet.used), config, steps=60)
    list(training.train())
    assert training.validate()[0]["gain"] > 0.15


def test_a_training_ends_by_time_too(diet, small_network):
    training = Training(small_network(0), diet, CONFIG, seconds=1e-6)
    progress = list(training.train())
    assert [p.step for p in progress] == [1]
    assert progress[0].seconds_left == 0


def test_a_file_that_is_no_checkpoint_is_refused(diet, small_network, tmp_path: Path):
    export_weights(small_network(0), tmp_path / "w.safetensors", {})
    with pytest.raises(
        ValueError, match=r"Expected a checkpoint of the training of feedforward, got .*w\.safe"
    ):
        Training(small_network(0), diet, CONFIG, steps=2).resume(tmp_path / "w.safetensors")


def test_the_whole_training(small_network, image_folder: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(feedforward, "new_network", small_network)
    output = tmp_path / "weights.safetensors"
    steps = list(train_feedforward([image_folder], output, CONFIG, device="cpu"))
    assert [p.step for p in steps] == [1, 2, 3, 4]
    assert [bool(p.validation) for p in steps] == [False, True, False, True]
    assert steps[-1].picture.shape == (8 * 64, 5 * 64, 3)

    network = load_network(output)
    assert network.sizes == {"widths": [8, 16], "trunk": None}
    with (tmp_path / "weights" / "losses.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["2", "4"]
    assert all(np.isfinite(float(row["validation_gain"])) for row in rows)
    assert (tmp_path / "weights" / "validation.png").is_file()

    assert list(train_feedforward([image_folder], output, CONFIG, device="cpu")) == []  # nothing left to do


def test_a_longer_training_goes_on(small_network, image_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(feedforward, "new_network", small_network)
    output = tmp_path / "weights.safetensors"
    list(train_feedforward([image_folder], output, CONFIG, device="cpu"))
    before = load_network(output).state_dict()
    longer = CONFIG.updated({"steps": 6})
    assert [p.step for p in train_feedforward([image_folder], output, longer, device="cpu")] == [5, 6]
    after = load_network(output).state_dict()
    assert not all(torch.equal(before[name], after[name]) for name in before)


def test_stopping_early_leaves_weights(small_network, image_folder: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(feedforward, "new_network", small_network)
    output = tmp_path / "weights.safetensors"
    run = train_feedforward([image_folder], output, CONFIG, device="cpu")
    next(run)
    run.close()
    load_network(output)
    assert next(train_feedforward([image_folder], output, CONFIG, device="cpu")).step == 2


def test_seeds_of_weights():
    state = torch.get_rng_state()
    first, again, other = (new_network(seed).unet.stem[1].weight for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_validation_images_are_not_trained_on(image_folder: Path):
    diet = load_diet([image_folder], 32, CONFIG, None)
    assert [len(c) for c in diet.used] == [3, 39]
    assert [len(c) for c in diet.kept] == [1, 1]
    assert sum(diet.chances) == pytest.approx(1)
    used = {bytes(image.numpy()) for image in diet.used[0].pixels}
    assert bytes(diet.kept[0].pixels[0].numpy()) not in used


def test_images_that_cannot_serve(image_folder: Path, tmp_path: Path):
    with pytest.raises(
        ValueError, match="Expected images of at least 200 x 200 pixels, got only smaller ones"
    ):
        load_diet([image_folder], 200, CONFIG, None)
    for k in (1, 2, 3):
        (image_folder / f"{k}.png").unlink()
    with pytest.raises(ValueError, match="Expected at least two images in each folder or zip, got one"):
        load_diet([image_folder], 32, CONFIG, None)

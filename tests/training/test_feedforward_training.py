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
from napari_bitsnet.training.feedforward import load_diet, new_network, train_feedforward
from napari_bitsnet.training.settings import FeedforwardTraining
from napari_bitsnet.training.stage import Diet, Stage

CONFIG = FeedforwardTraining(steps=4, batch=4, drawn=40, fine_levels=1, validate_every=2, validation_pairs=8)


@pytest.fixture(scope="module")
def diet() -> Diet:
    used, kept = (ImageBank(procedural_images(n, 40, seed=n), "cpu") for n in (12, 4))
    return Diet([used], [kept], [1.0])


def _weights(stage: Stage) -> torch.Tensor:
    tensors = [*stage.network.parameters(), *stage.average.parameters()]
    return torch.cat([t.detach().flatten() for t in tensors])


@pytest.mark.parametrize("name", ["coarse", "fine"])
def test_a_resumed_stage_reaches_the_same_bits(name, diet, small_network, tmp_path: Path):
    whole = Stage(name, small_network(0), diet, CONFIG, steps=6)
    list(whole.train())

    first = Stage(name, small_network(0), diet, CONFIG, steps=6)
    for progress in first.train():
        if progress.step == 3:
            break
    first.save(tmp_path / "checkpoint.safetensors")
    second = Stage(name, small_network(1), diet, CONFIG, steps=6)
    second.resume(tmp_path / "checkpoint.safetensors")
    assert [p.step for p in second.train()] == [4, 5, 6]
    assert torch.equal(_weights(whole), _weights(second))


def test_only_its_own_part_is_trained(diet, small_network):
    before = small_network(0)
    for name, other in (("coarse", "fine"), ("fine", "coarse")):
        stage = Stage(name, small_network(0), diet, CONFIG, steps=2)
        list(stage.train())
        for network in (stage.network, stage.average):
            kept, moved = (
                [
                    torch.equal(a, b)
                    for a, b in zip(
                        getattr(network, part).parameters(), getattr(before, part).parameters(), strict=True
                    )
                ]
                for part in (other, name)
            )
            assert all(kept)
            assert not all(moved)


def test_it_learns(diet, small_network):
    """On the images trained on, better than the mixture as the answer (d = 0)."""
    config = CONFIG.updated({"rate": 0.005, "validate_every": 1000, "half": False, "hint_chance": 0.0})
    stage = Stage("coarse", small_network(0), replace(diet, kept=diet.used), config, steps=60)
    list(stage.train())
    assert stage.validate()[0]["gain"] > 0.15


def test_a_stage_ends_by_time_too(diet, small_network):
    stage = Stage("coarse", small_network(0), diet, CONFIG, seconds=1e-6)
    progress = list(stage.train())
    assert [p.step for p in progress] == [1]
    assert progress[0].seconds_left == 0


def test_a_checkpoint_of_another_stage_is_refused(diet, small_network, tmp_path: Path):
    stage = Stage("coarse", small_network(0), diet, CONFIG, steps=2)
    stage.save(tmp_path / "c.safetensors")
    with pytest.raises(ValueError, match=r"Expected a checkpoint of the fine stage, got .* of 'coarse'"):
        Stage("fine", small_network(0), diet, CONFIG, steps=2).resume(tmp_path / "c.safetensors")


def test_the_whole_training(small_network, image_folder: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(feedforward, "new_network", small_network)
    output = tmp_path / "weights.safetensors"
    steps = list(train_feedforward([image_folder], output, CONFIG, device="cpu"))
    assert [(p.stage, p.step) for p in steps] == [("coarse", 1), ("coarse", 2), ("coarse", 3), ("fine", 1)]
    assert [bool(p.validation) for p in steps] == [False, True, True, True]
    assert steps[-1].picture.shape == (8 * 128, 5 * 128, 3)

    network = load_network(output)
    assert network.widths == {"coarse_widths": [8, 16], "fine_widths": [8, 8], "trunk": None}
    with (tmp_path / "weights" / "losses.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["stage"], row["step"]) for row in rows] == [("coarse", "2"), ("coarse", "3"), ("fine", "1")]
    assert all(np.isfinite(float(row["validation_gain"])) for row in rows)
    assert (tmp_path / "weights" / "fine.png").is_file()

    assert list(train_feedforward([image_folder], output, CONFIG, device="cpu")) == []  # nothing left to do


def test_longer_training_goes_on_with_both_networks(small_network, image_folder, tmp_path, monkeypatch):
    """The fine network's checkpoint does not bring back the coarse network of that time."""
    monkeypatch.setattr(feedforward, "new_network", small_network)
    output = tmp_path / "weights.safetensors"
    list(train_feedforward([image_folder], output, CONFIG, device="cpu"))
    before = load_network(output).coarse.state_dict()
    longer = CONFIG.updated({"steps": 8})
    steps = [(p.stage, p.step) for p in train_feedforward([image_folder], output, longer, device="cpu")]
    assert steps == [("coarse", 4), ("coarse", 5), ("coarse", 6), ("fine", 2)]
    after = load_network(output).coarse.state_dict()
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
    first, again, other = (new_network(seed).coarse.unet.stem[1].weight for seed in (0, 0, 1))
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

"""Training of the method feedforward: it learns, whole trainings leave files, and images are held out."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_bitsnet.api.training import train
from napari_bitsnet.data.procedural import procedural_images
from napari_bitsnet.methods.feedforward.feedforward import load_network
from napari_bitsnet.training.feedforward.bank import ImageBank
from napari_bitsnet.training.feedforward.diet import Diet, make_diet
from napari_bitsnet.training.feedforward.feedforward import FeedforwardTraining
from napari_bitsnet.training.files import LOSSES, PICTURE
from napari_bitsnet.training.images import read_images

CONFIG = FeedforwardTraining(steps=3, batch=4, drawn=40, validate_every=2, validation_pairs=8)


def _packed(folder: Path):
    reading = read_images(folder, short_side=64)
    while True:
        try:
            next(reading)
        except StopIteration as end:
            return end.value


def test_it_learns(make_trainer, tmp_path):
    """On the images trained on, better than the mixture as the answer (d = 0)."""
    settings = {"rate": 0.005, "validate_every": 1000, "half": False, "hint_chance": 0.0, "steps": 60}
    trainer = make_trainer("feedforward", tmp_path, **settings)

    def prepare():
        bank = ImageBank(procedural_images(12, 40, seed=12), "cpu")
        trainer._diet = Diet([bank], [bank], [1.0])
        trainer._held_out = trainer._pairs(2**31, 8, held_out=True)
        return iter(())

    trainer.prepare = prepare
    *_, last = trainer.steps()
    assert last.scores["gain (dB)"] > 0.15


def test_the_whole_training(small_feedforward, image_folder: Path, tmp_path: Path):
    output, data = tmp_path / "weights.safetensors", {"images": [image_folder]}
    steps = [s for s in train("feedforward", data, output, CONFIG, device="cpu") if not s.note]
    assert [p.step for p in steps] == [1, 2, 3]
    assert [bool(p.scores) for p in steps] == [False, True, True]
    assert steps[-1].picture.shape == (8 * 64, 5 * 64, 3)
    assert load_network(output).sizes == {"widths": [8, 16], "trunk": None}
    with (tmp_path / "weights" / LOSSES).open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["2", "3"]
    assert all(np.isfinite(float(row["held-out gain (dB)"])) for row in rows)
    assert (tmp_path / "weights" / PICTURE).is_file()


def test_stopping_early_leaves_weights_and_before_the_first_step_none(
    small_feedforward, image_folder: Path, tmp_path: Path
):
    output, data = tmp_path / "weights.safetensors", {"images": [image_folder]}
    run = train("feedforward", data, output, CONFIG, device="cpu")
    assert next(run).note.startswith("Reading images: 1 of 4")
    run.close()
    assert not output.exists()
    run = train("feedforward", data, output, CONFIG, device="cpu")
    while next(run).step == 0:
        pass
    run.close()
    load_network(output)
    later = train("feedforward", data, output, CONFIG, device="cpu")
    assert [s.step for s in later if s.step] == [2, 3]


def test_files_of_others_are_not_replaced(small_feedforward, image_folder: Path, tmp_path: Path):
    output, data = tmp_path / "weights.safetensors", {"images": [image_folder]}
    output.write_bytes(b"somebody's")
    with pytest.raises(ValueError, match=r"Expected to write new files.*weights\.safetensors there already"):
        next(train("feedforward", data, output, CONFIG, device="cpu"))
    assert output.read_bytes() == b"somebody's"
    with pytest.raises(
        ValueError, match="Expected outputs apart from what is read"
    ):  # pictures would be trained on
        next(train("feedforward", data, image_folder / "weights.safetensors", CONFIG, device="cpu"))
    with pytest.raises(ValueError, match=r"ends in \.safetensors, got 'weights\.pt'"):
        next(train("feedforward", data, tmp_path / "weights.pt", CONFIG, device="cpu"))


def test_validation_images_are_not_trained_on(image_folder: Path):
    diet = make_diet([_packed(image_folder)], 32, procedural=0.1, drawn=40)
    assert [len(c) for c in diet.used] == [3, 39]
    assert [len(c) for c in diet.kept] == [1, 1]
    assert sum(diet.chances) == pytest.approx(1)
    used = {bytes(image.numpy()) for image in diet.used[0].pixels}
    assert bytes(diet.kept[0].pixels[0].numpy()) not in used


def test_images_that_cannot_serve(image_folder: Path):
    packed = _packed(image_folder)
    with pytest.raises(
        ValueError, match="Expected images of at least 200 x 200 pixels, got only smaller ones"
    ):
        make_diet([packed], 200, procedural=0.1, drawn=40)
    with pytest.raises(ValueError, match="Expected at least two images in each folder or zip, got one"):
        make_diet([packed.subset(np.array([0]))], 32, procedural=0.1, drawn=40)


def test_a_trunk_that_is_none_is_refused(tmp_path: Path):
    from napari_bitsnet.methods.feedforward.network import SplitNetwork
    from napari_bitsnet.training.feedforward.feedforward import load_trunk

    network = SplitNetwork(widths=(8, 16), trunk={"width": 0.1, "depth": 0.1})
    with pytest.raises(
        FileNotFoundError, match=r"Expected the weights of an EfficientNet-lite2, got .*absent"
    ):
        load_trunk(network, tmp_path / "absent.pth")
    torch.save({"other": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match="Expected the weights of an EfficientNet-lite2"):
        load_trunk(network, tmp_path / "other.pth")

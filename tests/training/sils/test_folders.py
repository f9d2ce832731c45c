"""Unpaired folders: what is read, what is refused, and the way to sources."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch

import napari_bitsnet as nb
from napari_bitsnet.training.protocol import TRAINERS
from napari_bitsnet.training.sils.folders import Folders

SIZE = 40


def write(folder: Path, images: np.ndarray, name: str = "") -> Path:
    folder.mkdir()
    for k, image in enumerate(images):
        tifffile.imwrite(folder / f"{name or folder.name}{k}.tif", image)
    return folder


@pytest.fixture
def folders(tmp_path) -> dict[str, list[Path]]:
    """Mixtures of bars and dots, and bars and dots alone; 16-bit grey."""
    rng = np.random.default_rng(0)
    bars = np.repeat(rng.integers(0, 2, (12, SIZE, SIZE // 4)), 4, axis=2) * 20000
    dots = (rng.random((12, SIZE, SIZE)) < 0.1) * 30000
    return {
        "mixtures": [write(tmp_path / "both", (bars[:4] + dots[:4]).astype(np.uint16))],
        "layer": [
            write(tmp_path / "bars", bars[4:8].astype(np.uint16)),
            write(tmp_path / "dots", dots[8:].astype(np.uint16)),
        ],
    }


def make(folders, tmp_path, **settings):
    trainer = TRAINERS.get("sils")
    small = {"batch": 2, "size": 32, "width": 8, "levels": 2, "validation_mixtures": 2, "steps": 2}
    return trainer(trainer.Config(**{**small, **settings}), folders, folder=tmp_path / "run", device="cpu")


def test_from_folders_to_sources(folders, tmp_path):
    trainer, output = make(folders, tmp_path), tmp_path / "mine.safetensors"
    trainer.check()
    *_, last = trainer.steps()
    assert set(last.scores) == {"sum error", "least share (%)"}
    trainer.export(output)
    mixture = tifffile.imread(folders["mixtures"][0] / "both0.tif")[:37, :33]
    result = nb.separate(mixture, method="sils", settings={"weights": output})
    assert result.sources.shape == (2, 37, 33)
    assert np.isfinite(result.sources).all()
    assert any("source 1 is bars, source 2 is dots" in text.lower() for text in result.warnings)
    colour = nb.separate(np.stack([mixture] * 3, axis=-1), method="sils", settings={"weights": output})
    assert colour.sources.shape == (2, 37, 33, 3)
    with pytest.raises(ValueError, match="n_sources=2"):
        nb.separate(mixture, method="sils", settings={"weights": output}, n_sources=3)
    with pytest.raises(ValueError, match="mixing=linear"):
        nb.separate(mixture + 1, method="sils", settings={"weights": output}, mixing="attenuation")


def test_without_weights_it_says_how_to_get_them():
    with pytest.raises(ValueError, match="train sils"):
        nb.separate(np.eye(32), method="sils")


def test_weights_of_another_method_are_refused(tmp_path):
    from napari_bitsnet.core.networks.weights import save_tensors

    save_tensors(tmp_path / "other.safetensors", {"a": torch.zeros(1)}, {"method": "feedforward"})
    with pytest.raises(ValueError, match=r"method sils, got .* of 'feedforward'"):
        nb.separate(np.eye(32), method="sils", settings={"weights": tmp_path / "other.safetensors"})


def test_draws_depend_on_the_number_alone_and_mixtures_are_held_out(folders):
    made = Folders(
        folders["mixtures"], folders["layer"], ["bars", "dots"], mixing="linear", colour=False, gain=1.5,
        size=32, seed=0,
    )  # fmt: skip
    assert all(step.note for step in made.prepare())
    one, other = made.draw(5, 3), made.draw(5, 3)
    assert one[0].shape == (3, 1, 32, 32)
    assert torch.equal(one[0], other[0])
    assert all(map(torch.equal, one[1], other[1]))
    assert len(made.kept) == 1
    assert len(made.pools[0]) == 3


def test_bad_folders_are_refused_in_a_sentence(folders, tmp_path):
    both, bars, dots = folders["mixtures"][0], *folders["layer"]
    for data, match in (
        ({"mixtures": [both], "layer": [bars]}, "2 or 3 folders of layers, got 1 and 1"),
        ({"mixtures": [both], "layer": [bars, both]}, "got one of them twice"),
        (
            {"mixtures": [both], "layer": [bars, write(tmp_path / "8", np.ones((2, 40, 40), np.uint8))]},
            "grey uint8",
        ),
    ):
        with pytest.raises(ValueError, match=match):
            make(data, tmp_path).check()
    single = write(tmp_path / "single", np.ones((1, 40, 40), np.uint16))
    small = write(tmp_path / "small", np.eye(16, dtype=np.uint16)[None].repeat(2, 0))
    flat = write(tmp_path / "flat", np.ones((2, 40, 40), np.uint16))
    for folder, match in (
        (single, "at least 2 images of single"),
        (small, "at least 32 pixels"),
        (flat, "flat ones"),
    ):
        with pytest.raises(ValueError, match=match):
            list(make({"mixtures": [both], "layer": [bars, folder]}, tmp_path).prepare())
    with pytest.raises(ValueError, match="got both"):
        make({"mixtures": [both], "layer": [bars, dots]}, tmp_path, demo="shapes").check()


def test_brightness_that_cannot_add_up_is_told(folders, tmp_path):
    bright = write(
        tmp_path / "bright", np.random.default_rng(1).integers(5e4, 6e4, (2, 40, 40)).astype(np.uint16)
    )
    with pytest.warns(UserWarning, match=r"The mixtures are 0\.\d\d times as bright as all kinds together"):
        list(make({**folders, "layer": [folders["layer"][0], bright]}, tmp_path).prepare())


def test_names_that_belong_together_are_told(tmp_path):
    images = np.ones((2, 40, 40), np.uint16)
    both, bars, dots = (write(tmp_path / name, images, "scan") for name in ("both", "bars", "dots"))
    with pytest.warns(UserWarning, match="2 file names are the same"):
        make({"mixtures": [both], "layer": [bars, dots]}, tmp_path).check()

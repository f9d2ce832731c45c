"""Trainers made small: a few images, little networks and two or three examples, so that training takes
seconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from napari_bitsnet.data.procedural import procedural_images
from napari_bitsnet.training.protocol import TRAINERS

SMALL: dict[str, dict[str, Any]] = {
    "feedforward": {"batch": 4, "drawn": 40, "validation_pairs": 8},
    "cracks": {"batch": 2, "pictures": 3, "nets": 3, "kept": 1, "size": 64, "validation_examples": 2},
    "guided_correction": {"batch": 2, "panels": 2, "kept": 1, "size": 64, "side": 48},
    "sils": {"batch": 2, "size": 64, "width": 8, "levels": 2, "demo": "shapes", "validation_mixtures": 4},
    "ytmt": {"batch": 2, "size": 64, "width": 8, "levels": 2, "hypercolumn": "no", "validation_pairs": 4},
}
"""Settings that make a trainer quick; one that is not named here is trained as it is."""


@pytest.fixture(scope="session")
def image_folder(tmp_path_factory) -> Path:
    """Four pictures of 80 x 80 pixels."""
    folder = tmp_path_factory.mktemp("data") / "images"
    folder.mkdir()
    pictures = procedural_images(4, 80, seed=5)
    for k in range(4):
        Image.fromarray(np.asarray(pictures[k])).save(folder / f"{k}.png")
    return folder


@pytest.fixture
def small_feedforward(monkeypatch):
    """A network of the method feedforward that trains in no time."""
    from napari_bitsnet.methods.feedforward.network import SplitNetwork

    monkeypatch.setattr(
        TRAINERS.get("feedforward"), "network", lambda self: SplitNetwork(widths=(8, 16)), raising=True
    )


@pytest.fixture
def make_trainer(image_folder: Path, small_feedforward) -> Callable[..., Any]:
    """Make a small trainer of a name, with its first input, and all that are needed, filled with images."""

    def make(name: str, folder: Path, **settings: Any) -> Any:
        trainer = TRAINERS.get(name)
        config = trainer.Config(**{**SMALL.get(name, {}), "steps": 4, "validate_every": 2, **settings})
        first = trainer.inputs[0].name
        data = {each.name: [image_folder] * max(each.least, each.name == first) for each in trainer.inputs}
        return trainer(config, data, folder=folder, device="cpu")

    return make


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what trainings say about folders as small as those of these tests; `pytest.warns` still sees
    it."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.filterwarnings("ignore:There are very few images"))
            item.add_marker(pytest.mark.filterwarnings("ignore:.*file names are the same in all folders"))

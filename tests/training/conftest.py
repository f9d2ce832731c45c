"""Small networks and a few images, so that training takes seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from napari_bitsnet.data.procedural import procedural_images
from napari_bitsnet.methods.feedforward.network import SplitNetwork


@pytest.fixture
def small_network():
    """Build a cascade from a seed."""

    def build(seed: int) -> SplitNetwork:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return SplitNetwork(widths=(8, 16))

    return build


@pytest.fixture
def image_folder(tmp_path: Path) -> Path:
    """Four pictures of 80 x 80 pixels."""
    (tmp_path / "images").mkdir()
    pictures = procedural_images(4, 80, seed=5)
    for k in range(4):
        Image.fromarray(np.asarray(pictures[k])).save(tmp_path / "images" / f"{k}.png")
    return tmp_path / "images"

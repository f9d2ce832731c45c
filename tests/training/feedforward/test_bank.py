"""Random crops cut on the device."""

from __future__ import annotations

import numpy as np
import torch

from napari_bitsnet.data.datasets import pack
from napari_bitsnet.training.feedforward.bank import ImageBank


def _ramps(sizes: list[tuple[int, int]]) -> ImageBank:
    """Images whose first channel grows with the row, the second with the column; the third is full."""
    images = []
    for height, width in sizes:
        y, x = np.mgrid[:height, :width]
        image = np.stack([y * 255 / height, x * 255 / width, np.full((height, width), 255)], axis=-1)
        images.append(image.round().astype(np.uint8))
    return ImageBank(pack(iter(images)), "cpu")


def test_crops_come_from_within_the_images():
    """No padding of the smaller image shows: the third channel is full everywhere."""
    bank = _ramps([(40, 50), (64, 64), (48, 40)])
    crops = bank.crops(60, 16, torch.Generator().manual_seed(0))
    assert crops.shape == (60, 3, 16, 16)
    torch.testing.assert_close(crops[:, 2], torch.ones(60, 16, 16))
    assert 0 <= crops.min() < 0.1
    assert 0.9 < crops[:, :2].max() <= 1


def test_crops_are_half_to_all_of_a_side():
    crops = _ramps([(64, 64)]).crops(200, 16, torch.Generator().manual_seed(0))
    rise = crops[:, 0, -1].mean(dim=-1) - crops[:, 0, 0].mean(dim=-1)
    assert rise.min() > 0.5 * np.exp(-0.3) * 0.8
    assert (rise > 0.9).float().mean() > 0.2  # whole images among them


def test_long_images_lose_their_ends():
    bank = _ramps([(20, 60)])
    assert bank.extents.tolist() == [[20, 30]]
    assert 0.24 < float(bank.pixels[0, 1].min()) / 255 < 0.26


def test_the_generator_decides():
    bank = _ramps([(40, 50), (64, 64)])
    first, again, other = (bank.crops(8, 16, torch.Generator().manual_seed(s)) for s in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)

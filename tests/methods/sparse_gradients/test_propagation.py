"""Marks on a few edges say whose others are: alike in colour, or near."""

from __future__ import annotations

import pytest
import torch

from napari_bitsnet.methods.sparse_gradients.propagation import edge_features, propagate


def stripes(size: int = 64) -> torch.Tensor:
    """Red stripes along Y and blue ones along X, superimposed; (1, 3, S, S)."""
    wave = 0.5 + 0.5 * torch.sign(torch.sin(torch.arange(size) * 0.8))
    image = torch.zeros(1, 3, size, size)
    image[:, 0], image[:, 2] = 0.5 * wave, 0.5 * wave[:, None]
    return image


def test_features_describe_an_upright_red_edge():
    image = torch.zeros(1, 3, 24, 30)
    image[:, 0, :, 15:] = 0.8
    features = {name: f.T.reshape(-1, 24, 30)[:, 12, 15] for name, f in edge_features(image).items()}
    red = torch.tensor([3**-0.5, 2**-0.5, 6**-0.5])
    assert torch.allclose(features["colour"].reshape(3, 3), torch.outer(red, red), atol=0.05)
    assert torch.allclose(features["direction"], torch.tensor([1.0, 0.0]), atol=0.01)  # twice the angle 0
    assert torch.allclose(features["place"], torch.tensor([12 / 30, 15 / 30]))
    assert float(features["straightness"]) > 0.99


def test_colour_carries_labels_across_the_image():
    image, hints = stripes(), torch.zeros(2, 1, 64, 64)
    red, blue = (image[0, c].diff(dim=a).abs() for c, a in ((0, 1), (2, 0)))
    hints[0, 0, 2:8, :-1] = (red[2:8] > 0).float()
    hints[1, 0, :-1, 2:8] = (blue[:, 2:8] > 0).float()
    hints[:, :, :9, :9] = 0
    part = propagate(image, hints)
    only_red = (red[:-1] > 0) & ~(blue[:, :-1] > 0)
    only_blue = (blue[:, :-1] > 0) & ~(red[:-1] > 0)
    far = (slice(32, None), slice(32, None))
    first, second = part[:, 0, :-1, :-1]
    assert float(first[far][only_red[far]].mean()) > 0.57
    assert float(second[far][only_blue[far]].mean()) > 0.57


@pytest.mark.parametrize("sources", [2, 3])
def test_parts_add_to_one_and_follow_the_order_of_the_sources(sources):
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(1, 3, 40, 50, generator=generator)
    hints = (torch.rand(sources, 1, 40, 50, generator=generator) > 0.97).float()
    part = propagate(image, hints)
    assert part.shape == (sources, 1, 40, 50)
    assert part.min() >= 0
    assert torch.allclose(part.sum(dim=0), torch.ones(1, 40, 50), atol=1e-5)
    turned = propagate(image, hints.roll(1, dims=0))
    assert torch.allclose(turned, part.roll(1, dims=0), atol=1e-5)


def test_grey_images_and_reduced_ones_work_and_marks_are_limited():
    image = stripes(80).mean(dim=1, keepdim=True)
    hints = torch.zeros(2, 1, 80, 80)
    hints[0, :, :40], hints[1, :, 40:] = 1, 1  # areas, not scribbles
    part = propagate(image, hints, size=40, marks=100)
    assert part.shape == (2, 1, 80, 80)
    assert float(part[0, 0, 5:15].mean()) > 0.57
    assert float(part[1, 0, 65:75].mean()) > 0.57


def test_taking_few_rows_at_a_time_changes_nothing(monkeypatch):
    hints = torch.zeros(2, 1, 64, 64)
    hints[0, 0, 4:8], hints[1, 0, :, 40:44] = 1, 1
    whole = propagate(stripes(), hints)
    monkeypatch.setattr("napari_bitsnet.methods.sparse_gradients.propagation.ROWS", 1000)
    assert torch.allclose(propagate(stripes(), hints), whole, atol=1e-5)

"""Pairs mixed on the fly."""

from __future__ import annotations

import pytest
import torch

from napari_bitsnet.data.procedural import procedural_images
from napari_bitsnet.training.feedforward.bank import ImageBank
from napari_bitsnet.training.feedforward.pairs import change_looks, mix_pairs, scribble


@pytest.fixture(scope="module")
def images():
    return ImageBank(procedural_images(10, 32, seed=1), "cpu")


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _mix(images, seed=0, **options):
    return mix_pairs([images], [1.0], 6, 16, _generator(seed), **options)


def test_shapes_and_range(images):
    pairs = _mix(images)
    assert pairs.mixture.shape == pairs.difference.shape == (6, 3, 16, 16)
    assert pairs.hints.shape == (6, 2, 16, 16)
    assert -0.1 < pairs.mixture.min() < pairs.mixture.max() < 1.1
    assert all(t.dtype == torch.float32 for t in (pairs.mixture, pairs.difference, pairs.hints))


def test_the_seed_decides(images):
    for name in ("mixture", "difference", "hints"):
        assert torch.equal(getattr(_mix(images), name), getattr(_mix(images), name))
        assert not torch.equal(getattr(_mix(images), name), getattr(_mix(images, 1), name))


def test_shares_are_possible(images):
    """Half the sum and half the difference of mixture and d are shares of two images: hardly ever
    negative."""
    pairs = mix_pairs([images], [1.0], 200, 16, _generator(0))
    shares = torch.stack([pairs.mixture + pairs.difference, pairs.mixture - pairs.difference]) / 2
    assert (shares < -0.15).float().mean() < 0.02
    assert shares.var(dim=(2, 3, 4)).min() > 0


def test_hints_are_dropped_and_given(images):
    assert not _mix(images, hint_chance=0).hints.any()
    assert _mix(images, hint_chance=1).hints.flatten(1).any(dim=1).all()


def test_looks_stay_in_range():
    pictures = torch.rand(40, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    changed = change_looks(pictures, _generator(0))
    assert changed.min() >= 0
    assert changed.max() <= 1
    assert not torch.equal(changed, pictures)


def test_scribbles_mark_the_image_whose_edges_they_lie_on():
    first, second = torch.full((4, 3, 16, 16), 0.5), torch.full((4, 3, 16, 16), 0.5)
    first[..., 4:] += 0.4  # one vertical edge, between columns 3 and 4
    second[..., 11:, :] += 0.4  # one horizontal edge, between rows 10 and 11
    marks = scribble(first, second, _generator(0))
    assert set(marks[:, 0].nonzero()[:, 2].tolist()) <= set(range(7))  # strokes are up to 7 long
    assert set(marks[:, 1].nonzero()[:, 1].tolist()) <= set(range(7, 14))
    assert marks.flatten(2).any(dim=2).all()

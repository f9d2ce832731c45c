"""Colour clusters and memberships."""

import pytest
import torch

from napari_bitsnet.core.colours import ColourBasis, fit_centres


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_memberships_follow_their_formula_and_add_to_one():
    basis, colours = ColourBasis(noise(5, 3, seed=1), 0.2), noise(3, 6, 7)
    squared = ((colours[None] - basis.centres[:, :, None, None]) ** 2).sum(1)
    gaussian = torch.exp(-squared / (2 * 0.2**2))
    torch.testing.assert_close(basis.memberships(colours), gaussian / gaussian.sum(0))
    features = basis(colours)
    assert len(features) == len(basis) == 8
    torch.testing.assert_close(features[:5].sum(0), torch.ones(6, 7))
    torch.testing.assert_close(features[5:], colours)


def test_narrow_clusters_far_away_stay_finite():
    basis = ColourBasis(torch.tensor([[0.0, 0.0, 0.0], [0.1, 0.0, 0.0]]), 0.01)
    members = basis.memberships(torch.ones(3, 2, 2))
    torch.testing.assert_close(members[1], torch.ones(2, 2))


def test_centres_find_separate_colours():
    palette = torch.tensor([[0.1, 0.1, 0.1], [0.9, 0.2, 0.1], [0.2, 0.3, 0.9], [0.9, 0.9, 0.8]])
    which = torch.randint(4, (40, 50), generator=torch.Generator().manual_seed(0))
    image = palette[which].permute(2, 0, 1)[None]
    centres = fit_centres(image, 4, seed=0)
    assert torch.cdist(palette, centres).amin(dim=1).max() < 1e-3


@pytest.mark.parametrize("channels", [1, 3])
def test_fewer_colours_than_centres(channels: int):
    image = torch.zeros(1, channels, 8, 8)
    image[..., 4:] = 1
    assert fit_centres(image, 16, seed=0).shape == (2, channels)


def test_the_seed_decides():
    image = noise(1, 3, 30, 30)
    first, again, other = (fit_centres(image, 6, seed=s) for s in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_colour_that_rounding_adds_leaves_the_others_chosen():
    image = (noise(1, 3, 30, 30, seed=3) * 255).round() / 255
    image[..., 0, 0] = image[..., 0, 1]  # two pixels of one colour: of one of 256 steps, or beside it
    edge = torch.tensor([0.5 / 255, 0, 0])
    for seed in range(3):
        found = []
        for nudge in (-1e-6, 1e-6):
            image[0, :, 0, 0] = image[0, :, 0, 1] + edge + nudge
            found.append(fit_centres(image, 12, seed=seed))
        torch.testing.assert_close(*found, rtol=0, atol=1e-3)

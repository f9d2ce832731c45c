"""Attribution of the rest: the least-squares solution, even where nothing tells the sides apart, each side's
edges to it."""

import numpy as np
import pytest
import torch

from napari_bitsnet.methods.guided import attribution
from napari_bitsnet.methods.guided.attribution import attribute


def noise(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_equal_sides_get_halves():
    rest, explained = noise(1, 2, 16, 20, seed=0), noise(2, 16, 20, seed=1)
    torch.testing.assert_close(attribute(rest, [explained, explained]), rest[0] / 2, atol=1e-4, rtol=0)


def test_both_sides_together_are_the_rest():
    rest, first, second = noise(1, 1, 24, 16, seed=2), noise(1, 24, 16, seed=3), noise(1, 24, 16, seed=4)
    rest = rest - rest.mean()
    one, other = attribute(rest, [first, second]), attribute(rest, [second, first])
    torch.testing.assert_close(one + other, rest[0], atol=1e-4, rtol=0)


def test_it_is_the_minimum_of_the_stated_energy():
    """A dense solution of the same least-squares problem, on a tiny image."""
    rng = np.random.default_rng(5)
    rest = rng.normal(size=(4, 5))
    first, second = rng.uniform(0.2, 2.0, (2, 4 * 4 + 3 * 5))
    steps = []
    for axis in (1, 0):
        for index in np.ndindex(*(np.array(rest.shape) - np.eye(2, dtype=int)[axis])):
            row = np.zeros(rest.shape)
            row[index] = -1
            row[tuple(np.array(index) + np.eye(2, dtype=int)[axis])] = 1
            steps.append(row.ravel())
    steps = np.array(steps)
    rows = np.concatenate([steps / np.sqrt(first)[:, None], steps / np.sqrt(second)[:, None]])
    target = np.concatenate([np.zeros(len(steps)), steps @ rest.ravel() / np.sqrt(second)])
    expected = np.linalg.lstsq(rows, target, rcond=None)[0].reshape(rest.shape)
    found = attribution._solve(rest, first, second, None)
    np.testing.assert_allclose(found - found.mean(), expected - expected.mean(), atol=1e-4)


def edges() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Two sides whose missed parts are proportional to what is explained of them, in different places;
    nothing between them."""
    first, second = torch.zeros(1, 48, 48), torch.zeros(1, 48, 48)
    first[:, :, :16] = noise(1, 48, 16, seed=6)
    second[:, :, 32:] = noise(1, 48, 16, seed=7)
    missed = [0.3 * noise(1, 48, 48, seed=8) * (first != 0), 0.3 * noise(1, 48, 48, seed=9) * (second != 0)]
    return first, second, *missed


@pytest.mark.parametrize("pixels", [2**16, 24 * 24])
def test_the_rest_goes_where_the_edges_are(monkeypatch: pytest.MonkeyPatch, pixels: int):
    monkeypatch.setattr(attribution, "PIXELS", pixels)
    first, second, mine, other = edges()
    rest = (mine + other)[None]
    found = attribute(rest, [first, second])
    error = (found - mine - (found - mine).mean()).square().mean()
    even = (rest[0] / 2 - mine - (rest[0] / 2 - mine).mean()).square().mean()
    assert error < 0.5 * even


def test_missing_pixels_do_not_matter():
    first, second, mine, other = edges()
    rest = (mine + other)[None]
    valid = torch.ones(1, 1, 48, 48, dtype=torch.bool)
    valid[..., 20:30, 18:30] = False
    spoiled = torch.where(valid, rest, 50.0)
    clean, other_clean = (attribute(image, [first, second], valid) for image in (rest, spoiled))
    torch.testing.assert_close(clean[valid[0]], other_clean[valid[0]], atol=2e-3, rtol=0)


@pytest.mark.parametrize("true", [(1.0, 2.0), (3.0, -1.0), (-1.0, 3.0), (-1.0, -2.0)])
def test_two_coefficients_are_those_of_non_negative_least_squares(true: tuple[float, float]):
    from scipy.optimize import nnls

    rng = np.random.default_rng(3)
    columns = rng.uniform(0, 1, (40, 2))
    target = columns @ np.array(true) + rng.normal(0, 0.1, 40)
    found = attribution._two_coefficients(columns, target)
    np.testing.assert_allclose(found, nnls(columns, target)[0], atol=1e-9)

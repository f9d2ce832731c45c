"""Normal equations by blocks: the same fit and honest cross-validation."""

from dataclasses import replace

import torch

from napari_bitsnet.methods.guided.block_statistics import BlockStatistics, block_statistics
from napari_bitsnet.methods.guided.gradient_fit import Piece, fit_gradients


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def regression(blocks: int, rows: int, *, seed: int = 0) -> BlockStatistics:
    """``y = x · w + noise`` of unit variance."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(blocks, rows, 3, generator=generator)
    x[..., 0] = 1
    y = x @ torch.tensor([[0.5], [-1.0], [2.0]]) + torch.randn(blocks, rows, 1, generator=generator)
    return BlockStatistics(
        x.mT @ x, x.mT @ y, y.square().sum((1, 2)), torch.full((3,), 1e-3, dtype=torch.float64)
    )


def test_all_blocks_once_is_the_robust_fit():
    image, noise = draw(2, 32, 32), draw(1, 32, 32, seed=1)
    target = 0.3 * image[:1] - 0.2 * image[1:] + 0.1 * noise
    pieces = [Piece(image[:, :, a : a + 8], target[:, :, a : a + 8]) for a in range(0, 32, 8)]
    precision = torch.full((2,), 0.1)
    fit = fit_gradients(pieces, precision, scales=2, n_reweightings=40)
    statistics = block_statistics(pieces, fit, precision, scales=2)
    assert len(statistics.grams) == 4
    again = statistics.solve(torch.ones(1, 4))[0]
    torch.testing.assert_close(again.float(), fit.coefficients, atol=2e-4, rtol=0)


def test_blocks_without_valid_pixels_are_left_out():
    pieces = [
        Piece(draw(2, 8, 8), draw(1, 8, 8, seed=1), torch.full((1, 8, 8), v)) for v in (True, False, True)
    ]
    fit = fit_gradients(pieces, torch.ones(2))
    assert len(block_statistics(pieces, fit, torch.ones(2), scales=1).grams) == 2


def test_explained_energy_is_that_of_blocks_not_fitted_to():
    statistics = regression(12, 200)
    clean = 1 - 1 / (1 + 0.25 + 1 + 4)
    assert abs(statistics.explained_energy() - clean) < 0.03
    nothing = BlockStatistics(
        statistics.grams,
        statistics.crosses * torch.tensor([1.0, -1.0]).repeat(6)[:, None, None],
        statistics.energies,
        statistics.precision,
    )  # every second block says the opposite
    assert nothing.explained_energy() < 0.1


def test_folds_are_those_that_are_given():
    """The even blocks and the odd ones contradict each other: folds that mix them hide it, folds by parity
    show it."""
    statistics = regression(12, 200)
    signs = torch.tensor([1.0, -1.0]).repeat(6)[:, None, None]
    opposed = replace(statistics, crosses=statistics.crosses * signs)
    assert replace(opposed, folds=tuple(b % 2 for b in range(12))).explained_energy() < -1
    assert abs(replace(opposed, folds=tuple(b // 2 for b in range(12))).explained_energy()) < 0.1


def test_emphasis_weights_coarse_scales():
    image = draw(1, 32, 32)
    pieces = [Piece(image, 0.3 * image)]
    fit = fit_gradients(pieces, torch.ones(1), scales=2, n_reweightings=2)
    fine, both = (block_statistics(pieces, fit, torch.ones(1), scales=s).grams[0, 0, 0] for s in (1, 2))
    twice = block_statistics(pieces, fit, torch.ones(1), scales=2, emphasis=0.5).grams[0, 0, 0]
    torch.testing.assert_close(twice, fine + 2 * (both - fine))


def test_the_posterior_root_is_that_of_the_covariance():
    statistics = regression(5, 50)
    root = statistics.posterior_root()
    gram = statistics.grams.sum(0).double() + torch.diag(statistics.precision)
    torch.testing.assert_close(root @ root.T, torch.linalg.inv(gram), rtol=1e-4, atol=1e-7)

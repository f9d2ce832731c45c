"""Normal equations by blocks: the same fit and honest cross-validation."""

from dataclasses import replace

import torch

from napari_bitsnet.core.displacement import Window
from napari_bitsnet.methods.guided.block_statistics import BlockStatistics
from napari_bitsnet.methods.guided.gradient_fit import Piece, difference_rows, fit_gradients

WHOLE = Window(0, 0, 32, 32)


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
    pieces = [
        Piece(image[:, :, a : a + 8], target[:, :, a : a + 8], blocks=torch.full((32, 8), a // 8))
        for a in range(0, 32, 8)
    ]
    precision = torch.full((2,), 0.1)
    fit = fit_gradients(pieces, precision, scales=2, n_reweightings=40)
    statistics = BlockStatistics.of(fit.blocks, precision)
    assert len(statistics.grams) == 4
    again = statistics.solve(torch.ones(1, 4))[0]
    torch.testing.assert_close(again.float(), fit.coefficients, atol=2e-4, rtol=0)


def test_blocks_of_a_piece_have_the_rows_inside_them_and_do_not_change_the_fit():
    """At each scale a block has the differences of the means that lie inside it; blocks begin anywhere."""
    blocks = [Window(0, 0, 9, 32), Window(9, 0, 23, 13), Window(9, 13, 23, 19)]
    image, noise = draw(2, 32, 32), draw(1, 32, 32, seed=1)
    piece = Piece(image, 0.3 * image[:1] - 0.2 * image[1:] + 0.1 * noise)
    apart = piece._replace(blocks=WHOLE.numbered(blocks))
    for scale, shapes in enumerate([[(9, 32), (23, 13), (23, 19)], [(4, 16), (11, 6), (11, 9)]]):
        rows = difference_rows(apart.halved() if scale else apart).blocks
        expected = [(h - 1) * w + h * (w - 1) for h, w in shapes]
        assert [int((rows == number).sum()) for number in range(3)] == expected
    precision = torch.full((2,), 0.1)
    fits = [fit_gradients([p], precision, scales=2, n_reweightings=3) for p in (piece, apart)]
    torch.testing.assert_close(fits[1].coefficients, fits[0].coefficients)
    assert (sorted(fits[1].blocks), fits[0].blocks) == ([0, 1, 2], {})


def test_blocks_without_valid_pixels_are_left_out():
    valid = torch.ones(1, 32, 32, dtype=torch.bool)
    valid[..., 8:16] = False
    blocks = [Window(0, left, 32, 8) for left in range(0, 32, 8)]
    fit = fit_gradients(
        [Piece(draw(2, 32, 32), draw(1, 32, 32, seed=1), valid, WHOLE.numbered(blocks))], torch.ones(2)
    )
    assert len(BlockStatistics.of(fit.blocks, torch.ones(2)).grams) == 3
    assert BlockStatistics.of(fit.blocks, torch.ones(2), folds=(3, 2, 1, 0)).folds == (3, 1, 0)


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
    pieces = [Piece(image, 0.3 * image, blocks=WHOLE.numbered([WHOLE]))]

    def gram(**settings) -> torch.Tensor:
        fit = fit_gradients(pieces, torch.ones(1), n_reweightings=1, **settings)
        return fit.blocks[0].gram[0, 0]

    fine, both, twice = gram(scales=1), gram(scales=2), gram(scales=2, emphasis=0.5)
    torch.testing.assert_close(twice, fine + 2 * (both - fine))


def test_the_posterior_root_is_that_of_the_covariance():
    statistics = regression(5, 50)
    root = statistics.posterior_root()
    gram = statistics.grams.sum(0).double() + torch.diag(statistics.precision)
    torch.testing.assert_close(root @ root.T, torch.linalg.inv(gram), rtol=1e-4, atol=1e-7)

"""Normal equations by blocks: the same fit, honest cross-validation, intervals that know about blocks."""

import torch

from napari_bitsnet.methods.guided.block_statistics import BlockStatistics, block_statistics
from napari_bitsnet.methods.guided.gradient_fit import Piece, fit_gradients


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def regression(blocks: int, rows: int, *, shared: float = 0.0, seed: int = 0) -> BlockStatistics:
    """``y = x · w + noise`` of unit variance, of which the part `shared` is the same for a whole block."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(blocks, rows, 3, generator=generator)
    x[..., 0] = 1  # what a block's common error pulls at
    common, own = (torch.randn(blocks, n, 1, generator=generator) for n in (1, rows))
    y = x @ torch.tensor([[0.5], [-1.0], [2.0]]) + shared**0.5 * common + (1 - shared) ** 0.5 * own
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


def test_the_posterior_root_is_that_of_the_covariance():
    statistics = regression(5, 50)
    root = statistics.posterior_root()
    gram = statistics.grams.sum(0).double() + torch.diag(statistics.precision)
    torch.testing.assert_close(root @ root.T, torch.linalg.inv(gram), rtol=1e-4, atol=1e-7)


def test_the_interval_is_stretched_where_a_block_s_rows_err_together():
    rows = draw(64, 3, seed=5)

    def inflation(shared: float) -> float:
        generator = torch.Generator().manual_seed(0)
        return regression(40, 50, shared=shared).inflation(rows, draws=64, generator=generator)

    assert 1 <= inflation(0.0) < 1.4
    assert inflation(0.5) > 1.8

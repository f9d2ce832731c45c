"""Normal equations by folds: the same fit and honest cross-validation."""

from dataclasses import replace

import pytest
import torch

from napari_bitsnet.core.displacement import Window
from napari_bitsnet.methods.guided import gradient_fit
from napari_bitsnet.methods.guided.fold_statistics import FoldStatistics
from napari_bitsnet.methods.guided.gradient_fit import Piece, Sums, difference_rows
from tests.methods.guided.fits import fit_gradients

WHOLE = Window(0, 0, 32, 32)


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def regression(folds: int, rows: int, *, seed: int = 0) -> FoldStatistics:
    """``y = x · w + noise`` of unit variance."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(folds, rows, 3, generator=generator, dtype=torch.float64)
    x[..., 0] = 1
    true = torch.tensor([[0.5], [-1.0], [2.0]], dtype=torch.float64)
    y = x @ true + torch.randn(folds, rows, 1, generator=generator)
    found = {f: Sums(x[f].mT @ x[f], x[f].mT @ y[f], float(y[f].square().sum())) for f in range(folds)}
    return FoldStatistics.of(found, torch.full((3,), 1e-3, dtype=torch.float64))


def test_all_folds_together_are_the_robust_fit():
    image, noise = draw(2, 32, 32), draw(1, 32, 32, seed=1)
    target = 0.3 * image[:1] - 0.2 * image[1:] + 0.1 * noise
    pieces = [
        Piece(image[:, :, a : a + 8], target[:, :, a : a + 8], folds=torch.full((32, 8), a // 8))
        for a in range(0, 32, 8)
    ]
    precision = torch.full((2,), 0.1)
    fit = fit_gradients(pieces, precision, scales=2, n_reweightings=40)
    statistics = FoldStatistics.of(fit.folds, precision)
    assert len(statistics.folds) == 4
    again = statistics.solve(statistics.total)
    torch.testing.assert_close(again.float(), fit.coefficients, atol=2e-4, rtol=0)


def test_folds_of_a_piece_have_the_rows_inside_them_and_do_not_change_the_fit():
    """At each scale a fold has the differences of the means that lie inside it; folds begin anywhere."""
    blocks = [Window(0, 0, 9, 32), Window(9, 0, 23, 13), Window(9, 13, 23, 19)]
    image, noise = draw(2, 32, 32), draw(1, 32, 32, seed=1)
    piece = Piece(image, 0.3 * image[:1] - 0.2 * image[1:] + 0.1 * noise)
    apart = piece._replace(folds=WHOLE.numbered(blocks))
    for scale, shapes in enumerate([[(9, 32), (23, 13), (23, 19)], [(4, 16), (11, 6), (11, 9)]]):
        rows = difference_rows(apart.halved() if scale else apart).folds
        expected = [(h - 1) * w + h * (w - 1) for h, w in shapes]
        assert [int((rows == number).sum()) for number in range(3)] == expected
    precision = torch.full((2,), 0.1)
    fits = [fit_gradients([p], precision, scales=2, n_reweightings=3) for p in (piece, apart)]
    torch.testing.assert_close(fits[1].coefficients, fits[0].coefficients)
    assert (sorted(fits[1].folds), fits[0].folds) == ([0, 1, 2], {})


def test_folds_without_valid_pixels_are_left_out():
    valid = torch.ones(1, 32, 32, dtype=torch.bool)
    valid[..., 8:16] = False
    blocks = [Window(0, left, 32, 8) for left in range(0, 32, 8)]
    fit = fit_gradients(
        [Piece(draw(2, 32, 32), draw(1, 32, 32, seed=1), valid, WHOLE.numbered(blocks))], torch.ones(2)
    )
    assert sorted(fit.folds) == [0, 2, 3]


def test_thinned_rows_stand_for_all_rows_of_their_fold(monkeypatch):
    """A ramp has the same difference everywhere: the sums say how many rows there are."""
    ramp = torch.arange(32.0).expand(1, 32, 32)
    monkeypatch.setattr(gradient_fit, "LEAST_THINNED", 1)
    monkeypatch.setattr(gradient_fit, "thinning", lambda pixels, n_features, scale: 4)
    found = [
        fit_gradients(
            [Piece(ramp, 0.5 * ramp, folds=torch.zeros(32, 32, dtype=torch.long))],
            torch.full((1,), 1e-6),
            n_reweightings=1,
            pixels=pixels,
        ).folds[0]
        for pixels in (0, 32 * 32)
    ]
    monkeypatch.undo()
    assert found[0].energy == found[1].energy > 0


def test_explained_energy_is_that_of_folds_not_fitted_to():
    statistics = regression(4, 600)
    clean = 1 - 1 / (1 + 0.25 + 1 + 4)
    assert abs(statistics.explained_energy() - clean) < 0.03
    opposed = tuple(s._replace(cross=(-1) ** f * s.cross) for f, s in enumerate(statistics.folds))
    assert replace(statistics, folds=opposed).explained_energy() < 0.1  # every second one says the opposite


def test_own_energies_are_what_columns_add_to_the_others():
    statistics = regression(4, 600)
    constant, small, large = statistics.own_energies([1, 1, 1])
    assert [constant, small, large] == pytest.approx([0.25 / 6.25, 1 / 6.25, 4 / 6.25], abs=0.03)
    assert statistics.own_energies([3]) == [statistics.explained_energy()]
    twice = torch.tensor([0, 1, 2, 2])  # the last column stands there twice: neither adds anything
    doubled = FoldStatistics(
        tuple(f._replace(gram=f.gram[twice][:, twice], cross=f.cross[twice]) for f in statistics.folds),
        statistics.precision[twice],
    )
    assert doubled.own_energies([2, 1, 1])[1:] == pytest.approx([0, 0], abs=1e-3)


def test_emphasis_weights_coarse_scales():
    image = draw(1, 32, 32)
    pieces = [Piece(image, 0.3 * image, folds=WHOLE.numbered([WHOLE]))]

    def gram(**settings) -> torch.Tensor:
        fit = fit_gradients(pieces, torch.ones(1), n_reweightings=1, **settings)
        return fit.folds[0].gram[0, 0]

    fine, both, twice = gram(scales=1), gram(scales=2), gram(scales=2, emphasis=0.5)
    torch.testing.assert_close(twice, fine + 2 * (both - fine))


def test_the_posterior_root_is_that_of_the_covariance():
    statistics = regression(5, 50)
    root = statistics.posterior_root()
    gram = statistics.total.gram + torch.diag(statistics.precision)
    torch.testing.assert_close(root @ root.T, torch.linalg.inv(gram), rtol=1e-4, atol=1e-7)

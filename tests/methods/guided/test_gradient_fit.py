"""Robust regression of gradients."""

import pytest
import torch

from napari_bitsnet.methods.guided import gradient_fit
from napari_bitsnet.methods.guided.gradient_fit import (
    Piece,
    difference_rows,
    thinning,
    weighted_gram,
)
from tests.methods.guided.fits import fit_gradients


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


FEATURES, TRUE = noise(4, 24, 32), noise(4, 2, seed=1)
TARGET = torch.einsum("nc,nhw->chw", TRUE, FEATURES)
WEAK = torch.full((4,), 1e-6)


@pytest.mark.parametrize("scales", [1, 3])
def test_exact_without_noise_whatever_the_constant(scales: int):
    fit = fit_gradients([Piece(FEATURES, TARGET + 3.0)], WEAK, scales=scales)
    torch.testing.assert_close(fit.coefficients, TRUE, atol=1e-4, rtol=0)
    assert len(fit.misfits) == scales
    assert max(fit.misfits) < 1e-4


def test_one_round_is_ridge_regression():
    target = TARGET + 0.5 * noise(2, 24, 32, seed=2)
    rows, steps = (t.double() for t in difference_rows(Piece(FEATURES, target))[1:3])
    m = float(steps.square().mean(1).sqrt().mean())
    prior, precision = noise(4, 2, seed=3), torch.tensor([10.0, 100.0, 1.0, 50.0])
    expected = torch.linalg.solve(
        rows.T @ rows / m**2 + torch.diag(precision.double()),
        rows.T @ steps / m**2 + precision.double()[:, None] * prior.double(),
    )
    fit = fit_gradients([Piece(FEATURES, target)], precision, n_reweightings=1, prior=prior)
    torch.testing.assert_close(fit.coefficients.double(), expected, atol=1e-4, rtol=1e-4)


def test_outliers_hardly_matter():
    spoilt = TARGET.clone()
    spoilt[:, 5:9, 5:25] += 30 * noise(2, 4, 20, seed=4)
    robust = fit_gradients([Piece(FEATURES, spoilt)], WEAK, n_reweightings=20).coefficients
    plain = fit_gradients([Piece(FEATURES, spoilt)], WEAK, n_reweightings=1).coefficients
    assert (robust - TRUE).abs().max() < 0.05
    assert (plain - TRUE).abs().max() > 0.3


def test_a_strong_prior_wins():
    prior = noise(4, 2, seed=5)
    fit = fit_gradients([Piece(FEATURES, TARGET)], torch.full((4,), 1e14), n_reweightings=1, prior=prior)
    torch.testing.assert_close(fit.coefficients, prior, atol=1e-4, rtol=0)


def test_missing_pixels_do_not_matter():
    valid = torch.ones(1, 24, 32, dtype=torch.bool)
    valid[:, 3:8, 10:20] = False
    spoilt = torch.where(valid, TARGET, torch.full_like(TARGET, 1e3))
    fit = fit_gradients([Piece(FEATURES, spoilt, valid)], WEAK, scales=2)
    torch.testing.assert_close(fit.coefficients, TRUE, atol=1e-4, rtol=0)


def test_pieces_add_up():
    target = TARGET + 0.5 * noise(2, 24, 32, seed=2)
    pieces = [Piece(FEATURES[..., :16], target[..., :16]), Piece(FEATURES[..., 16:], target[..., 16:])]
    apart = fit_gradients(pieces, WEAK, n_reweightings=2).coefficients
    order = fit_gradients(pieces[::-1], WEAK, n_reweightings=2).coefficients
    torch.testing.assert_close(apart, order, atol=1e-5, rtol=1e-4)
    whole = fit_gradients([Piece(FEATURES, target)], WEAK, n_reweightings=2).coefficients
    torch.testing.assert_close(apart, whole, atol=0.05, rtol=0)  # the seam's differences are left out


def test_rows_of_block_means():
    piece = Piece(FEATURES, TARGET)
    _, features, target, *_ = difference_rows(piece.halved())
    assert features.shape == (11 * 16 + 12 * 15, 4)
    assert target.shape == (11 * 16 + 12 * 15, 2)
    first = FEATURES[:, 2:4, :2].mean((1, 2)) - FEATURES[:, :2, :2].mean((1, 2))
    torch.testing.assert_close(features[0], first)


def test_the_weighted_product_is_computed_by_parts(monkeypatch: pytest.MonkeyPatch):
    rows, weight = noise(50, 11).double(), noise(50, seed=4).double()
    monkeypatch.setattr(gradient_fit, "ROWS", 7)
    monkeypatch.setattr(gradient_fit, "COLUMNS", 4)
    torch.testing.assert_close(weighted_gram(rows, weight), rows.T @ torch.diag(weight) @ rows)


def test_nothing_valid():
    with pytest.raises(ValueError, match="Expected valid pixels next to each other to fit to, got none"):
        fit_gradients([Piece(FEATURES, TARGET, torch.zeros(1, 24, 32, dtype=torch.bool))], WEAK)


def test_fewer_rows_find_nearly_the_same_coefficients(monkeypatch):
    target = TARGET + 0.1 * noise(2, 24, 32, seed=4)
    monkeypatch.setattr(gradient_fit, "LEAST_THINNED", 1)
    monkeypatch.setattr(gradient_fit, "THINNED", 2)
    monkeypatch.setattr(gradient_fit, "PIXELS_PER_FEATURE", 1)
    whole, thinned = (
        fit_gradients([Piece(FEATURES, target)], WEAK, scales=2, pixels=n) for n in (0, 24 * 32)
    )
    assert not torch.equal(thinned.coefficients, whole.coefficients)
    error, thinned_error = (float((fit.coefficients - TRUE).abs().max()) for fit in (whole, thinned))
    assert thinned_error < 2 * error


def test_larger_images_are_thinned_further_down_to_enough_rows_for_the_features():
    assert [thinning(2**14, 10, scale) for scale in range(3)] == [1, 1, 1]
    assert [thinning(2**16, 100, scale) for scale in range(4)] == [5, 2, 1, 1]
    assert [thinning(2**19, 100, scale) for scale in range(4)] == [20, 8, 4, 4]
    assert thinning(2**16, 840, 0) == 3
    assert thinning(2**16, 10_000, 0) == 1


def test_pieces_made_anew_are_fitted_to_as_kept_ones(monkeypatch):
    kept = [Piece(FEATURES, TARGET + 0.2 * noise(2, 24, 32, seed=4))]

    class Anew:
        def __iter__(self):
            return iter(kept)

    monkeypatch.setattr(gradient_fit, "LEAST_THINNED", 1)
    for pixels in (0, 24 * 32):
        a, b = (fit_gradients(pieces, WEAK, scales=2, pixels=pixels) for pieces in (kept, Anew()))
        torch.testing.assert_close(a.coefficients, b.coefficients)
        assert a.misfits == b.misfits

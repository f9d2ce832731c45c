"""Sparse gradients that refine an answer: the operator, its adjoint, and the minimum."""

from __future__ import annotations

import torch

from napari_bitsnet.methods.feedforward.anchored_sparse import _adjoint, anchored_sparse, gradient


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _cost(mixture: torch.Tensor, d: torch.Tensor, power: float) -> float:
    return sum(
        float(((gradient(mixture + s * d).square().sum(dim=(1, 2)) + 1e-3) ** (power / 2)).sum())
        for s in (1, -1)
    )


def test_adjoint():
    image, field = _random(2, 3, 5, 6), _random(2, 2, 3, 5, 6, seed=1)
    torch.testing.assert_close((gradient(image) * field).sum(), (image * _adjoint(field)).sum())


def test_quadratic_case_equals_the_closed_form():
    """With p = 2 all weights are equal: the mixture drops out and (D'D + a) d = a d0."""
    mixture, start = _random(1, 1, 4, 5), _random(1, 1, 4, 5, seed=1)
    basis = torch.eye(20, dtype=torch.float64).reshape(20, 1, 4, 5)
    matrix = _adjoint(gradient(basis)).reshape(20, 20)
    expected = torch.linalg.solve(matrix + 0.3 * torch.eye(20), 0.3 * start.flatten())
    found = anchored_sparse(mixture, start, anchor=0.3, power=2.0, rounds=1, steps=60)
    torch.testing.assert_close(found.flatten(), expected)


def test_sign_and_scale():
    mixture, start = _random(1, 3, 8, 8), _random(1, 3, 8, 8, seed=1)
    torch.testing.assert_close(anchored_sparse(mixture, -start), -anchored_sparse(mixture, start))


def test_edges_become_cheaper_and_a_strong_anchor_holds():
    mixture = torch.rand((1, 3, 24, 24), generator=torch.Generator().manual_seed(2)).double()
    start = 0.3 * mixture.flip(-1)
    refined = anchored_sparse(mixture, start, anchor=0.01)
    assert _cost(mixture, refined, 0.7) < _cost(mixture, start, 0.7)
    torch.testing.assert_close(anchored_sparse(mixture, start, anchor=1e6), start, rtol=0, atol=1e-4)


def test_a_marked_edge_leaves_the_other_share():
    mixture = torch.zeros(1, 1, 12, 12, dtype=torch.float64)
    mixture[..., 6:] = 1.0
    marks = torch.zeros(1, 2, 12, 12, dtype=torch.float64)
    nothing = torch.zeros_like(mixture)
    for k, sign in ((0, 1), (1, -1)):
        marks.zero_()[:, k, :, 5] = 1
        d = anchored_sparse(mixture, nothing, marks=marks, anchor=1e-3, steps=60)
        step = (d[..., 6:].mean() - d[..., :6].mean()) * sign
        assert 0.8 < float(step) <= 1.001  # the whole edge, of height 1, in the marked share

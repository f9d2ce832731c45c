"""Gradient exclusion, from Zhang et al.'s equation."""

import itertools
import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from napari_bitsnet.core.losses.exclusion import exclusion_loss, fitting_scales, pairwise_exclusion


def rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def written_out(a: Tensor, b: Tensor, n_scales: int, balanced: bool = False) -> float:
    """The published sum, channel pair by channel pair."""
    terms = []
    for _ in range(n_scales):
        for axis in (-1, -2):
            da, db = torch.diff(a, dim=axis), torch.diff(b, dim=axis)
            alpha = 2 * da.abs().mean() / db.abs().mean() if balanced else 1.0
            for i, j in itertools.product(range(a.shape[1]), range(b.shape[1])):
                squashed_a = torch.sigmoid(da[:, i]) * 2 - 1
                squashed_b = torch.sigmoid(db[:, j] * alpha) * 2 - 1
                terms.append(float((squashed_a**2 * squashed_b**2).mean() ** 0.25))
        a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
    return sum(terms) / len(terms)


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize(("channels", "size"), [((3, 3), (16, 12)), ((1, 2), (9, 15))])
def test_equals_the_published_sum(channels: tuple[int, int], size: tuple[int, int], balanced: bool) -> None:
    a, b = rand(1, channels[0], *size), rand(1, channels[1], *size, seed=1)
    loss = exclusion_loss(a, b, n_scales=3, balanced=balanced, epsilon=1e-18)
    assert float(loss) == pytest.approx(written_out(a, b, 3, balanced), rel=1e-3)


def test_one_edge_in_closed_form() -> None:
    """A step of height h in both, at the same place: one of W - 1 horizontal differences is not zero."""
    a = torch.zeros(1, 1, 4, 5, dtype=torch.float64)
    a[..., 3:] = 0.8
    horizontal = (math.tanh(0.4) ** 4 / 4) ** 0.25
    assert float(exclusion_loss(a, a, n_scales=1, epsilon=1e-20)) == pytest.approx(horizontal / 2, rel=1e-4)


def test_zero_where_no_edges_coincide() -> None:
    a, b = torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 8, 8)
    a[..., 2:, :], b[..., 6:, :] = 1, 1
    assert float(exclusion_loss(a, b, n_scales=1)) == 0
    assert float(exclusion_loss(a, torch.full_like(a, 0.3), n_scales=3)) == 0


def test_slope_is_finite_at_zero() -> None:
    a = torch.zeros(1, 3, 8, 8, requires_grad=True)
    b = torch.zeros(1, 3, 8, 8, requires_grad=True)
    exclusion_loss(a, b).backward()
    assert a.grad is not None
    assert torch.isfinite(a.grad).all()
    c = torch.rand(1, 3, 8, 8, requires_grad=True)
    flat = torch.zeros(1, 3, 8, 8, requires_grad=True)
    exclusion_loss(c, flat).backward()
    assert torch.isfinite(c.grad).all()
    assert torch.isfinite(flat.grad).all()


@pytest.mark.parametrize("balanced", [False, True])
def test_gradient(balanced: bool) -> None:
    a, b = rand(1, 2, 6, 5).requires_grad_(), rand(1, 1, 6, 5, seed=3).requires_grad_()
    assert torch.autograd.gradcheck(lambda x, y: exclusion_loss(x, y, n_scales=2, balanced=balanced), (a, b))


def test_order_does_not_matter() -> None:
    sources = rand(3, 2, 12, 12)
    assert float(exclusion_loss(sources[:1], sources[1:2])) == pytest.approx(
        float(exclusion_loss(sources[1:2], sources[:1])), rel=1e-12
    )
    losses = [float(pairwise_exclusion(sources[list(p)])) for p in itertools.permutations(range(3))]
    assert losses == pytest.approx([losses[0]] * 6, rel=1e-12)


def test_pairs_are_averaged() -> None:
    sources = rand(3, 1, 12, 12)
    pairs = [exclusion_loss(sources[[i]], sources[[j]]) for i, j in ((0, 1), (0, 2), (1, 2))]
    assert float(pairwise_exclusion(sources)) == pytest.approx(float(sum(pairs)) / 3, rel=1e-12)


def test_masked_pixels_do_not_count() -> None:
    a, b = rand(1, 2, 16, 16), rand(1, 2, 16, 16, seed=1)
    valid = torch.ones(1, 1, 16, 16, dtype=torch.bool)
    assert float(exclusion_loss(a, b, valid=valid)) == pytest.approx(float(exclusion_loss(a, b)), rel=1e-12)
    valid[..., 5:8, 6:11] = False
    changed = a.clone()
    changed[..., 5:8, 6:11] = 9.0
    first, second = exclusion_loss(a, b, valid=valid), exclusion_loss(changed, b, valid=valid)
    assert float(first) == pytest.approx(float(second), rel=1e-12)
    assert float(first) != pytest.approx(float(exclusion_loss(a, b)), rel=1e-3)


def test_nothing_valid_is_zero() -> None:
    a = rand(1, 1, 8, 8)
    assert float(exclusion_loss(a, a, valid=torch.zeros(1, 1, 8, 8, dtype=torch.bool))) == 0


def test_small_images_use_fewer_scales() -> None:
    assert [fitting_scales(side, 100, 3) for side in (2, 3, 4, 7, 8)] == [1, 1, 2, 2, 3]
    sources = rand(2, 1, 3, 9)
    expected = exclusion_loss(sources[:1], sources[1:], n_scales=1)
    assert torch.equal(pairwise_exclusion(sources, n_scales=3), expected)


def test_wrong_sizes_are_named() -> None:
    with pytest.raises(ValueError, match=r"same N, H and W, got shapes \(1, 1, 4, 4\) and \(1, 1, 4, 5\)"):
        exclusion_loss(rand(1, 1, 4, 4), rand(1, 1, 4, 5))
    with pytest.raises(ValueError, match="keep 2 pixels a side, got 4 x 4: use n_scales=2"):
        exclusion_loss(rand(1, 1, 4, 4), rand(1, 1, 4, 4), n_scales=3)

from __future__ import annotations

import pytest
import torch
from skimage.restoration import denoise_tv_chambolle

from napari_bitsnet.core.denoisers.tv import tv
from napari_bitsnet.core.operators.gradient import gradient


def image(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def energy(u: torch.Tensor, x: torch.Tensor, weight: float) -> float:
    lengths = torch.linalg.vector_norm(gradient(u), dim=0)
    return float(0.5 * (u - x).square().sum() + weight * lengths.sum())


def test_equals_scikit_image_at_convergence():
    noisy = image(1, 1, 20, 24)
    expected = denoise_tv_chambolle(noisy[0, 0].numpy(), weight=0.1, eps=1e-12, max_num_iter=5000)
    answer = tv(noisy, 0.1, weight=0.1, iterations=1000)[0, 0].numpy()
    assert abs(answer - expected).max() < 1e-4


def test_no_nearby_image_has_less_energy():
    noisy = image(1, 1, 12, 12)
    answer = tv(noisy, 0.1, weight=0.1, iterations=2000)
    least = energy(answer, noisy, 0.1)
    for seed in range(20):
        nearby = answer + 1e-2 * (image(1, 1, 12, 12, seed=seed) - 0.5)
        assert energy(nearby, noisy, 0.1) > least


def test_a_step_loses_height_as_the_closed_form_says():
    # two flat halves of width n, jump 1: each half moves towards the other by w / n (length of the edge /
    # area)
    step = torch.zeros(1, 1, 10, 20, dtype=torch.float64)
    step[..., 10:] = 1
    answer = tv(step, 0.1, weight=0.5, iterations=2000)
    torch.testing.assert_close(answer[0, 0, 0, [0, 19]], torch.tensor([0.05, 0.95], dtype=torch.float64))


def test_a_great_weight_leaves_the_mean():
    noisy = image(1, 2, 8, 8)
    expected = noisy.mean((-2, -1), keepdim=True).expand_as(noisy)
    torch.testing.assert_close(tv(noisy, 0.1, weight=50.0, iterations=500), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("options", "text"),
    [({"weight": 0.0}, "Expected weight > 0"), ({"iterations": 0}, "iterations >= 1, got 0.1 and 0")],
)
def test_refuses_settings_out_of_range(options, text):
    with pytest.raises(ValueError, match=text):
        tv(image(1, 1, 8, 8), 0.1, **options)

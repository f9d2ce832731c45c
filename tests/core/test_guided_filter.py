"""The guided filter against brute force."""

import pytest
import torch

from napari_bitsnet.core.guided_filter import apply_coefficients, box_mean, linear_coefficients


@pytest.fixture
def images():
    return torch.rand(2, 3, 9, 11, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("radius", [0, 1, 3, 20])
def test_box_mean_is_the_mean_of_the_window_inside_the_image(images, radius):
    means = box_mean(images, radius)
    for y, x in ((0, 0), (4, 5), (8, 10)):
        window = images[..., max(0, y - radius) : y + radius + 1, max(0, x - radius) : x + radius + 1]
        torch.testing.assert_close(means[..., y, x], window.mean(dim=(-2, -1)))


def test_linear_relations_are_found_exactly(images):
    guide = images[:1]
    matrix = torch.tensor([[0.5, -1.0, 2.0], [0.1, 0.2, 0.3]], dtype=torch.float64)
    target = torch.einsum("qp,nphw->nqhw", matrix, guide) + 0.7
    a, b = linear_coefficients(guide, target, radius=3, epsilon=1e-12)
    torch.testing.assert_close(a, matrix[:, :, None, None].expand(2, 3, 9, 11), rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(apply_coefficients(a, b, guide), target)


def test_one_window_is_ridge_regression(images):
    guide, target = images[:1, :2], images[1:, :1]
    a, _ = linear_coefficients(guide, target, radius=20, epsilon=0.01)
    x, y = guide[0].flatten(1), target[0].flatten(1)
    x, y = x - x.mean(1, keepdim=True), y - y.mean(1, keepdim=True)
    n = x.shape[1]
    expected = torch.linalg.solve(x @ x.T / n + 0.01 * torch.eye(2, dtype=torch.float64), x @ y.T / n)
    torch.testing.assert_close(a[:, :, 4, 5], expected.T)


def test_a_flat_guide_gives_the_local_mean(images):
    guide = torch.full((1, 1, 9, 11), 0.3, dtype=torch.float64)
    a, b = linear_coefficients(guide, images[:1], radius=1, epsilon=1e-4)
    torch.testing.assert_close(a, torch.zeros_like(a))
    torch.testing.assert_close(b, box_mean(box_mean(images[:1], 1), 1))

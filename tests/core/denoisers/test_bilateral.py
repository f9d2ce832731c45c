from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_bitsnet.core.denoisers.bilateral import bilateral
from napari_bitsnet.core.denoisers.gaussian import gaussian


def image(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_equals_the_formula_pixel_by_pixel():
    noisy, contrast, width, radius = image(1, 1, 9, 11), 0.3, 1.2, 4
    x = noisy[0, 0].numpy()
    padded = np.pad(x, radius, mode="reflect")
    offsets = np.arange(-radius, radius + 1)
    nearness = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * width**2))
    expected = np.empty_like(x)
    for row, column in np.ndindex(x.shape):
        around = padded[row : row + 2 * radius + 1, column : column + 2 * radius + 1]
        weights = nearness * np.exp(-((around - x[row, column]) ** 2) / (2 * contrast**2))
        expected[row, column] = (weights * around).sum() / weights.sum()
    answer = bilateral(noisy, 0.1, contrast=contrast, width=width)[0, 0].numpy()
    np.testing.assert_allclose(answer, expected, rtol=0, atol=1e-12)


def test_is_the_gaussian_where_brightness_does_not_count():
    smooth = image(1, 1, 24, 24)
    answer = bilateral(smooth, 0.1, contrast=1e6, width=1.0)[..., 4:-4, 4:-4]
    torch.testing.assert_close(answer, gaussian(smooth, 0.1, width=1.0)[..., 4:-4, 4:-4], atol=2e-3, rtol=0)


def test_keeps_a_step_much_higher_than_the_noise():
    step = torch.zeros(1, 1, 12, 12)
    step[..., 6:] = 1
    torch.testing.assert_close(bilateral(step, 0.05), step)


@pytest.mark.parametrize(
    ("options", "text"), [({"width": 0.0}, "width > 0 pixels"), ({"contrast": 0.0}, "Expected contrast > 0")]
)
def test_refuses_settings_out_of_range(options, text):
    with pytest.raises(ValueError, match=text):
        bilateral(image(1, 1, 8, 8), 0.1, **options)

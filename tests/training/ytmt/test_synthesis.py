"""Mixtures of photographs with reflections, by the published ways."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.signal import convolve2d

from napari_bitsnet.training.loop import generator
from napari_bitsnet.training.ytmt.synthesis import GAMMA, blurred, ceilnet, linear_light, screen, synthesise


def photograph(seed: int, brightness: float = 1.0) -> torch.Tensor:
    return brightness * torch.rand(1, 3, 24, 20, generator=torch.Generator().manual_seed(seed))


def test_the_blur_is_ceilnets_kernel_with_zeros_beyond_the_border():
    image = photograph(0)
    at = np.arange(11) - 5
    line = np.exp(-(at**2) / (2 * 3.0**2))
    kernel = np.outer(line, line) / line.sum() ** 2
    expected = np.stack([convolve2d(channel, kernel, mode="same") for channel in image[0].numpy()])
    np.testing.assert_allclose(blurred(image, 3.0)[0], expected, atol=1e-6)
    assert torch.equal(blurred(image, 0.0), image)


@pytest.mark.parametrize("brightness", [0.4, 1.0])
def test_ceilnets_reflection_is_darkened_by_what_exceeds_white(brightness):
    behind, before = photograph(1, brightness), photograph(2, brightness)
    draw = generator(0, 1)
    mixture, transmission, reflection = ceilnet(behind, before, draw)
    sigma = 2 + 3 * float(torch.rand((), generator=generator(0, 1)))
    blur = blurred(before, sigma)
    above = (behind + blur)[behind + blur > 1]
    excess = GAMMA * (above.mean() - 1) if len(above) else 0.0
    assert bool(len(above)) == (brightness == 1.0)
    torch.testing.assert_close(reflection, (blur - excess).clamp(0, 1))
    torch.testing.assert_close(mixture, (behind + reflection).clamp(0, 1))
    assert torch.equal(transmission, behind)


def test_light_adds_up_before_the_tone_curve():
    mixture, transmission, reflection = linear_light(photograph(3), photograph(4), generator(0, 2))
    total = (transmission**2.2 + reflection**2.2).clamp(max=1)
    torch.testing.assert_close(mixture**2.2, total, rtol=0, atol=1e-5)
    assert float((transmission <= photograph(3) + 1e-6).float().mean()) == 1, "glass only dims"


def test_a_screen_of_black_is_the_other_image():
    mixture, transmission, reflection = screen(photograph(5), torch.zeros(1, 3, 24, 20), generator(0, 3))
    torch.testing.assert_close(mixture, transmission)
    assert float(reflection.max()) == 0
    mixture, transmission, reflection = screen(photograph(5), photograph(6), generator(0, 3))
    torch.testing.assert_close(1 - mixture, (1 - transmission) * (1 - reflection))


def test_every_mixture_is_a_photograph_and_depends_on_the_seed_alone():
    behind, before = (torch.cat([photograph(s) for s in seeds]) for seeds in (range(8), range(8, 16)))
    made = synthesise(behind, before, 0.3, generator(0, 4))
    for part in (made.mixture, made.transmission, made.reflection):
        assert part.shape == behind.shape
        assert 0 <= float(part.min()) <= float(part.max()) <= 1
    again = synthesise(behind, before, 0.3, generator(0, 4))
    assert torch.equal(made.mixture, again.mixture)
    published = synthesise(behind, before, 1.0, generator(0, 4))
    assert torch.equal(published.transmission, behind)
    assert torch.equal(published.images[:, 1], published.reflection)

"""Haze: the dark channel, transmissions and their inversion."""

from __future__ import annotations

import pytest
import torch

from napari_bitsnet.core.haze import (
    LEAST,
    clear_scene,
    dark_channel,
    dark_channel_transmission,
    estimate_airlight,
    least_around,
    smoothing_transmission,
)
from napari_bitsnet.core.mixing import Haze
from napari_bitsnet.core.stages import exhaust

AIRLIGHT = (0.85, 0.9, 0.88)


def scene(size: int = 48) -> torch.Tensor:
    """Random dark and coloured blocks (1, 3, H, W); black ones everywhere, one large white one."""
    rng = torch.Generator().manual_seed(0)
    blocks = torch.rand((1, 3, size // 4, size // 4), generator=rng) ** 2
    blocks[:, 0][torch.rand(blocks[:, 0].shape, generator=rng) < 0.4] = 0
    image = blocks.repeat_interleave(4, -1).repeat_interleave(4, -2)
    image[..., 20:32, 14:26] = 0.8
    return image


def transmission(size: int = 48) -> torch.Tensor:
    return torch.linspace(0.3, 0.9, size)[None, None, :, None].expand(1, 1, size, size)


def test_least_around_is_the_minimum_of_the_window():
    image = torch.rand((1, 1, 9, 8), generator=torch.Generator().manual_seed(1))
    least = least_around(image, 2)
    assert float(least[0, 0, 4, 3]) == float(image[0, 0, 2:7, 1:6].min())
    assert float(least[0, 0, 0, 0]) == float(image[0, 0, :3, :3].min())


def test_the_mixing_and_its_inversion_agree():
    t = transmission()
    hazy = Haze(AIRLIGHT, t)(scene())
    torch.testing.assert_close(clear_scene(hazy, t, AIRLIGHT), scene(), atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="Expected a known airlight and transmission, got none"):
        Haze()(scene())


def test_haze_raises_the_dark_channel():
    hazy = Haze(AIRLIGHT, transmission())(scene())
    assert bool((dark_channel(hazy, 3) >= dark_channel(scene(), 3) - 1e-6).all())


def test_the_airlight_is_the_colour_of_dense_haze():
    t = transmission().clone()
    t[..., :10, :] = 1e-3
    found = estimate_airlight(Haze(AIRLIGHT, t)(scene()), 2)
    assert found == pytest.approx(AIRLIGHT, abs=0.02)


def test_a_smooth_envelope_bridges_what_is_bright():
    t, image = transmission(), Haze(AIRLIGHT, transmission())(scene())
    smooth = exhaust(smoothing_transmission(image, AIRLIGHT, radius=0.05, smoothness=20))
    windows = dark_channel_transmission(image, AIRLIGHT, 2)
    inside = (..., slice(22, 30), slice(16, 24))
    assert float((smooth - t)[inside].abs().mean()) < 0.5 * float((windows - t)[inside].abs().mean())
    assert float((smooth - t).abs().mean()) < 0.08
    assert float(smooth.min()) >= LEAST
    assert float(smooth.max()) <= 1


def test_the_envelope_is_never_below_what_windows_allow():
    grey = 0.45 + 0.1 * scene()  # nothing dark
    grey[..., 30:34, 30:34] = 0.0  # but here
    image = Haze(AIRLIGHT, transmission())(grey)
    smooth = exhaust(smoothing_transmission(image, AIRLIGHT, radius=0.05, smoothness=20))
    windows = dark_channel_transmission(image, AIRLIGHT, 2, part=1.0)
    assert bool((smooth >= windows).all())
    assert bool((smooth > windows + 0.01).any())

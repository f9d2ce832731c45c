"""The interval of guided sources holds the truth as often as it says, and a narrower one does not."""

import numpy as np
import pytest
import torch

from napari_bitsnet.methods.guided import interval
from napari_bitsnet.methods.guided.interval import half_width

SIZE = 64


def drawn_pair(seed: int, energy: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the rest, the explained parts, and the first source's error, as the model of the interval states
    them.

    Both sides miss parts of equal strength, locally and as a whole, and the explained parts are confused in
    proportion.
    """
    generator = torch.Generator().manual_seed(seed)
    parts = torch.randn(2, 1, SIZE, SIZE, generator=generator)
    strength = 0.5 + torch.rand(1, 1, 4, 4, generator=generator)
    strength = torch.nn.functional.interpolate(strength, (SIZE, SIZE), mode="bilinear")
    missed = strength * torch.randn(2, 1, SIZE, SIZE, generator=generator)
    confused = 0.3 * (1 - energy) * (parts[0] - parts[1])
    rest = missed.sum(0, keepdim=True)
    missed = interval.CALIBRATION_ALL * missed
    error = (missed[0] - missed[1]) / 2 + confused
    return rest, parts, error - error.mean()


def coverage(factor: float = 1.0) -> float:
    held = []
    for seed in range(6):
        energy = 0.3 + 0.1 * seed
        rest, parts, error = drawn_pair(seed, energy)
        half = factor * half_width(rest, parts, energy, 0.5, complete=True)[0]
        held.append(float((error.abs() <= half).double().mean()))
    return float(np.mean(held))


def test_ninety_per_cent_is_ninety_per_cent():
    assert 0.86 < coverage() < 0.94


def test_a_narrower_interval_is_noticed():
    assert coverage(0.7) < 0.86


@pytest.mark.parametrize("complete", [True, False])
def test_it_grows_with_the_rest_and_is_never_nothing(complete: bool):
    rest, parts, _ = drawn_pair(0, 0.5)
    one = half_width(rest, parts, 1.0, 0.5, complete=complete)
    double = half_width(2 * rest, parts, 1.0, 0.5, complete=complete)
    torch.testing.assert_close(double, 2 * one)
    assert half_width(0 * rest, 0 * parts, 1.0, 0.0, complete=complete).min() > 0


def test_large_images_get_their_map_from_a_smaller_one(monkeypatch: pytest.MonkeyPatch):
    rest, parts, _ = drawn_pair(1, 0.5)
    whole = half_width(rest, parts, 0.5, 0.5, complete=True)
    monkeypatch.setattr(interval, "MAP_PIXELS", 32 * 32)
    small = half_width(rest, parts, 0.5, 0.5, complete=True)
    assert small.shape == whole.shape
    assert float((small / whole).log().abs().mean()) < 0.05


def test_missing_pixels_do_not_matter():
    rest, parts, _ = drawn_pair(2, 0.5)
    valid = torch.ones(1, 1, SIZE, SIZE, dtype=torch.bool)
    valid[..., 10:20, 10:20] = False
    clean = half_width(rest, parts, 0.5, 0.5, complete=True, valid=valid)
    spoiled = half_width(torch.where(valid, rest, 90.0), parts, 0.5, 0.5, complete=True, valid=valid)
    torch.testing.assert_close(clean, spoiled)

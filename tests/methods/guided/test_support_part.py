"""Weave and grain are told from paint by their spectrum."""

import numpy as np
import pytest

from napari_bitsnet.data.panel import Recipe, simulate_panel
from napari_bitsnet.methods.guided.support import support_part


def left_over(seed: int, support: float, size: int = 192) -> tuple[np.ndarray, np.ndarray]:
    """What no photograph shows of a panel, and the support in it."""
    panel = simulate_panel(seed, size, misregistration=0, recipe=Recipe(support=support))
    return (panel.truths - panel.explained).sum(axis=0), panel.parts["support"].sum(axis=0)


@pytest.mark.parametrize("seed", [1020, 1021, 1022])
def test_it_finds_the_support(seed: int):
    left, support = left_over(seed, 0.12)
    found = support_part(left)
    before, after = (np.corrcoef(image.ravel(), support.ravel())[0, 1] for image in (left, found))
    assert before < 0.5
    assert after > 0.6
    transfer = (found * support).sum() / np.square(support).sum()
    assert 0.25 < transfer < 1


@pytest.mark.parametrize("seed", [1020, 1023])
def test_without_a_support_it_finds_next_to_nothing(seed: int):
    left, _ = left_over(seed, 0.0)
    assert np.square(support_part(left)).mean() < 0.01 * left.var()


def test_a_weave_is_found_exactly_and_a_turned_image_turned():
    y, x = np.mgrid[:128, :96].astype(float)
    weave = np.sin(2 * np.pi * (0.11 * x + 0.07 * y)) + np.sin(2 * np.pi * (0.11 * y - 0.07 * x))
    rough = np.random.default_rng(0).normal(0, 0.3, weave.shape)
    found = support_part(weave + rough)
    assert np.corrcoef(found.ravel(), weave.ravel())[0, 1] > 0.95
    np.testing.assert_allclose(support_part((weave + rough).T), found.T, atol=1e-3)
    np.testing.assert_allclose(support_part(3 * (weave + rough) + 7), 3 * found, atol=1e-3)


def test_noise_and_nothing():
    noise = np.random.default_rng(1).normal(size=(96, 128))
    assert np.square(support_part(noise)).mean() < 0.02
    assert not support_part(np.full((40, 50), 3.0)).any()
    assert support_part(np.random.default_rng(2).normal(size=(3, 5))).shape == (3, 5)

"""The simulated panel: frozen by its seed, true to its own account of what is in it."""

import numpy as np
import pytest

from napari_bitsnet.core.metrics import score
from napari_bitsnet.data.fields import displace
from napari_bitsnet.data.paintings import SCENES, painting
from napari_bitsnet.data.panel import Recipe, simulate_panel
from napari_bitsnet.data.photographs import bundled_photograph


@pytest.fixture(scope="module")
def panel():
    return simulate_panel(3, 96)


def test_the_seed_freezes_everything(panel):
    again, other = simulate_panel(3, 96), simulate_panel(4, 96)
    for name in ("mixture", "truths", "explained", "displacements"):
        np.testing.assert_array_equal(getattr(panel, name), getattr(again, name))
    np.testing.assert_array_equal(panel.guides, again.guides)
    assert np.abs(panel.mixture.astype(float) - other.mixture).mean() > 1000


@pytest.mark.parametrize(
    ("bits", "kind", "tolerance"), [(16, np.uint16, 0.51), (8, np.uint8, 0.51), (0, np.float32, 1e-6)]
)
def test_truths_add_up_to_the_mixture(bits, kind, tolerance):
    panel = simulate_panel(1, 64, bits=bits)
    assert panel.mixture.dtype == kind
    assert np.abs(panel.truths.sum(0) - panel.mixture).max() <= tolerance


def test_densities_add_under_attenuation():
    panel = simulate_panel(1, 64, attenuation=True, bits=0)
    density = -np.log(panel.mixture / panel.i0)
    np.testing.assert_allclose(panel.truths.sum(0), density, atol=1e-5)


def test_what_no_photograph_shows_is_substantial():
    gains = []
    for seed in range(3):
        panel = simulate_panel(seed, 96)
        for guides in (2, 1):
            sources = panel.ceiling(guides)
            np.testing.assert_allclose(sources.sum(0), panel.truths.sum(0), rtol=1e-5)
            gains.append(score(sources, panel.truths, panel.mixture)["mean_gain_offset_free"])
    assert 6 < np.mean(gains[::2]) < 10
    assert 3.5 < np.mean(gains[1::2]) < 7


@pytest.mark.parametrize("kind", ["smooth", "rigid"])
def test_guides_are_displaced_by_what_is_said(kind):
    aligned = simulate_panel(5, 96, misregistration=0.0, kind=kind)
    moved = simulate_panel(5, 96, misregistration=1.5, kind=kind)
    assert not aligned.displacements.any()
    size = np.sqrt((moved.displacements**2).sum(1).mean((1, 2)))
    np.testing.assert_allclose(size, 1.5)
    assert (np.ptp(moved.displacements, axis=(2, 3)) > 0.5).all() == (kind == "smooth")
    for k in range(2):
        again = displace(aligned.guides[k] / 255.0, *moved.displacements[k])
        assert np.abs(again - moved.guides[k] / 255.0).mean() < 0.005
        assert np.abs(aligned.guides[k] / 255.0 - moved.guides[k] / 255.0).mean() > 0.01
    np.testing.assert_array_equal(aligned.mixture, moved.mixture)


def test_noise_has_the_stated_strength():
    clean, noisy = simulate_panel(2, 64, bits=0), simulate_panel(2, 64, bits=0, noise=0.05)
    spread = np.std(noisy.mixture - clean.mixture) / np.ptp(clean.mixture)
    assert abs(spread - 0.05) < 0.003


def test_photographs_serve_as_paintings():
    sides = [bundled_photograph("astronaut", 80), bundled_photograph("coffee", 100)]
    panel = simulate_panel(0, (64, 48), sides, misregistration=0.0)
    assert panel.mixture.shape == (64, 48)
    assert (
        np.corrcoef(panel.guides[0].ravel(), bundled_photograph("astronaut", (64, 48)).ravel())[0, 1] > 0.95
    )


@pytest.mark.parametrize("kind", sorted(SCENES))
def test_paintings_of_every_kind(kind):
    image, relief = painting(np.random.default_rng(0), (64, 96), kind)
    assert image.shape == (64, 96, 3)
    assert image.min() >= 0
    assert image.max() <= 1
    assert image.std() > 0.08
    assert relief.shape == (64, 96)
    np.testing.assert_allclose(relief.std(), 1)


def test_errors():
    with pytest.raises(ValueError, match=r"at least 32 x 32 pixels, got 16 x 16"):
        simulate_panel(0, 16)
    with pytest.raises(ValueError, match=r"Expected 16 or 8 bits, or 0 for float32, got 12"):
        simulate_panel(0, 64, bits=12)
    with pytest.raises(ValueError, match=r"two paintings of shape \(Y, X, 3\), got \(64, 64, 3\)"):
        simulate_panel(0, 64, [np.zeros((64, 64, 3))])
    with pytest.raises(ValueError, match=r"\"smooth\" or \"rigid\", got 'wild'"):
        simulate_panel(0, 64, kind="wild")
    with pytest.raises(ValueError, match=r"Unknown kind of painting 'fresco'. Known: landscape"):
        painting(np.random.default_rng(0), (64, 64), "fresco")


def test_parts_are_all_that_colours_do_not_tell(panel):
    rest = panel.truths - panel.explained - sum(panel.parts.values())
    np.testing.assert_allclose(
        rest, rest.mean(axis=(1, 2), keepdims=True).repeat(96, 1).repeat(96, 2), atol=0.5
    )
    assert panel.parts.keys() == {"relief", "design", "cracks", "support"}
    np.testing.assert_array_equal(panel.parts["support"][0], panel.parts["support"][1])


def test_a_recipe_leaves_out_what_it_gives_no_strength():
    panel = simulate_panel(3, 64, recipe=Recipe(cracks=0, visible_cracks=0, support=0))
    assert not panel.parts["cracks"].any()
    assert not panel.parts["support"].any()
    assert panel.parts["relief"].any()

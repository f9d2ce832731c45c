"""A known shape added to one's own images: where it must go, and what is refused."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_bitsnet.api.spike import denser, lightened, ring_and_bar, room, spike_in
from napari_bitsnet.data.panel import simulate_panel

PANEL = simulate_panel(3, 64)


def test_a_hidden_design_is_unexplained_and_so_in_both_sources():
    found = spike_in(PANEL.mixture, PANEL.guides, "mixture", preset="quick", extent=0.2)
    assert abs(found.transfer["unexplained"] - 1) < 0.15
    assert abs(found.transfer["source_1"] + found.transfer["source_2"] - 1) < 1e-3
    assert found.crosstalk < 0.15
    assert found.elsewhere < 0.2
    assert found.amplitude > 0
    assert "unexplained" in str(found)


def test_what_photograph_and_mixture_show_goes_to_that_side():
    rng = np.random.default_rng(0)
    first, second = (gaussian_filter(rng.standard_normal((64, 64)), 2) for _ in range(2))
    arguments = {"preset": "quick", "settings": {"registration": "none", "trust": False}}
    found = spike_in(3 * first + second, [first, second], "source_2", extent=0.2, **arguments)
    assert found.expected["source_2"] == 1
    assert abs(found.transfer["source_2"] - 1) < 0.15
    assert abs(found.transfer["source_1"]) < 0.15


def test_what_only_a_photograph_shows_is_expected_nowhere():
    found = spike_in(PANEL.mixture, PANEL.guides[:1], "guide_1", preset="quick", extent=0.2)
    assert set(found.expected.values()) == {0.0}
    assert abs(found.transfer["source_1"] + found.transfer["source_2"]) < 1e-3  # the mixture has none of it
    assert found.crosstalk == max(abs(found.transfer[f"source_{k}"]) for k in (1, 2))


def test_the_shape_is_soft_and_where_it_was_asked_for():
    shape = ring_and_bar((60, 100), (0.5, 0.25), 0.2)
    assert shape.min() == 0
    assert shape.max() == 1
    y, x = np.nonzero(shape)
    assert (abs(y.mean() - 29.5), abs(x.mean() - 24.75)) < (0.5, 0.5)
    assert np.hypot(y - 29.5, x - 24.75).max() < 14
    assert len(np.unique(shape)) > 10


def test_density_and_lightness():
    image = np.full((4, 4), 100, np.uint16)
    np.testing.assert_allclose(denser(image, np.full((4, 4), 0.1), False), 100.1)
    np.testing.assert_allclose(denser(image, np.full((4, 4), 0.1), True), 100 * np.exp(-0.1))
    guide = np.zeros((4, 4, 3), np.uint8)
    guide[0] = 200
    np.testing.assert_allclose(lightened(guide, np.full((4, 4), 0.5))[0], 200)
    np.testing.assert_allclose(lightened(guide, np.full((4, 4), 0.5))[1:], 100)
    assert room(guide, np.eye(4)) == 1
    assert room(200 - guide, np.eye(4)) == -1


@pytest.mark.parametrize(
    ("where", "arguments", "message"),
    [
        ("guide_2", {}, "where to be one of mixture, guide_1, source_1, got 'guide_2'"),
        ("mixture", {"centre": (0.05, 0.5)}, "at least 4 px radius within the image"),
        ("mixture", {"extent": 0.02}, "at least 4 px radius within the image, got 1.3 px"),
    ],
)
def test_errors(where: str, arguments: dict, message: str):
    with pytest.raises(ValueError, match=message):
        spike_in(PANEL.mixture, [PANEL.guides[0], None], where, **arguments)


def test_colour_is_refused():
    with pytest.raises(ValueError, match="in grey"):
        spike_in(PANEL.guides[0], PANEL.guides, "mixture")

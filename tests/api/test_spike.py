"""A known shape added to one's own images: where it must go, and what is refused."""

import numpy as np
import pytest
import tifffile
from scipy.ndimage import gaussian_filter

from napari_bitsnet.api.spike import denser, freed, lightened, ring_and_bar, room, spike_in
from napari_bitsnet.core.exposure import expose
from tests.panels import shared_panel


def sides():
    return shared_panel(3, 64)


def test_a_hidden_design_is_unexplained_and_so_in_both_sources():
    found = spike_in(sides().mixture, sides().guides, "mixture", preset="quick", extent=0.2)
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


@pytest.fixture
def detector(tmp_path):
    """A detector with a dark current half as strong as the beam, a sloping beam, and pixels without
    density."""
    panel = shared_panel(3, 64, attenuation=True, bits=0)
    beam = 20000 * (1 + 0.3 * np.linspace(-1, 1, 64)) + np.zeros((64, 1))
    dark = 10000 + 500 * np.random.default_rng(0).random((64, 64))
    assert panel.i0 is not None
    image = np.round(beam * panel.mixture / panel.i0 + dark).astype(np.uint16)
    image[30:34, 30], image[30:34, 31] = 65535, 5000  # saturated, and without signal: within the shape
    frames = {"flat": tmp_path / "flat.tif", "dark": tmp_path / "dark.tif"}
    tifffile.imwrite(frames["flat"], np.round(beam + dark).astype(np.uint16))
    tifffile.imwrite(frames["dark"], np.round(dark).astype(np.uint16))
    return panel, image, frames


def test_under_attenuation_only_the_signal_is_weakened(detector):
    _, image, frames = detector
    flat, dark = (tifffile.imread(frames[name]).astype(float) for name in ("flat", "dark"))
    shape = ring_and_bar((64, 64), (0.5, 0.5), 0.2)
    intensity, i0 = freed(image, image.dtype, frames["flat"], frames["dark"], None, None)
    there = expose(denser(intensity, 0.3 * shape, True), i0=i0)
    before = expose(image, flat=flat, dark=dark)
    lost = np.isnan(before.density)
    assert lost.sum() == 8
    np.testing.assert_array_equal(np.isnan(there.density), lost)
    np.testing.assert_allclose((there.density - before.density)[~lost], 0.3 * shape[~lost], atol=1e-12)
    # the same as weakening the beam and leaving the dark current
    raw = dark + (image - dark) * np.exp(-0.3 * shape)
    by_hand = expose(raw, flat=flat, dark=dark).density
    np.testing.assert_allclose(there.density[~lost], by_hand[~lost], atol=1e-12)


def test_a_dark_current_does_not_make_a_shape_seem_stronger(detector):
    panel, image, frames = detector
    arguments = {"preset": "quick", "extent": 0.2, "settings": {"trust": False}}
    found = spike_in(image, panel.guides, mixing="attenuation", **frames, **arguments)
    assert abs(found.transfer["source_1"] + found.transfer["source_2"] - 1) < 1e-3
    assert abs(found.transfer["unexplained"] - 1) < 0.15


@pytest.mark.parametrize("missing", ["opacity", "nan"])
def test_guides_with_missing_parts(missing: str):
    guide = sides().guides[0].copy()
    hole = np.zeros((64, 64), bool)
    hole[:, 48:] = True
    if missing == "opacity":
        holed = np.dstack([guide, np.where(hole, 0, 255).astype(np.uint8)])
        holed[hole, :3] = 0
    else:
        holed = np.where(hole[..., None], np.nan, guide).astype(np.float32)
    lighter = lightened(holed, np.full((64, 64), 0.1))
    np.testing.assert_array_equal(np.isnan(lighter).all(axis=-1), hole)
    assert (lighter[~hole] >= guide[~hole]).all()
    found = spike_in(
        sides().mixture, [holed], "guide_1", preset="quick", extent=0.2, settings={"trust": False}
    )
    assert np.isfinite([*found.transfer.values(), found.amplitude]).all()
    with pytest.raises(ValueError, match="where it does not cover the mixture: move centre"):
        spike_in(sides().mixture, [holed], "guide_1", preset="quick", extent=0.1, centre=(0.5, 0.88))


def test_what_only_a_photograph_shows_is_expected_nowhere():
    found = spike_in(sides().mixture, sides().guides[:1], "guide_1", preset="quick", extent=0.2)
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
        spike_in(sides().mixture, [sides().guides[0], None], where, **arguments)


def test_colour_is_refused():
    with pytest.raises(ValueError, match="in grey"):
        spike_in(sides().guides[0], sides().guides, "mixture")

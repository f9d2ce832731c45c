"""Detector grey levels to optical density: frames, I0, and pixels without density."""

import numpy as np
import pytest

import napari_bitsnet as nb
from napari_bitsnet.core.exposure import expose

RNG = np.random.default_rng(0)
DENSITY = RNG.uniform(0.1, 2.0, (20, 24))
BEAM = 30000 * (1 + 0.3 * np.linspace(-1, 1, 24)) + np.zeros((20, 1))
DARK = 500 + 20 * RNG.random((20, 24))


def test_flat_and_dark_frames_give_the_density_itself():
    seen = expose(BEAM * np.exp(-DENSITY) + DARK, flat=BEAM + DARK, dark=DARK)
    np.testing.assert_allclose(seen.density, DENSITY)
    assert seen.i0 == pytest.approx(BEAM.mean())
    np.testing.assert_allclose(seen.intensity, seen.i0 * np.exp(-DENSITY))
    assert seen.notices() == []


def test_colour_channels_share_the_frames():
    image = (BEAM * np.exp(-DENSITY) + DARK)[..., None] * np.ones(3)
    found = expose(image, flat=BEAM + DARK, dark=DARK).density
    np.testing.assert_allclose(found, DENSITY[..., None] * np.ones(3))


def test_i0_is_given_or_a_percentile():
    image = 1000 * np.exp(-DENSITY)
    np.testing.assert_allclose(expose(image, i0=1000).density, DENSITY)
    assert expose(image).i0 == pytest.approx(np.percentile(image, 99.5))
    assert expose(image, percentile=90).i0 == pytest.approx(np.percentile(image, 90))


def test_pixels_without_density_are_counted():
    image = (BEAM * np.exp(-DENSITY)).astype(np.uint16)
    image[0, :3], image[1, :2] = 0, 65535
    seen = expose(image)
    assert np.isnan(seen.density).sum() == 5
    assert (seen.dark.sum(), seen.saturated.sum()) == (3, 2)
    (notice,) = seen.notices()
    assert str(notice) == (
        "1.04% of the pixels carry no optical density and are left out (NaN in the results): 3 without "
        "signal (zero, or not above the dark frame) and 2 saturated."
    )
    below = expose(image, dark=np.full(image.shape, 4000.0))
    assert below.dark.sum() > 3


@pytest.mark.parametrize(("largest", "count"), [(4095, 1), (4000, 0), (65535, 1)])
def test_the_end_of_shallower_detectors_is_known(largest: int, count: int):
    image = np.full((4, 4), 1000, np.uint16)
    image[2, 2] = largest
    assert expose(image).saturated.sum() == count


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"flat": BEAM[:5]}, r"a flat frame of \(20, 24\) pixels in grey, as the image, got \(5, 24\)"),
        ({"flat": DARK, "dark": BEAM}, "a flat frame brighter than the dark frame, got none"),
        ({"i0": -1.0}, "a positive intensity without an object"),
    ],
)
def test_errors(arguments: dict, message: str):
    with pytest.raises(ValueError, match=message):
        expose(BEAM * np.exp(-DENSITY), **arguments)


def test_the_public_function_gives_the_density_with_frames_or_a_blank():
    grey = nb.intensity_to_density(BEAM * np.exp(-DENSITY) + DARK, flat=BEAM + DARK, dark=DARK)
    np.testing.assert_allclose(grey, DENSITY)
    apart = [nb.intensity_to_density(1000 * np.exp(-share * DENSITY), i0=1000) for share in (0.4, 0.6)]
    np.testing.assert_allclose(sum(apart), nb.intensity_to_density(1000 * np.exp(-DENSITY), i0=1000))
    image = (1000 * np.exp(-DENSITY)).tolist()
    np.testing.assert_array_equal(nb.intensity_to_density(image), expose(np.array(image)).density)


def test_opacity_is_no_intensity_and_clear_pixels_carry_no_density():
    image = np.stack([*[1000 * np.exp(-DENSITY)] * 3, np.ones_like(DENSITY)], axis=-1)
    image[3, 4, 3] = 0
    found = nb.intensity_to_density(image, i0=1000)
    assert found.shape == (20, 24, 3)
    assert np.argwhere(np.isnan(found).any(axis=-1)).tolist() == [[3, 4]]


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (
            np.ones((5, 20, 24)),
            r"an image \(Y, X\) or \(Y, X, 3 or 4\), got shape \(5, 20, 24\): take a stack slice by",
        ),
        (np.full((4, 4), np.nan), "Expected finite values, got only NaN"),
    ],
)
def test_only_planes_of_numbers_become_densities(image, message):
    with pytest.raises(ValueError, match=message):
        nb.intensity_to_density(image)

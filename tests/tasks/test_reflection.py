"""The task reflection: its outputs, units, and what it makes of ranges, masks, sizes and colours."""

from __future__ import annotations

import numpy as np
import pytest

import napari_bitsnet as nb
from napari_bitsnet.core.metrics import psnr
from napari_bitsnet.data import samples

RNG = np.random.default_rng(0)
PHOTOGRAPH = np.kron(RNG.integers(0, 250, (6, 8, 3)), np.ones((12, 12, 1))).astype(np.uint8)


def solve(image, **changes):
    return nb.run("reflection", image, preset="quick", **changes)


def test_three_images_explain_the_photograph():
    result = solve(PHOTOGRAPH)
    outputs = {name: output.array for name, output in result.outputs.items()}
    assert list(outputs) == ["transmission", "reflection", "unexplained"]
    total = outputs["transmission"] + outputs["reflection"] + outputs["unexplained"]
    np.testing.assert_allclose(total, PHOTOGRAPH, atol=1e-3)
    assert result.sources.shape == (2, *PHOTOGRAPH.shape)
    for name in ("transmission", "reflection"):
        assert 0 <= outputs[name].min() <= outputs[name].max() <= 255
        assert result.outputs[name].units == "mixture"
    assert result.outputs["unexplained"].kind == "difference"
    assert result.provenance["method"] == "ytmt"


@pytest.mark.parametrize(
    "image",
    [PHOTOGRAPH[..., 0], PHOTOGRAPH[:51, :37], PHOTOGRAPH[:5, :9]],
    ids=lambda image: str(image.shape),
)
def test_any_size_and_grey_images_come_back_as_they_came(image):
    for output in solve(image).outputs.values():
        assert output.shape == image.shape
        assert np.isfinite(output.array).all()


def test_units_follow_the_photograph():
    eight = solve(PHOTOGRAPH)
    fraction = solve(PHOTOGRAPH / np.float32(255), high=1.0)
    sixteen = solve(PHOTOGRAPH.astype(np.uint16) * 257, high=65535.0)
    np.testing.assert_allclose(fraction.sources * 255, eight.sources, atol=0.01)
    np.testing.assert_allclose(sixteen.sources / 257, eight.sources, atol=0.01)
    shifted = solve(PHOTOGRAPH.astype(np.float32) + 100, low=100.0, high=355.0)
    np.testing.assert_allclose(shifted.sources - 100, eight.sources, atol=0.01)
    outputs = shifted.outputs
    total = outputs["transmission"].array + outputs["reflection"].array - 100 + outputs["unexplained"].array
    np.testing.assert_allclose(total, PHOTOGRAPH + 100.0, atol=1e-3)


def test_masked_pixels_are_missing_and_change_nothing_far_away():
    mask = np.zeros(PHOTOGRAPH.shape[:2], bool)
    mask[2:5, 3:6] = True
    result = solve(PHOTOGRAPH, mask=mask)
    for output in result.outputs.values():
        assert np.isnan(output.array[mask]).all()
        assert np.isfinite(output.array[~mask]).all()


def test_the_sample_comes_closer_to_its_truths_than_the_photograph():
    image, transmission, reflection = (layer[0] for layer in samples.reflection())
    result = nb.run("reflection", image)
    found = result.outputs["transmission"].array / 255
    assert psnr(found, transmission / 255) > psnr(image / 255, transmission / 255) + 2
    other = result.outputs["reflection"].array / 255
    for null in (image / 255, np.zeros_like(other)):
        assert psnr(other, reflection / 255) > psnr(null, reflection / 255) + 2
    assert result.outputs["disagreement"].shape == image.shape[:2]

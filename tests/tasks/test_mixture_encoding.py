"""The setting `encoding` in tasks whose sources add up, and clipped mixtures. Images are drawn here."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_bitsnet.core.encoding import Transfer
from napari_bitsnet.data.photographs import photograph
from napari_bitsnet.methods.unmixing.ica import Ica, IcaConfig
from napari_bitsnet.tasks import Inputs
from napari_bitsnet.tasks.multi_mixture import MultiMixture, MultiMixtureConfig
from napari_bitsnet.tasks.separate import Separate, SeparateConfig

WEIGHTS = np.array([[0.72, 0.28], [0.45, 0.55]])
SIZE = 96
CURVE = Transfer(255.0)


@pytest.fixture(scope="module")
def truths() -> np.ndarray:
    return np.stack([photograph(seed, SIZE) for seed in (1, 2)]).astype(np.float64) * 255


@pytest.fixture(scope="module")
def photographs(truths) -> np.ndarray:
    """Two mixtures whose weights act on light, as 8-bit sRGB."""
    return np.round(CURVE.to_stored(np.tensordot(WEIGHTS, CURVE.to_light(truths), axes=1))).astype(np.uint8)


def solve(images, **config):
    task, method = MultiMixture(MultiMixtureConfig(**config)), Ica(IcaConfig(rounds=0))
    built = task.build(Inputs(images))
    state = method.start(built.problem, device="cpu", seed=0)
    list(method.advance(state))
    return built, task.outputs(built, method.solution(state))


def test_known_weights_act_on_light_and_sources_are_photographs_again(truths, photographs):
    _, outputs = solve(photographs, weights=WEIGHTS, encoding="srgb")
    for k, truth in enumerate(truths):
        light = CURVE.to_light(outputs[f"source_{k + 1}"].array.astype(np.float64))
        assert (
            np.abs(light - CURVE.to_light(truth)).mean() < 1.5
        )  # rounding, times the inverse of the weights
        assert np.abs(outputs[f"source_{k + 1}"].array - truth).mean() < 2
    assert np.abs(outputs["residual"].array).max() < 0.01  # as many mixtures as sources: all is explained


def test_linear_is_what_it_was(photographs):
    _, outputs = solve(photographs, weights=WEIGHTS, encoding="linear")
    expected = np.tensordot(np.linalg.inv(WEIGHTS), photographs.astype(np.float64), axes=1)
    np.testing.assert_allclose(outputs["source_1"].array, expected[0], atol=1e-2)


@pytest.mark.parametrize("on_light", [True, False], ids=["photographs", "averages of stored values"])
def test_by_itself_the_task_follows_colours_of_8_bits(truths, photographs, on_light):
    images = photographs if on_light else np.round(np.tensordot(WEIGHTS, truths, axes=1)).astype(np.uint8)
    built, _ = solve(images)
    assert built.transfer == (CURVE if on_light else Transfer())
    assert [notice.category for notice in built.notices if notice.category == "encoding"] == [
        "encoding"
    ] * on_light


@pytest.mark.parametrize("change", [lambda x: x.astype(np.uint16), lambda x: x / 255, lambda x: x[..., 1]])
def test_deeper_floating_and_grey_images_stay_linear_by_themselves(photographs, change):
    built, _ = solve(change(photographs))
    assert built.transfer.is_identity
    assert not [notice for notice in built.notices if notice.category == "encoding"]


def test_a_check_advises_the_encoding_that_explains_more(photographs):
    (advice,) = MultiMixture(MultiMixtureConfig(encoding="linear")).advice(Inputs(photographs))
    assert 'Set encoding="srgb".' in str(advice)
    assert MultiMixture(MultiMixtureConfig(encoding="srgb")).advice(Inputs(photographs)) == []
    decoded = CURVE.to_light(photographs) / 255
    (advice,) = MultiMixture(MultiMixtureConfig(encoding="srgb")).advice(Inputs(decoded))
    assert 'Set encoding="linear".' in str(advice)


def test_slices_share_the_encoding_of_the_middle_one(photographs):
    flat = np.full_like(photographs, 7)
    task, notices = MultiMixture(MultiMixtureConfig()).for_stack([flat, photographs, flat])
    assert task.config.encoding == "srgb"
    assert [notice.category for notice in notices] == ["encoding"]


def test_attenuation_decodes_before_the_logarithm(photographs):
    task = MultiMixture(
        MultiMixtureConfig(mixing="attenuation", encoding="srgb", i0=255.0, registration="none")
    )
    image = task.build(Inputs(photographs)).observed
    darker = np.clip(photographs, 1, 254)
    expected = np.log(255.0) - np.log(CURVE.to_light(darker))
    inside = (photographs > 0) & (photographs < 255)
    np.testing.assert_allclose(image[inside], expected[inside], rtol=1e-6)
    assert task.units == "density"


def test_clipped_pixels_are_said_and_left_out_of_the_estimate(photographs):
    bright = np.clip(photographs.astype(int) * 2, 0, 255).astype(np.uint8)
    built, outputs = solve(bright, encoding="linear")
    clipped = (bright == 255).any(axis=(0, -1))
    np.testing.assert_array_equal(built.problem.mixing.clipped[0, 0].numpy(), clipped)
    (notice,) = [notice for notice in built.notices if notice.category == "range"]
    assert notice.numbers["share"] == pytest.approx(clipped.mean())
    assert np.isfinite(outputs["source_1"].array).all()


def test_a_shift_of_one_pixel_leaves_one_row_missing():
    """Along the other axis nothing is missing."""
    scenes = np.stack([photograph(seed, SIZE + 8) for seed in (1, 2)]).astype(np.float64)
    mixed = np.tensordot(WEIGHTS, scenes, axes=1)
    images = np.stack([mixed[0, 4:-4, 4:-4], mixed[1, 5:-3, 4:-4]])
    _, outputs = solve(images)
    missing = np.isnan(outputs["source_1"].array).any(axis=-1)
    assert missing.sum() == SIZE
    assert missing[0].all()


def test_shares_of_a_photograph_add_up_as_light(photographs):
    task = Separate(SeparateConfig(encoding="srgb"))
    built = task.build(Inputs(photographs[0]))
    shares = torch.cat([0.3 * built.problem.observations, 0.7 * built.problem.observations])
    outputs = task.outputs(built, {"sources": shares})
    light = [CURVE.to_light(outputs[name].array.astype(np.float64)) for name in ("source_1", "source_2")]
    np.testing.assert_allclose(sum(light), CURVE.to_light(photographs[0]), atol=0.01)
    assert np.abs(outputs["residual"].array).max() < 0.01
    scored = task.scorable(photographs[0], np.stack([outputs["source_1"].array] * 2), photographs, None)
    np.testing.assert_allclose(scored[0], CURVE.to_light(photographs[0]))
    np.testing.assert_allclose(scored[1][0], light[0], atol=1e-3)


@pytest.mark.parametrize(("grey", "decoded"), [(False, True), (True, False)])
def test_a_single_photograph_without_a_word_is_decoded_with_one(photographs, grey, decoded):
    image = photographs[0, ..., 1] if grey else photographs[0]
    built = Separate(SeparateConfig(encoding="auto")).build(Inputs(image))
    assert built.transfer.is_identity is not decoded
    assert [notice.category for notice in built.notices] == ["encoding"] * decoded


def test_ends_of_the_range_are_given_as_stored(photographs):
    built = Separate(SeparateConfig(encoding="srgb", low=10, high=250)).build(Inputs(photographs[0]))
    curve = Transfer(250.0)
    assert built.problem.scaling.lo == pytest.approx(float(curve.to_light(np.array(10.0))))
    assert built.problem.scaling.hi == pytest.approx(250)

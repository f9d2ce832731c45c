from __future__ import annotations

import re

import numpy as np
import pytest

from napari_bitsnet.data.photographs import photograph
from napari_bitsnet.methods.unmixing.ica import Ica, IcaConfig
from napari_bitsnet.tasks import Inputs
from napari_bitsnet.tasks.multi_mixture import MultiMixture, MultiMixtureConfig

WEIGHTS = np.array([[0.72, 0.28], [0.45, 0.55]])
SIZE = 40


@pytest.fixture(scope="module")
def truths() -> np.ndarray:
    return np.stack([photograph(seed, SIZE) for seed in range(2)])


@pytest.fixture
def mixtures(truths) -> np.ndarray:
    return np.tensordot(WEIGHTS, truths, axes=1)


def solve(images, mask=None, **config) -> dict[str, np.ndarray]:
    task, method, inputs = MultiMixture(MultiMixtureConfig(**config)), Ica(), Inputs(images, mask=mask)
    built = task.build(inputs)
    problem = built.problem
    assert 0 <= float(problem.observations.min()) <= float(problem.observations.max()) <= 1
    state = method.start(problem, device="cpu", seed=0)
    list(method.advance(state))
    return task.outputs(built, method.solution(state))


def sources(outputs: dict[str, np.ndarray]) -> np.ndarray:
    return np.stack([outputs["source_1"], outputs["source_2"]])


# --- Settings ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [WEIGHTS, WEIGHTS.tolist()], ids=["array", "lists"])
def test_an_array_of_weights_becomes_a_rule_and_values(weights):
    config = MultiMixtureConfig(n_sources=2, weights=weights)
    assert config.weights == "given"
    assert config.given == (0.72, 0.28, 0.45, 0.55)
    np.testing.assert_array_equal(config.matrix, WEIGHTS)
    assert MultiMixtureConfig.model_validate_json(config.model_dump_json()) == config
    assert MultiMixtureConfig().updated({"weights": weights}) == config


def test_columns_of_weights_say_how_many_sources():
    assert MultiMixtureConfig(weights=np.eye(3)).n_sources == 3


def test_without_given_weights_there_is_no_matrix():
    assert MultiMixtureConfig(weights="sum-to-one").matrix is None


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"weights": [[1.0, 2.0, 3.0]], "n_sources": 2}, r"weights of shape \(mixtures, 2 sources\)"),
        ({"weights": [1.0, 2.0], "n_sources": 2}, r"got shape \(2,\)"),
        ({"weights": 3.0}, r"got shape \(\)"),
        ({"weights": "given"}, "Expected the weights in given"),
        ({"given": (1.0, 0.0, 0.0, 1.0)}, "got 'free': say so, or list none"),
        ({"weights": "given", "given": (1.0, 2.0, 3.0)}, "Expected 2 weights for each mixture, got 3"),
        ({"weights": "given", "given": ()}, "Expected 2 weights for each mixture, got 0"),
        ({"weights": [[1.0, np.nan], [0.0, 1.0]]}, "Expected finite weights"),
        ({"weights": [[1.0, 2.0], [2.0, 4.0]]}, "weights that tell the sources apart"),
        ({"weights": [[1.0, 2.0]]}, "at least as many mixtures as sources"),
        ({"weights": "equal"}, "free"),
    ],
)
def test_weights_that_make_no_sense_are_refused(settings, text):
    with pytest.raises(ValueError, match=text):
        MultiMixtureConfig(**settings)


# --- Units ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ["free", "sum-to-one", WEIGHTS], ids=["free", "sum-to-one", "given"])
@pytest.mark.parametrize(
    ("scale", "offset", "dtype"),
    [(1.0, 0.0, np.float64), (255, 0, np.uint8), (2000, 40_000, np.uint16), (1.0, -3.0, np.float32)],
)
def test_weighted_sources_and_residual_are_the_mixtures(mixtures, rule, scale, offset, dtype):
    images = mixtures * scale + offset
    images = (np.round(images) if np.issubdtype(dtype, np.integer) else images).astype(dtype)
    outputs = solve(images, weights=rule)
    total = np.tensordot(outputs["weights"].astype(float), sources(outputs).astype(float), axes=1)
    total += outputs["residual"]
    assert outputs["residual"].shape == images.shape
    np.testing.assert_allclose(total, images.astype(float), rtol=0, atol=1e-6 * np.ptp(images.astype(float)))


@pytest.mark.parametrize("rule", ["sum-to-one", WEIGHTS], ids=["sum-to-one", "given"])
def test_weights_that_add_to_one_give_sources_in_the_mixtures_units(mixtures, truths, rule):
    found = sources(solve(mixtures * 500 + 1000, weights=rule))
    assert np.abs(found - (truths * 500 + 1000)).mean() < 0.02 * 500


def test_given_weights_are_exact_with_negative_values(truths):
    weights = np.array([[0.9, 0.5], [0.2, 0.7], [0.3, 0.3]])
    images = np.tensordot(weights, truths - 0.8, axes=1)
    found = sources(solve(images, weights=weights))
    np.testing.assert_allclose(found, truths - 0.8, atol=1e-5)


def test_free_sources_are_true_up_to_scale(truths):
    outputs = solve(np.tensordot([[0.5, 0.9], [1.2, 0.3]], 1000 * truths, axes=1), weights="free")
    for found, true in zip(sources(outputs), truths[::-1], strict=True):
        scale = (found * true).sum() / (found**2).sum()  # no offset
        assert np.abs(scale * found - true).mean() < 0.02


def test_attenuating_sources_come_as_densities(truths):
    densities = np.tensordot([[1.0, 0.6], [0.4, 0.9]], truths, axes=1)
    outputs = solve(60_000 * np.exp(-densities), mixing="attenuation", i0=60_000, weights="free")
    assert np.abs(outputs["residual"]).max() < 1e-5
    assert np.corrcoef(outputs["source_1"].ravel(), truths[0].ravel())[0, 1] > 0.99


def test_grey_mixtures_stay_grey(mixtures):
    outputs = solve(mixtures.mean(axis=-1), weights="sum-to-one")
    assert outputs["source_1"].shape == (SIZE, SIZE)
    assert outputs["residual"].shape == (2, SIZE, SIZE)


def test_a_range_can_be_given(mixtures):
    problem = MultiMixture(MultiMixtureConfig(low=-1.0, high=3.0)).build(Inputs(mixtures)).problem
    assert (problem.scaling.lo, problem.scaling.hi) == (-1.0, 3.0)


# --- Missing pixels ------------------------------------------------------------------------------------


def test_pixels_missing_in_any_mixture_are_missing(mixtures):
    mixtures[0, 3, 4] = np.nan
    mixtures[1, 20, 7, 1] = np.inf
    mask = np.zeros((SIZE, SIZE), dtype=bool)
    mask[30:33, 10:20] = True
    expected = mask.copy()
    expected[3, 4] = expected[20, 7] = True
    outputs = solve(mixtures, mask, weights="sum-to-one")
    np.testing.assert_array_equal(np.isnan(outputs["source_1"]).all(axis=-1), expected)
    for image in outputs["residual"]:
        np.testing.assert_array_equal(np.isnan(image).any(axis=-1), expected)


def test_opacity_is_dropped_and_clear_pixels_are_missing(mixtures):
    opacity = np.full((2, SIZE, SIZE, 1), 255.0)
    opacity[1, 5, 6] = 0
    outputs = solve(np.concatenate([mixtures * 255, opacity], axis=-1), weights="sum-to-one")
    assert outputs["source_1"].shape == (SIZE, SIZE, 3)
    assert np.argwhere(np.isnan(outputs["source_1"][..., 0])).tolist() == [[5, 6]]


# --- What cannot be worked on ---------------------------------------------------------------------------


def test_fewer_mixtures_than_sources_are_refused(mixtures):
    with pytest.raises(ValueError, match="Expected at least 3 mixtures of 3 sources, got 2: add mixtures"):
        solve(mixtures, n_sources=3)


def test_weights_for_other_mixtures_are_refused(mixtures):
    with pytest.raises(ValueError, match="Expected weights for the 2 mixtures, got 3 rows"):
        solve(mixtures, weights=[[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])


def test_mixtures_of_different_shapes_are_refused(mixtures):
    with pytest.raises(ValueError, match=r"of one shape, got \(40, 40, 3\) and \(39, 40, 3\)"):
        solve([mixtures[0], mixtures[1, 1:]])


def test_a_mask_of_another_shape_is_refused(mixtures):
    with pytest.raises(ValueError, match=r"Expected a mask of shape \(40, 40\), got \(4, 4\)"):
        solve(mixtures, np.zeros((4, 4), dtype=bool))


def test_a_mixture_without_values_is_refused(mixtures):
    mixtures[1] = np.nan
    with pytest.raises(ValueError, match="only NaN or infinite ones for mixture 2"):
        solve(mixtures)


def test_mixtures_that_are_nowhere_valid_together_are_refused(mixtures):
    mixtures[0, :20], mixtures[1, 20:] = np.nan, np.nan
    with pytest.raises(ValueError, match="Expected pixels that are valid in all mixtures, got none"):
        solve(mixtures)


@pytest.mark.parametrize(
    "copy",
    [lambda i: i, lambda i: 0.5 * i + 20, lambda i: np.round(0.5 * i).astype(np.uint8), lambda i: 0 * i],
    ids=["itself", "contrast", "rounded", "constant"],
)
def test_copies_of_one_mixture_are_refused(mixtures, copy):
    image = np.round(mixtures[0] * 255).astype(np.uint8)
    with pytest.raises(
        ValueError, match="Expected 2 mixtures with different weights, got 2 of which 1 differ"
    ):
        solve([image, copy(image)])


def test_images_too_small_for_an_estimate_are_refused(mixtures):
    with pytest.raises(ValueError, match=r"at least 16 x 16 pixels .* got 9 x 40: give the weights"):
        solve(mixtures[:, :9])
    assert solve(mixtures[:, :9], weights=WEIGHTS)["source_1"].shape == (9, SIZE, 3)


# --- Shifts and noise -----------------------------------------------------------------------------------


def test_shifted_mixtures_are_moved_back_and_it_is_said():
    from scipy.ndimage import shift as move

    images = np.stack([photograph(seed, 72) for seed in range(2)])
    mixed = np.tensordot(WEIGHTS, images, axes=1)
    mixed[1] = move(mixed[1], (1.4, -0.6, 0), order=5, mode="reflect")
    task = MultiMixture(MultiMixtureConfig(weights="sum-to-one"))
    (notice,) = task.build(Inputs(mixed)).notices
    assert re.search(r"mixture 2 by \+1\.\d+, -0\.\d+ pixels .* were moved back", str(notice))
    found = sources(solve(mixed, weights="sum-to-one"))
    assert np.isnan(found[:, -2:]).all()
    assert np.isnan(found[:, :, :1]).all()
    inner = (slice(None), slice(5, -5), slice(5, -5))
    left = sources(solve(mixed, weights="sum-to-one", registration="none"))
    assert np.abs(found - images)[inner].mean() < 0.5 * np.abs(left - images)[inner].mean()  # about a quarter


def test_noisy_mixtures_are_denoised_in_rounds_and_clean_ones_are_not():
    rng = np.random.default_rng(0)
    images = np.stack([photograph(seed, 48) for seed in range(2)])
    clean = np.tensordot(WEIGHTS, images, axes=1)
    errors = []
    for noise, rounds, expected in ((0.0, 2, 1), (0.03, 0, 1), (0.03, 2, 3)):
        task, method = MultiMixture(MultiMixtureConfig(weights=WEIGHTS)), Ica(IcaConfig(rounds=rounds))
        inputs = Inputs(clean + noise * rng.standard_normal(clean.shape))
        built = task.build(inputs)
        state = method.start(built.problem, device="cpu", seed=0)
        assert len(list(method.advance(state))) == expected
        outputs = task.outputs(built, method.solution(state))
        errors.append(np.square(np.clip(sources(outputs), 0, 1) - images).mean())
        total = np.tensordot(outputs["weights"].astype(float), sources(outputs).astype(float), axes=1)
        np.testing.assert_allclose(total + outputs["residual"], inputs.mixture, atol=1e-5)
    assert errors[0] < 1e-10
    assert errors[2] < 0.4 * errors[1]

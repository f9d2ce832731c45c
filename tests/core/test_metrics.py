from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from napari_bitsnet.core.metrics import copy_fraction, empty_answers, psnr, score, ssim, without_offset

RNG = np.random.default_rng


def images(n: int = 2, shape: tuple[int, ...] = (24, 30), seed: int = 0) -> np.ndarray:
    """n images in [0, 1] with structure that SSIM can see."""
    y, x = np.mgrid[: shape[0], : shape[1]] / 10
    planes = [0.5 + 0.4 * np.sin((k + 1) * x + k) * np.cos((2 - k) * y) for k in range(n)]
    stack = np.stack(planes)
    if len(shape) == 3:
        stack = stack[..., None] * np.linspace(1, 0.5, shape[2])
    return np.clip(stack + 0.05 * RNG(seed).standard_normal(stack.shape), 0, 1)


def shares(shape: tuple[int, ...] = (24, 30)) -> tuple[np.ndarray, np.ndarray]:
    truths = images(shape=shape) / 2
    return truths, truths.sum(axis=0)


# --- PSNR and SSIM --------------------------------------------------------------------------------------


def test_psnr_by_hand():
    assert psnr(np.full((4, 4), 0.6), np.full((4, 4), 0.5)) == pytest.approx(20)
    assert psnr(np.ones((2, 2)), np.ones((2, 2))) == float("inf")


@pytest.mark.parametrize("shape", [(24, 30), (24, 30, 3)])
def test_ssim_is_one_for_equal_images_and_scikit_images_else(shape):
    a, b = images(shape=shape)
    assert ssim(a, a) == pytest.approx(1)
    options = {"data_range": 1, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    channels = (
        [structural_similarity(a[..., c], b[..., c], **options) for c in range(3)] if len(shape) == 3 else []
    )
    assert ssim(a, b) == pytest.approx(
        np.mean(channels) if channels else structural_similarity(a, b, **options)
    )


def test_without_offset_takes_the_best_constant_of_each_channel():
    truth = images(1, (24, 30, 3))[0]
    np.testing.assert_allclose(without_offset(truth + np.array([0.1, -0.2, 0.3]), truth), truth, atol=1e-12)


# --- Scores -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(24, 30), (24, 30, 3)])
def test_the_truth_is_perfect_in_any_order(shape):
    truths, mixture = shares(shape)
    for order in ([0, 1], [1, 0]):
        result = score(truths[order], truths, mixture, lo=0, hi=1)
        assert result["assignment"] == order
        assert result["psnr"] == [float("inf")] * 2
        assert result["mean_ssim"] == pytest.approx(1)


def test_the_order_of_estimates_does_not_count():
    truths, mixture = shares()
    truths = np.concatenate([truths, images(1, seed=5) / 3])
    estimates = truths + 0.02 * RNG(1).standard_normal(truths.shape)
    results = [score(estimates[order], truths, mixture) for order in ([0, 1, 2], [2, 0, 1])]
    for name in ("psnr", "ssim", "gain", "psnr_offset_free", "mean_gain_offset_free"):
        np.testing.assert_allclose(results[0][name], results[1][name])


def test_sources_are_assigned_jointly():
    # both estimates are nearest to the first truth, yet only one may have it
    truths, mixture = shares()
    estimates = np.stack([truths[0], 0.7 * truths[0] + 0.3 * truths[1]])
    assert score(estimates, truths, mixture)["assignment"] == [0, 1]


@pytest.mark.parametrize("whole", [False, True])
def test_the_mixture_has_no_gain(whole):
    truths, mixture = shares()
    estimates = np.stack([mixture, mixture]) / (1 if whole else 2)
    result = score(estimates, 2 * truths if whole else truths, mixture, shares=not whole)
    np.testing.assert_allclose(result["gain"], 0, atol=1e-9)
    np.testing.assert_allclose(result["gain_offset_free"], 0, atol=1e-9)
    np.testing.assert_allclose(result["ssim"], result["ssim_mixture"])


def test_the_mixture_has_no_gain_where_it_is_the_truth():
    image = images(1)[0]
    assert score(np.stack([image, image]) / 2, np.stack([image, image]) / 2, image)["gain"] == [0.0, 0.0]


def test_gain_is_psnr_over_the_mixtures():
    truths, mixture = shares()
    result = score(truths + 0.01, truths, mixture, lo=0, hi=1)
    for k in range(2):
        truth = np.clip(2 * truths[k], 0, 1)
        assert result["psnr"][k] == pytest.approx(psnr(np.clip(2 * truths[k] + 0.02, 0, 1), truth))
        assert result["psnr_mixture"][k] == pytest.approx(psnr(np.clip(mixture, 0, 1), truth))
        assert result["gain"][k] == pytest.approx(result["psnr"][k] - result["psnr_mixture"][k])


def test_offsets_do_not_count_in_offset_free_scores():
    truths = 0.3 + 0.2 * images() / 2  # far from the ends of the range, where nothing is clipped
    mixture = truths.sum(axis=0)
    noise = 0.005 * RNG(2).standard_normal(truths.shape)
    shift = np.array([0.05, -0.05]).reshape(2, 1, 1)
    plain, shifted = (score(truths + noise + s, truths, mixture, lo=0, hi=1) for s in (0, shift))
    assert shifted["mean_psnr"] < plain["mean_psnr"] - 3
    np.testing.assert_allclose(shifted["psnr_offset_free"], plain["psnr_offset_free"])


@pytest.mark.parametrize("scale", [1.0, 255.0])
@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_units_do_not_count(scale, offset):
    truths, mixture = shares()
    estimates = truths + 0.02 * RNG(3).standard_normal(truths.shape)
    expected = score(estimates, truths, mixture)
    scaled = score(estimates * scale + offset / 2, truths * scale + offset / 2, mixture * scale + offset)
    np.testing.assert_allclose(scaled["psnr"], expected["psnr"])
    np.testing.assert_allclose(scaled["gain"], expected["gain"])


@pytest.mark.parametrize("shape", [(24, 30), (24, 30, 3)])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_pixels_that_are_not_finite_are_left_out(shape, bad):
    truths, mixture = shares(shape)
    estimates = truths + 0.02 * RNG(4).standard_normal(truths.shape)
    spoilt = estimates.copy()
    spoilt[0, 3:6, 4:9] = bad
    keep = np.ones(shape[:2], dtype=bool)
    keep[3:6, 4:9] = False
    error = np.mean((np.clip(2 * estimates[1], 0, 1) - np.clip(2 * truths[1], 0, 1))[keep] ** 2)
    result = score(spoilt, truths, mixture, lo=0, hi=1)
    assert result["psnr"][1] == pytest.approx(-10 * np.log10(error))
    assert np.isfinite(list(result["ssim"]) + result["psnr_offset_free"] + result["gain"]).all()


def test_masked_pixels_are_left_out_and_tensors_are_arrays():
    truths, mixture = shares()
    estimates = truths + 0.01 * RNG(3).standard_normal(truths.shape)
    hidden = np.zeros(truths.shape, bool)
    hidden[:, 3:6, 4:9] = True
    spoilt = np.ma.array(np.where(hidden, 99.0, truths), mask=hidden)
    missing = np.where(hidden, np.nan, truths)
    assert score(estimates, spoilt, mixture) == score(estimates, missing, mixture)
    assert copy_fraction(spoilt, mixture) == copy_fraction(missing, mixture)
    tensors = [torch.tensor(a, requires_grad=True) for a in (estimates, truths, mixture)]
    assert score(*tensors) == score(estimates, truths, mixture)


def test_means_are_means_over_sources():
    truths, mixture = shares()
    result = score(truths * 0.9, truths, mixture)
    for name in ("psnr", "ssim", "gain", "psnr_offset_free", "gain_offset_free"):
        assert result[f"mean_{name}"] == pytest.approx(np.mean(result[name]))


@pytest.mark.parametrize(
    ("estimates", "truths", "mixture", "text"),
    [
        (
            np.zeros((2, 4, 4)),
            np.zeros((3, 4, 4)),
            np.zeros((4, 4)),
            r"\(2, 4, 4\), \(3, 4, 4\) and \(4, 4\)",
        ),
        (np.zeros((2, 4, 4)), np.zeros((2, 4, 4)), np.zeros((4, 5)), "of the same shape"),
        (
            np.full((2, 4, 4), np.nan),
            np.zeros((2, 4, 4)),
            np.zeros((4, 4)),
            "Expected pixels that are finite",
        ),
        (
            np.zeros((2, 4, 4)),
            np.zeros((2, 4, 4)),
            np.ones((4, 4)),
            "rising order, got 1 and 1: give lo and hi",
        ),
    ],
)
def test_what_cannot_be_scored_is_refused(estimates, truths, mixture, text):
    with pytest.raises(ValueError, match=text):
        score(estimates, truths, mixture)


# --- Empty answers ------------------------------------------------------------------------------------


def test_empty_answers_are_shares_of_the_mixture():
    mixture = images(1)[0]
    shifted, scaled = empty_answers(mixture)
    np.testing.assert_allclose(shifted.sum(axis=0), mixture)
    np.testing.assert_allclose(scaled.sum(axis=0), mixture)
    np.testing.assert_allclose(shifted[0] - shifted[1], 0.05)
    assert empty_answers(mixture, 3)[0].shape == (3, *mixture.shape)


def test_empty_answers_gain_little():
    truths, mixture = shares()
    for answer in empty_answers(mixture):
        assert abs(score(answer, truths, mixture, lo=0, hi=1)["mean_gain"]) < 1.5


@pytest.mark.parametrize("shape", [(24, 30), (24, 30, 3)])
def test_empty_answers_are_copies(shape):
    mixture = images(1, shape)[0]
    for answer in empty_answers(mixture):
        assert copy_fraction(answer, mixture) == pytest.approx(1)


def test_separated_sources_are_no_copies():
    truths, mixture = shares()
    assert copy_fraction(truths, mixture) < 0.8


def test_all_and_nothing_is_a_copy():
    mixture = images(1)[0]
    nothing = 1e-7 * RNG(0).standard_normal(mixture.shape)  # rounding, say
    assert copy_fraction(np.stack([mixture - nothing, nothing]), mixture) == pytest.approx(1)
    assert copy_fraction(np.zeros((2, 8, 8)), np.ones((8, 8))) == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_copies_are_seen_around_missing_pixels(bad):
    mixture = images(1)[0]
    sources = np.stack([mixture, mixture]) / 2
    sources[1, 5, 5] = 40.0
    mixture[5, 5] = bad
    assert copy_fraction(sources, mixture) == pytest.approx(1)

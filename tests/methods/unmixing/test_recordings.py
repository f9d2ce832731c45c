"""What mixtures go through after mixing: compression, shading, a tone curve. Images are drawn here."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from napari_bitsnet.core.encoding import Transfer
from napari_bitsnet.core.mixing import Weighted
from napari_bitsnet.core.problem import Problem
from napari_bitsnet.core.stages import exhaust
from napari_bitsnet.data.photographs import photograph
from napari_bitsnet.methods.unmixing.finest_scale import COARSER, least_smoothing
from napari_bitsnet.methods.unmixing.ica import Ica, IcaConfig
from napari_bitsnet.methods.unmixing.shading import estimate_shading
from napari_bitsnet.methods.unmixing.tone_curve import better_mixed
from napari_bitsnet.methods.unmixing.weights import estimating_weights
from napari_bitsnet.methods.unmixing.windows import probability, windows_of

WEIGHTS = np.array([[0.72, 0.28], [0.45, 0.55]])
SIZE = 128
CURVE = Transfer(1.0)


@pytest.fixture(scope="module")
def truths() -> np.ndarray:
    return np.stack([photograph(seed, SIZE) for seed in (1, 2)]).astype(np.float64)


@pytest.fixture(scope="module")
def mixed(truths) -> np.ndarray:
    return np.tensordot(WEIGHTS, truths, axes=1)


def recorded(values: np.ndarray) -> np.ndarray:
    return np.round(np.clip(values, 0, 1) * 255) / 255


def compressed(values: np.ndarray) -> np.ndarray:
    images = []
    for image in np.round(np.clip(values, 0, 1) * 255).astype(np.uint8):
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=90)
        images.append(np.asarray(Image.open(file)) / 255)
    return np.stack(images)


def tensor(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.moveaxis(images, -1, 1)).float()


def shadings() -> np.ndarray:
    """An even mixture, and one that loses 40 % of its light towards the corners."""
    y, x = np.meshgrid(np.linspace(-1, 1, SIZE), np.linspace(-1, 1, SIZE), indexing="ij")
    return np.stack([np.ones((SIZE, SIZE)), 1 - 0.2 * (x**2 + y**2)])


def weight_error(weights: np.ndarray) -> float:
    """Largest angle, in degrees, between columns of estimated and true weights in the better order."""
    true = WEIGHTS / np.linalg.norm(WEIGHTS, axis=0)
    found = weights / np.linalg.norm(weights, axis=0)
    angles = [
        np.degrees(np.arccos(np.clip((true * found[:, order]).sum(axis=0), -1, 1))).max()
        for order in ([0, 1], [1, 0])
    ]
    return min(angles)


def solved(images: np.ndarray, **settings):
    method = Ica(IcaConfig(**{"rounds": 0, **settings}))
    state = method.start(Problem(tensor(images), 2, mixing=Weighted(None, "free")), device="cpu", seed=0)
    list(method.advance(state))
    return state, method.solution(state)


def test_rounding_changes_no_scale_and_compression_the_finest(mixed):
    assert least_smoothing(tensor(recorded(mixed)), 2) == 0
    assert least_smoothing(tensor(compressed(mixed)), 2) == COARSER


def test_weights_of_compressed_mixtures_come_from_what_compression_left(mixed):
    _, answer = solved(compressed(mixed))
    finest = exhaust(estimating_weights(tensor(compressed(mixed)), 2))
    assert weight_error(answer["weights"].numpy()) < 1.5 < 3 < weight_error(finest)


def test_even_mixtures_have_no_shading(mixed):
    assert estimate_shading(tensor(recorded(mixed)), 2) is None
    _, answer = solved(recorded(mixed))
    assert "shading" not in answer


def test_the_shading_of_one_mixture_is_found_and_removed(mixed):
    images = recorded(mixed * shadings()[..., None])
    state, answer = solved(images)
    assert np.abs(answer["shading"][:, 0].numpy() - shadings()).mean() < 0.02
    assert weight_error(answer["weights"].numpy()) < 1
    (notice,) = state.notices
    assert notice.category == "shading"
    assert notice.numbers["least2"] == pytest.approx(0.6, abs=0.1)
    np.testing.assert_allclose(
        state.problem.observations * answer["shading"], tensor(images), atol=1e-5
    )  # nothing but the shading was removed


def test_the_even_one_may_be_the_second(mixed):
    shading = estimate_shading(tensor(recorded(mixed * shadings()[::-1][..., None])), 2)
    assert np.abs(shading[:, 0].numpy() - shadings()[::-1]).mean() < 0.02


def test_shading_can_be_left_alone(mixed):
    _, answer = solved(recorded(mixed * shadings()[..., None]), shading=False)
    assert "shading" not in answer


def test_more_mixtures_than_sources_have_no_shading_estimated(mixed):
    assert estimate_shading(tensor(np.concatenate([mixed, mixed[:1]])), 2) is None


@pytest.mark.parametrize("on_light", [False, True], ids=["linear", "srgb"])
def test_mixtures_tell_on_which_scale_they_add_up(truths, on_light):
    if on_light:
        stored = recorded(CURVE.to_stored(np.tensordot(WEIGHTS, CURVE.to_light(truths), axes=1)))
    else:
        stored = recorded(np.tensordot(WEIGHTS, truths, axes=1))
    found = better_mixed(tensor(stored), tensor(CURVE.to_light(stored)), 2)
    assert found == ("srgb" if on_light else "linear")


def test_windows_lie_where_their_pixels_are():
    """Texture in one corner only: all windows with strong gradients are there."""
    images = np.full((2, 64, 64), 0.5)
    images[:, 40:60, 8:28] += np.random.default_rng(0).normal(0, 0.1, (2, 20, 20))
    windows = windows_of(torch.from_numpy(images).float()[:, None], 2)
    pixels = (windows.places + 1) / 2 * 63
    assert len(pixels) > 20
    assert (pixels.min(axis=0) > [36, 4]).all()
    assert (pixels.max(axis=0) < [64, 32]).all()


def test_gains_are_judged_by_a_one_sided_t_test():
    from scipy.stats import ttest_1samp

    gains = np.random.default_rng(0).normal(0.2, 1, 40)
    assert probability(gains) == pytest.approx(ttest_1samp(gains, 0, alternative="greater").pvalue)
    assert probability(gains[:4]) == 1


def test_clipped_pixels_do_not_count_for_the_weights(mixed):
    """A tenth of the image is replaced by the end of the range in one mixture."""
    images = recorded(mixed * 0.8)
    clipped = np.zeros((SIZE, SIZE), bool)
    for y, x in np.ndindex(8, 8):
        clipped[16 * y : 16 * y + 6, 16 * x : 16 * x + 5] = True
    images[0, clipped] = 1
    mask = torch.from_numpy(clipped)[None, None]
    assert Weighted(None, clipped=mask).unclipped(None).equal(~mask)
    assert Weighted(None, clipped=torch.ones_like(mask)).unclipped(None) is None  # else nothing would be left
    errors = []
    for known in (None, mask):
        method = Ica(IcaConfig(rounds=0, window=3))
        problem = Problem(tensor(images), 2, mixing=Weighted(None, "free", known))
        state = method.start(problem, device="cpu", seed=0)
        list(method.advance(state))
        errors.append(weight_error(state.weights.numpy()))
    assert errors[1] < 1 < 10 < errors[0]

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_bitsnet import metrics, run
from napari_bitsnet.core.mixing import Weighted
from napari_bitsnet.core.problem import Problem, Traits
from napari_bitsnet.data.photographs import bundled_photograph, photograph
from napari_bitsnet.methods.unmixing.ica import Ica, scaled_to_one

EASY, HARD = np.array([[0.72, 0.28], [0.45, 0.55]]), np.array([[0.6, 0.4], [0.5, 0.5]])
PAIRS = [("astronaut", "coffee"), ("chelsea", "camera"), ("rocket", "brick"), ("motorcycle", "coins")]


def problem(
    weights: np.ndarray, rule: str, *, size: int = 64, **more: object
) -> tuple[Problem, torch.Tensor]:
    images = np.stack([photograph(seed, size) for seed in range(weights.shape[1])])
    sources = torch.from_numpy(images.astype(np.float32)).permute(0, 3, 1, 2).contiguous()
    known = torch.from_numpy(weights.astype(np.float32))
    observations = Weighted(known)(sources)
    mixing = Weighted(known if rule == "given" else None, rule)
    return Problem(observations, weights.shape[1], mixing=mixing, **more), sources


def solved(stated: Problem) -> dict[str, torch.Tensor]:
    method = Ica()
    state = method.start(stated, device="cpu", seed=0)
    assert len(list(method.advance(state))) == 1
    assert list(method.advance(state)) == []  # it is done
    return method.solution(state)


def test_says_what_it_cannot_solve():
    assert "one image whose sources add up" in Ica().unsupported_reason(Traits())
    assert "2 mixtures of 3 sources" in Ica().unsupported_reason(Traits(2, 3, mixing="weighted"))
    assert Ica().unsupported_reason(Traits(3, 2, mixing="weighted")) is None


def test_given_weights_are_only_inverted():
    weights = np.array([[0.9, 0.3], [0.2, 0.5], [0.4, 0.4]])
    stated, sources = problem(weights, "given")
    answer = solved(stated)
    torch.testing.assert_close(answer["sources"], sources, atol=1e-5, rtol=0)
    np.testing.assert_allclose(answer["weights"].numpy(), weights, atol=1e-7)


@pytest.mark.parametrize("weights", [EASY, HARD], ids=["easy", "hard"])
def test_weights_that_add_to_one_give_whole_images(weights):
    stated, sources = problem(weights, "sum-to-one", size=96)
    answer = solved(stated)
    np.testing.assert_allclose(answer["weights"].sum(dim=1).numpy(), 1, atol=1e-6)
    np.testing.assert_allclose(answer["weights"].numpy(), weights, atol=0.02)
    assert (answer["sources"] - sources).square().mean() < 1e-3


def test_free_weights_give_sources_whose_largest_value_is_one():
    stated, sources = problem(np.array([[0.5, 0.9], [1.2, 0.3]]) / 2, "free", size=96)
    answer = solved(stated)
    peaks = answer["sources"].abs().amax(dim=(1, 2, 3))
    torch.testing.assert_close(peaks, torch.ones(2))
    torch.testing.assert_close(
        Weighted(answer["weights"])(answer["sources"]), stated.observations, atol=1e-5, rtol=0
    )
    # the source that is stronger in the first mixture comes first
    for found, true in zip(answer["sources"], sources.flip(0), strict=True):
        assert np.corrcoef(found.flatten(), true.flatten())[0, 1] > 0.99


def test_missing_pixels_do_not_set_the_scale():
    valid = torch.ones(1, 1, 64, 64, dtype=torch.bool)
    valid[..., :8, :8] = False
    stated, _ = problem(EASY, "free", valid=valid)
    stated.observations[..., :8, :8] = 7.0
    seen = solved(stated)["sources"][..., 8:, :]
    torch.testing.assert_close(seen.abs().amax(dim=(1, 2, 3)), torch.ones(2))


def test_contradicting_mixtures_are_refused():
    # (2, 1) and (1, 1): only d = (0, 1) makes both rows of A d one
    with pytest.raises(ValueError, match="Expected mixtures whose weights add to one"):
        scaled_to_one(np.array([[2.0, 1.0], [1.0, 1.0]]))


def test_scaling_to_one_is_least_squares_for_more_mixtures():
    weights = np.array([[0.7, 0.3], [0.2, 0.8], [0.5, 0.5]])
    np.testing.assert_allclose(scaled_to_one(weights * [3.0, -0.2]), weights)


@pytest.mark.parametrize("pair", PAIRS, ids="+".join)
@pytest.mark.parametrize(
    ("weights", "noise"), [(EASY, 0.0), (HARD, 0.0), (EASY, 0.02)], ids=["easy", "hard", "noisy"]
)
def test_photographs_of_eight_bits_come_apart_as_with_known_weights(pair, weights, noise):
    truths = np.stack([as_colour(bundled_photograph(name, 128)) for name in pair]) * 255
    mixtures = np.tensordot(weights, truths, axes=1)
    mixtures = mixtures + 255 * noise * np.random.default_rng(0).standard_normal(mixtures.shape)
    mixtures = np.round(np.clip(mixtures, 0, 255)).astype(np.uint8)

    def psnr(sources: np.ndarray) -> float:
        scores = metrics.score(sources, truths, mixtures.mean(axis=0), shares=False, lo=0, hi=255)
        return scores["mean_psnr"]

    known = psnr(np.tensordot(np.linalg.inv(weights), mixtures.astype(float), axes=1))
    result = run(
        "multi_mixture", mixtures, n_sources=2, weights="sum-to-one", device="cpu", settings={"rounds": 0}
    )
    assert psnr(result.sources) > known - 4  # sources that are left mixed are at 20 dB


def as_colour(image: np.ndarray) -> np.ndarray:
    return image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=-1)

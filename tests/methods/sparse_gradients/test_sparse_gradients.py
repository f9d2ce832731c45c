"""Hints decide: whose a shape is, in either order of the sources, for two sources and more."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from benchmarks.quality.drawn_scribbles import draw_scribbles
from napari_bitsnet.core import metrics
from napari_bitsnet.core.hints import hint_maps
from napari_bitsnet.core.mixing import Weighted
from napari_bitsnet.core.problem import Problem, Traits
from napari_bitsnet.methods.sparse_gradients.sparse_gradients import SparseGradients, SparseGradientsConfig


def separate(mixture: torch.Tensor, labels: np.ndarray, n_sources: int = 2, **settings) -> torch.Tensor:
    """Shares (K, C, H, W) of an image (1, C, H, W)."""
    method = SparseGradients(SparseGradientsConfig(**settings))
    problem = Problem(mixture, n_sources, hints=hint_maps(labels, n_sources))
    state = method.start(problem, device="cpu", seed=0)
    assert len(list(method.advance(state))) == method.iterations
    return method.solution(state)["sources"]


def two_squares(size: int = 48) -> tuple[torch.Tensor, np.ndarray]:
    """A red square and a blue one side by side, and labels that follow their outlines."""
    image, labels = torch.full((1, 3, size, size), 0.4), np.zeros((size, size), dtype=int)
    for k, (left, channel) in enumerate(((6, 0), (28, 2))):
        image[:, channel, 14:34, left : left + 14] += 0.4
        labels[13:35, [left - 1, left + 13]] = k + 1
        labels[[13, 33], left : left + 14] = k + 1
    return image, labels


def contrast(share: torch.Tensor, left: int, channel: int) -> float:
    """How far a square stands out of the ground just left of it."""
    return float(
        share[channel, 18:30, left + 2 : left + 12].mean() - share[channel, 18:30, left - 5 : left - 2].mean()
    )


def pieces(seed: int, size: int = 64) -> np.ndarray:
    """A picture (Y, X, 3) of overlapping flat boxes and discs."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size
    image = np.ones((size, size, 3)) * rng.random(3)
    for _ in range(5):
        cy, cx, r = *rng.random(2), rng.uniform(0.12, 0.3)
        inside = (
            (y - cy) ** 2 + (x - cx) ** 2 < r**2
            if rng.random() < 0.5
            else np.maximum(abs(y - cy), abs(x - cx)) < r
        )
        image[inside] = rng.random(3)
    return image


def mixture_of(truths: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.moveaxis(truths.sum(axis=0), -1, 0)).float()[None]


def gain(shares: torch.Tensor, truths: np.ndarray) -> float:
    found = np.moveaxis(shares.numpy(), 1, -1)
    return metrics.score(found, truths, truths.sum(axis=0), lo=0, hi=1)["mean_gain_offset_free"]


# --- What hints say is done ----------------------------------------------------------------------------


def test_each_square_goes_where_its_outline_was_marked():
    image, labels = two_squares()
    first, second = separate(image, labels)
    assert contrast(first, 6, 0) > 0.36
    assert contrast(second, 28, 2) > 0.36
    assert abs(contrast(first, 28, 2)) < 0.04
    assert abs(contrast(second, 6, 0)) < 0.04


def test_both_squares_go_to_one_source_if_the_marks_say_so():
    image, labels = two_squares()
    first, second = separate(image, np.where(labels > 0, 2, 0))
    assert contrast(second, 6, 0) > 0.36
    assert contrast(second, 28, 2) > 0.36
    assert abs(contrast(first, 6, 0)) < 0.04


def test_filled_areas_belong_to_the_source_that_is_named():
    image, _ = two_squares()
    labels = np.zeros((48, 48), dtype=int)
    labels[:, :24], labels[:, 24:] = 1, 2
    first, second = separate(image, labels)
    assert contrast(first, 6, 0) > 0.3
    assert contrast(second, 28, 2) > 0.3


def test_shares_add_up_and_exchanged_labels_exchange_the_sources():
    truths = np.stack([pieces(0), pieces(1)]) / 2
    image, labels = mixture_of(truths), draw_scribbles(truths, 10, seed=0)
    shares = separate(image, labels)
    exchanged = separate(image, np.choose(labels, [0, 2, 1]))
    torch.testing.assert_close(shares.sum(dim=0, keepdim=True), image, rtol=0, atol=1e-6)
    torch.testing.assert_close(exchanged, shares.flip(0), rtol=0, atol=1e-3)


@pytest.mark.parametrize("preset", ["quick", "balanced", "best"])
def test_scribbles_separate_overlapping_shapes(preset):
    gains = []
    for seed in range(4):
        truths = np.stack([pieces(2 * seed), pieces(2 * seed + 1)]) / 2
        settings = SparseGradients.presets[preset].model_dump()
        gains.append(
            gain(separate(mixture_of(truths), draw_scribbles(truths, 16, seed=seed), **settings), truths)
        )
    assert np.mean(gains) > 1.0, gains
    assert min(gains) > -0.3, gains


def test_more_scribbles_are_worth_more_on_average():
    totals = []
    for n in (6, 30):
        gains = []
        for seed in range(3):
            truths = np.stack([pieces(2 * seed), pieces(2 * seed + 1)]) / 2
            gains.append(gain(separate(mixture_of(truths), draw_scribbles(truths, n, seed=seed)), truths))
        totals.append(np.mean(gains))
    assert totals[1] > totals[0], totals


def test_three_sources():
    truths = np.stack([pieces(seed) for seed in (3, 4, 5)]) / 3
    image, labels = mixture_of(truths), draw_scribbles(truths, 24, seed=0)
    shares = separate(image, labels, n_sources=3)
    torch.testing.assert_close(shares.sum(dim=0, keepdim=True), image, rtol=0, atol=1e-6)
    assert gain(shares, truths) > 0.5


# --- The contract --------------------------------------------------------------------------------------


def test_the_same_bits_again_and_after_a_pause():
    image, labels = two_squares()
    method = SparseGradients()
    problem = Problem(image, hints=hint_maps(labels, 2))
    whole, paused = (method.start(problem, device="cpu", seed=seed) for seed in (0, 1))
    energies = [float(losses["sparse_gradients"]) for losses in method.advance(whole)]
    assert all(later < earlier for earlier, later in pairwise(energies))
    next(method.advance(paused))
    assert paused.step == 1
    assert len(list(method.advance(paused))) == method.iterations - 1
    assert torch.equal(method.solution(whole)["sources"], method.solution(paused)["sources"])
    assert not list(method.advance(whole))
    assert method.stopping() is None


def test_before_the_first_step_sources_are_even():
    image, labels = two_squares()
    method = SparseGradients()
    state = method.start(Problem(image, 3, hints=hint_maps(labels, 3)), device="cpu", seed=0)
    assert torch.equal(method.solution(state)["sources"], (image / 3).expand(3, -1, -1, -1))


@pytest.mark.parametrize(
    ("traits", "reason"),
    [
        (Traits(has_hints=True), None),
        (Traits(n_sources=4, has_hints=True), None),
        (Traits(), "It needs hints: scribble on some edges of each source."),
        (Traits(has_hints=True, n_guides=1), "use guided_regression"),
        (Traits(has_hints=True, mixing=Weighted().name), "use ica"),
        (Traits(has_hints=True, n_observations=2), "use ica"),
    ],
)
def test_what_it_supports(traits, reason):
    said = SparseGradients().unsupported_reason(traits)
    assert said is None if reason is None else reason in said


@pytest.mark.parametrize("hints", [None, torch.zeros(2, 1, 48, 48)])
def test_without_hints_it_does_not_start(hints):
    with pytest.raises(ValueError, match="Expected hints, got none: scribble on some edges"):
        SparseGradients().start(Problem(two_squares()[0], hints=hints), device="cpu", seed=0)

"""Two patterns that repeat come apart; what does not repeat is said to."""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from benchmarks.quality.cases.worn_pattern import worn_pattern
from napari_bitsnet.api import run
from napari_bitsnet.core import metrics
from napari_bitsnet.core.problem import Traits
from napari_bitsnet.data.photographs import photograph
from napari_bitsnet.methods.periodic.periodic import NONE, ONE, WHOLE, Periodic

SIZE = 128


@cache
def two_patterns(seed: int = 3) -> np.ndarray:
    """Shares of two worn, displaced patterns, (2, Y, X, 3)."""
    rng = np.random.default_rng(seed)
    return np.stack([worn_pattern(rng, SIZE), worn_pattern(rng, SIZE)]).astype(np.float32) / 2


def separated(mixture: np.ndarray, **options):
    """A run of the method, on a known range, without its warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return run("separate", mixture, method="periodic", low=0.0, high=1.0, **options)


def gain(truths: np.ndarray, **options) -> float:
    """Offset-free gain over the mixture, in dB."""
    mixture = truths.sum(axis=0)
    result = separated(mixture, **options)
    return metrics.score(result.sources, truths, mixture, lo=0.0, hi=1.0)["mean_gain_offset_free"]


def test_worn_and_displaced_patterns_come_apart():
    assert gain(two_patterns()) > 6


def test_grey_images_and_missing_pixels_too():
    truths = two_patterns().mean(axis=-1)
    mask = np.zeros((SIZE, SIZE), dtype=bool)
    mask[40:70, 20:50] = True
    mixture = np.where(mask, np.nan, truths.sum(axis=0))
    result = separated(mixture, preset="quick")
    score = metrics.score(result.sources, truths, mixture, lo=0.0, hi=1.0)
    assert score["mean_gain_offset_free"] > 3
    assert np.isnan(result.sources[:, mask]).all()


def test_shares_add_up_and_runs_repeat():
    mixture = two_patterns().sum(axis=0)
    first, second = (separated(mixture, preset="quick").sources for _ in range(2))
    assert np.array_equal(first, second)
    assert np.allclose(first.sum(axis=0), mixture, atol=1e-5)


def test_a_pattern_over_a_photograph_is_taken_off_and_it_is_said():
    truths = np.stack([worn_pattern(6, SIZE), photograph(1, SIZE)]).astype(np.float32) / 2
    mixture = truths.sum(axis=0)
    with pytest.warns(UserWarning, match="One repeating pattern"):
        result = run("separate", mixture, method="periodic", preset="quick", low=0.0, high=1.0)
    score = metrics.score(result.sources, truths, mixture, lo=0.0, hi=1.0)
    assert score["assignment"] == [0, 1]
    assert score["mean_gain_offset_free"] > 3
    assert str(ONE) in result.warnings
    assert str(WHOLE) not in result.warnings


def tiled(period: int, seed: int, size: int = 96) -> np.ndarray:
    """Half of a random, blurred tile, laid edge to edge: (size, size, 3)."""
    tile = np.random.default_rng(seed).normal(size=(period, period, 3))
    tile = gaussian_filter(tile, (1.5, 1.5, 0), mode="wrap")
    count = -(-size // period)
    tile = 0.5 + 0.15 * (tile - tile.mean()) / tile.std()
    return (np.tile(tile, (count, count, 1))[:size, :size] / 2).astype(np.float32)


def test_patterns_with_a_common_period_come_apart():
    assert gain(np.stack([tiled(12, 0), tiled(18, 1)]), preset="quick") > 3


def test_an_image_that_one_pattern_explains_is_said_not_to_be_separated():
    result = separated(tiled(24, 2) * 2, preset="quick")
    assert str(ONE) in result.warnings
    assert str(WHOLE) in result.warnings


def test_where_nothing_repeats_the_image_is_divided_evenly_and_it_is_said():
    mixture = ((photograph(2, SIZE) + photograph(3, SIZE)) / 2).astype(np.float32)
    with pytest.warns(UserWarning, match="No repeating pattern"):
        result = run("separate", mixture, method="periodic", preset="quick", low=0.0, high=1.0)
    assert np.allclose(result.sources, mixture / 2, atol=1e-5)
    assert str(NONE) in result.warnings


@pytest.mark.parametrize(
    ("traits", "words"),
    [
        (Traits(n_sources=3), "two patterns"),
        (Traits(n_observations=2), "ica"),
        (Traits(mixing="weighted"), "ica"),
        (Traits(n_guides=1), "guided_regression"),
    ],
)
def test_what_it_cannot_do_is_said_with_what_can(traits: Traits, words: str):
    assert words in (Periodic().unsupported_reason(traits) or "")

"""Summary statistics of scores."""

import numpy as np
import pytest

from benchmarks.quality.statistics import bootstrap_interval, crosstalk, interval_text, summary


def test_crosstalk_is_zero_for_truths_and_one_for_the_mixture():
    truths = np.random.default_rng(0).random((2, 30, 30))
    np.testing.assert_allclose(crosstalk(truths, truths), 0, atol=1e-12)
    mixture = truths.mean(axis=0)
    np.testing.assert_allclose(crosstalk(np.stack([mixture, mixture]), truths), 1)


def test_crosstalk_is_the_ratio_of_what_was_mixed_in():
    truths = np.random.default_rng(0).random((3, 20, 20))
    estimates = truths + 0.1 * truths[[1, 2, 0]] + 5
    np.testing.assert_allclose(crosstalk(estimates, truths), 0.1)
    estimates[0] = truths[1]
    assert crosstalk(estimates, truths)[0] > 1e9


def test_the_interval_holds_the_mean_and_shrinks_to_a_constant():
    values = np.random.default_rng(1).normal(1, 0.5, 50)
    low, high = bootstrap_interval(values)
    assert low < values.mean() < high
    half_width = 1.96 * values.std() / 50**0.5
    assert high - low == pytest.approx(2 * half_width, rel=0.15)
    assert bootstrap_interval([2.0, 2.0]) == (2.0, 2.0)


@pytest.mark.parametrize("values", [[], [2.0]])
def test_fewer_than_two_values_have_no_interval(values):
    assert bootstrap_interval(values) is None
    assert interval_text(values) == ""


def test_the_summary_shows_the_tail():
    assert summary(range(11)) == {"mean": 5.0, "median": 5.0, "lower_decile": 1.0}

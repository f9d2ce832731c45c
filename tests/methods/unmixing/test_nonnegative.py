"""Weights that subtract too much are corrected where a common background shows."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

import napari_bitsnet as nb
from napari_bitsnet.methods.unmixing.nonnegative import dark_background, without_negatives

TRUE = np.array([[1.0, 0.2], [0.3, 1.0]])
TOO_MUCH = np.array([[1.0, 0.45], [0.5, 1.0]])


def cells(n: int = 96, seed: int = 0) -> np.ndarray:
    """Two non-negative images (2, n, n): each has places of its own, some are shared, most are dark."""
    draw = np.random.default_rng(seed)
    own = [gaussian_filter((draw.random((n, n)) < 0.004).astype(float), 3) for _ in range(3)]
    return np.stack([own[0] + own[2], own[1] + own[2]]) / own[2].max()


def mixed(weights: np.ndarray, images: np.ndarray, background: float = 0.0) -> torch.Tensor:
    return torch.from_numpy(background + np.einsum("mk,khw->mhw", weights, images))[:, None]


def crosstalk(found: np.ndarray) -> float:
    """Largest part of a source that is left in the other one, or was taken too much."""
    left = np.linalg.pinv(found) @ TRUE
    left = np.abs(left / np.diag(left)[:, None])
    return float(max(left[0, 1], left[1, 0]))


@pytest.mark.parametrize("background", [0.0, 0.3])
def test_takes_back_what_was_subtracted_too_much(background):
    observed = mixed(TRUE, cells(), background)
    assert crosstalk(TOO_MUCH) > 0.25
    assert crosstalk(without_negatives(TOO_MUCH, observed)) < 0.06


def test_takes_nothing_back_where_nothing_is_negative():
    observed = mixed(TRUE, cells())
    too_little = np.array([[1.0, 0.1], [0.1, 1.0]])
    np.testing.assert_allclose(without_negatives(too_little, observed), too_little, atol=0.02)


def test_leaves_images_without_a_common_background_as_they_are():
    images = cells()
    images[1] = 1 - images[1]  # bright where the first one is dark
    assert without_negatives(TOO_MUCH, mixed(TRUE, images)) is TOO_MUCH


def test_does_not_depend_on_the_scales_of_columns_and_mixtures():
    observed = mixed(TRUE, cells())
    found = without_negatives(TOO_MUCH, observed)
    columns = without_negatives(TOO_MUCH * [2, 5], observed)
    assert crosstalk(columns) == pytest.approx(crosstalk(found), abs=1e-9)
    rows = np.array([[3.0], [0.5]])
    scaled = without_negatives(TOO_MUCH * rows, observed * torch.from_numpy(rows)[:, :, None, None])
    np.testing.assert_allclose(scaled, found * rows, rtol=1e-9)


def test_ignores_missing_pixels():
    observed = mixed(TRUE, cells())
    broken, valid = observed.clone(), torch.ones(1, 1, *observed.shape[-2:], dtype=torch.bool)
    valid[..., :12] = False
    broken[1, :, :, :8] = 50.0
    assert crosstalk(without_negatives(TOO_MUCH, broken)) > 0.1  # those pixels mislead
    assert crosstalk(without_negatives(TOO_MUCH, broken, valid=valid)) < 0.05


def test_a_flat_mixture_has_no_background():
    assert dark_background(np.ones((2, 50))) is None


@pytest.mark.parametrize("rule", ["free", "sum-to-one"])
def test_only_free_weights_are_corrected_where_asked_for(rule, monkeypatch):
    monkeypatch.setattr("napari_bitsnet.methods.unmixing.weights.estimating_weights", biased)
    truths = cells()
    weights = TRUE if rule == "free" else np.array([[0.8, 0.2], [0.3, 0.7]])
    observed = np.einsum("mk,khw->mhw", weights, truths).astype(np.float32)
    answers = [
        nb.run("multi_mixture", observed, weights=rule, method="ica", settings={"nonnegative": on})
        for on in (False, True)
    ]
    same = np.array_equal(answers[0].sources, answers[1].sources)
    assert same == (rule == "sum-to-one")


def biased(*_, **__):
    """Stages that estimate weights which subtract too much."""
    yield from ()
    return TOO_MUCH

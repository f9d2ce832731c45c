"""Samples: what napari is given, and that sources add up to mixtures."""

from __future__ import annotations

import numpy as np
import pytest

from napari_bitsnet.data import samples
from napari_bitsnet.data.samples import SAMPLE_KEY

SAMPLES = ("panel", "two_mixtures", "photographs", "slices", "textures", "film")


@pytest.fixture(scope="module", params=SAMPLES)
def layers(request):
    return getattr(samples, request.param)()


def part(layers, role):
    return [array for array, look, _ in layers if look["metadata"][SAMPLE_KEY]["role"] == role]


def test_layers_have_names_and_one_size(layers):
    assert [kind for *_, kind in layers] == ["image"] * len(layers)
    names = [look["name"] for _, look, _ in layers]
    assert len(set(names)) == len(names)
    assert len({array.shape[:2] for array, *_ in layers}) == 1
    assert layers[0][1]["metadata"][SAMPLE_KEY]["role"] == "mixture"


def test_colours_are_as_napari_shows_them(layers):
    for array, look, _ in layers:
        if look["rgb"]:
            assert array.dtype == np.uint8 or array.max() <= 1


def test_truths_are_hidden_and_explain_the_mixture(layers):
    truths = part(layers, "truth")
    assert len(truths) == 2
    assert all(
        not look["visible"] for _, look, _ in layers if look["metadata"][SAMPLE_KEY]["role"] == "truth"
    )
    for mixture in part(layers, "mixture"):
        columns = np.stack([truth.ravel() for truth in truths], axis=1).astype(float)
        observed = mixture.ravel().astype(float)
        weights, *_ = np.linalg.lstsq(columns, observed, rcond=None)
        assert np.abs(columns @ weights - observed).max() < 0.01 * np.ptp(observed)


def test_the_film_is_small_and_its_sources_move_against_each_other():
    (film, look, _), *truths = samples.film()
    assert film.dtype == np.uint8
    assert film.shape[0] == 8
    assert film.nbytes < 2**20
    assert look["axis_labels"] == ("t", "y", "x")
    step_y, step_x = 1, 2
    for sign, (truth, *_) in zip((1, -1), truths, strict=True):
        moved = np.roll(truth[0], (sign * step_y, sign * step_x), axis=(0, 1))
        np.testing.assert_array_equal(truth[1, 4:-4, 4:-4], moved[4:-4, 4:-4])

"""Scores of a result: on the scale on which its sources add up, and refused where there is none."""

import warnings

import numpy as np
import pytest
import tifffile

import napari_bitsnet as nb
from napari_bitsnet.api import RunSettings
from napari_bitsnet.api.export.scores import score_slice
from napari_bitsnet.api.planes import Planes
from napari_bitsnet.core.outputs import numbered
from tests.described import described

RNG = np.random.default_rng(0)
PAIR = np.kron(RNG.uniform(0.1, 1.5, (2, 6, 8)), np.ones((4, 4)))
"""Optical densities of two sources."""
DENSITY = PAIR.sum(axis=0)
BLANK = 50_000.0
ANSWER = 0.7 * PAIR + 0.3 * PAIR[::-1] + 0.02 * RNG.standard_normal(PAIR.shape)
"""An answer in which a third of each source stands in the other."""
COMPARED = ("psnr", "ssim", "gain", "gain_offset_free")


def made(task: str, sources: np.ndarray, recorded: float | None = None, *, axes=None, **options) -> nb.Result:
    settings = RunSettings(task=task, options=options).model_dump(mode="json")
    outputs = described(task, numbered(sources), axes, **options)
    return nb.Result(outputs, {"task": task, "settings": settings, "i0": recorded})


def scores(result: nb.Result, *arguments) -> dict:
    return score_slice(result.outputs, result.provenance, *arguments)


def assert_same(found: dict, expected: dict) -> None:
    for name in COMPARED:
        np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=1e-6)


def test_under_attenuation_the_density_is_the_mixture():
    mixture = BLANK * np.exp(-DENSITY)
    result = made("separate", ANSWER, BLANK, mixing="attenuation", i0=BLANK)
    expected = nb.metrics.score(ANSWER, PAIR, DENSITY)
    assert_same(scores(result, Planes(mixture), PAIR), expected)
    assert 1 < expected["mean_gain"] < 20
    assert (
        max(expected["ssim"]) < 0.99
    )  # as intensities, all were clipped to the same: 1.00 and infinite decibels


def test_intensities_are_compared_as_densities_too():
    mixture = BLANK * np.exp(-DENSITY)
    options = {"mixing": "attenuation", "output": "intensity"}
    result = made("separate", BLANK * np.exp(-ANSWER), BLANK, **options)
    found = scores(result, Planes(mixture), BLANK * np.exp(-PAIR))
    assert_same(found, nb.metrics.score(ANSWER, PAIR, DENSITY))


def test_flat_and_dark_frames_of_the_run_are_used_again(tmp_path):
    beam, dark = 30_000 * (1 + 0.3 * np.linspace(-1, 1, 32)) + np.zeros((24, 1)), np.full((24, 32), 500.0)
    for name, frame in (("flat", beam + dark), ("dark", dark)):
        tifffile.imwrite(tmp_path / f"{name}.tif", frame)
    frames = {name: str(tmp_path / f"{name}.tif") for name in ("flat", "dark")}
    result = made("xray", ANSWER, float(beam.mean()), mixing="attenuation", **frames)
    planes = Planes(beam * np.exp(-DENSITY) + dark)
    assert_same(scores(result, planes, PAIR), nb.metrics.score(ANSWER, PAIR, DENSITY))
    (tmp_path / "flat.tif").unlink()
    with pytest.raises(FileNotFoundError, match=r"flat\.tif, which does not exist"):
        scores(result, planes, PAIR)


def test_several_mixtures_are_compared_with_their_mean():
    weights = np.array([[0.7, 0.3], [0.4, 0.6]])
    densities = np.tensordot(weights, PAIR, axes=1)
    options = {"weights": "sum-to-one", "mixing": "attenuation", "i0": BLANK}
    result = made("multi_mixture", ANSWER, **options)
    found = scores(result, Planes(BLANK * np.exp(-densities), several=True), PAIR)
    assert_same(found, nb.metrics.score(ANSWER, PAIR, densities.mean(axis=0), shares=False))


@pytest.mark.parametrize("options", [{"weights": "free"}, {"weights": [[1.0, 2.0], [2.0, 0.5]]}])
def test_sources_on_a_scale_of_their_own_are_refused(options):
    result = made("multi_mixture", ANSWER, **options)
    with pytest.raises(ValueError, match=r"on the mixtures' scale.*nb\.metrics\.score"):
        scores(result, Planes(PAIR, several=True), PAIR)


def test_opacity_and_other_slices_do_not_count():
    colour, truths = np.stack([DENSITY] * 4, axis=-1), np.stack([PAIR] * 3, axis=-1)
    answer = np.stack([ANSWER] * 3, axis=-1)
    expected = nb.metrics.score(answer, truths, colour[..., :3])
    assert_same(scores(made("separate", answer), Planes(colour), truths), expected)
    stack = np.stack([DENSITY, 3 * DENSITY])
    result = made("separate", np.stack([ANSWER, 0 * ANSWER], axis=1), axes="ZYX")
    assert_same(scores(result, Planes(stack, "ZYX"), PAIR), nb.metrics.score(ANSWER, PAIR, DENSITY))


def test_truths_may_have_their_channels_last():
    first, last = np.stack([PAIR] * 3, axis=1), np.stack([PAIR] * 3, axis=-1)
    result = made("separate", np.stack([ANSWER] * 3, axis=1), axes="CYX")
    planes = Planes(np.stack([DENSITY] * 3), "CYX")
    assert_same(scores(result, planes, last), scores(result, planes, first))


@pytest.mark.parametrize(
    ("task", "truths", "message"),
    [
        ("denoise", PAIR, "a task with sources to score, got 'denoise'"),
        ("separate", PAIR[:1], "Expected 2 truths, one a source, got 1"),
        ("separate", PAIR[:, :5], r"Expected truth 1 of shape \(24, 32\), as the source is, got \(5, 32\)"),
    ],
)
def test_what_cannot_be_compared_is_said(task, truths, message):
    result = made(task, ANSWER if task == "separate" else [])
    with pytest.raises(ValueError, match=message):
        scores(result, Planes(DENSITY), truths)


def test_truths_on_the_scale_of_whole_images_are_told():
    result = made("separate", ANSWER)
    with pytest.warns(UserWarning, match="truths add up to 2 times the image.*divide the truths by 2"):
        scores(result, Planes(PAIR.sum(axis=0)), 2 * PAIR)
    noisy = PAIR.sum(axis=0) + 0.02 * np.random.default_rng(0).standard_normal(PAIR.shape[1:])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores(result, Planes(noisy), PAIR)
        scores(result, Planes(noisy), 1.2 * PAIR)

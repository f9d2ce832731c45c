"""Noise, missing pixels and haze: what tasks ask for, refuse and give back."""

from __future__ import annotations

import numpy as np
import pytest

from napari_bitsnet.api import list_methods, run
from napari_bitsnet.data.degraded import add_noise, lay_haze, missing_at_random
from napari_bitsnet.data.photographs import bundled_photograph

SIZE = 48


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    return bundled_photograph("coffee", SIZE)


def error(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.mean((a - b) ** 2))


@pytest.mark.parametrize(
    ("task", "names"),
    [
        ("denoise", {"dip", "nl_bayes"}),
        ("inpaint", {"dip", "nl_bayes"}),
        ("dehaze", {"dark_channel", "double_dip_haze"}),
    ],
)
def test_methods_of_each_task(task: str, names: set[str]):
    assert set(list_methods(task)) == names


@pytest.mark.parametrize("method", ["nl_bayes", "dip"])
def test_noise_goes_in_any_units(photograph: np.ndarray, method: str):
    noisy = 1000 + 200 * add_noise(photograph, 0.1)
    result = run("denoise", noisy, method=method, preset="quick", iterations=5, device="cpu")
    clean, truth = result.outputs["clean"], 1000 + 200 * photograph
    assert error(clean, truth) < 0.5 * error(noisy, truth)
    np.testing.assert_allclose(clean + result.residual, noisy, atol=1e-3)
    told = run("denoise", noisy, method="nl_bayes", preset="quick", sigma=20.0, device="cpu")
    assert error(told.outputs["clean"], truth) < 0.5 * error(noisy, truth)


def test_masked_pixels_are_left_out_of_denoising(photograph: np.ndarray):
    mask = np.zeros((SIZE, SIZE), bool)
    mask[5:9, 5:9] = True
    clean = run("denoise", photograph, mask=mask, method="nl_bayes", device="cpu").outputs["clean"]
    assert np.array_equal(np.isnan(clean).all(axis=-1), mask)


@pytest.mark.parametrize("method", ["nl_bayes", "dip"])
def test_missing_pixels_are_filled_and_the_others_stay(photograph: np.ndarray, method: str):
    missing = missing_at_random((SIZE, SIZE), 0.4)
    observed = np.where(missing[..., None], 0, photograph).astype(np.float32)
    filled = run(
        "inpaint", observed, mask=missing, method=method, preset="quick", iterations=3, device="cpu"
    ).outputs["clean"]
    assert np.array_equal(filled[~missing], observed[~missing])
    known_mean = np.where(missing[..., None], photograph[~missing].mean(axis=0), photograph)
    assert error(filled, photograph) < 0.1 * error(known_mean, photograph)


def test_nan_pixels_count_as_missing_without_a_mask(photograph: np.ndarray):
    holed = photograph.mean(axis=-1)
    holed[10:13, 20:24] = np.nan
    filled = run("inpaint", holed, preset="quick", device="cpu").outputs["clean"]
    assert np.isfinite(filled).all()
    assert error(filled, photograph.mean(axis=-1)) < 1e-3


@pytest.mark.parametrize(
    ("mask", "text"),
    [
        (None, "Expected a mask of the missing pixels .* got none: there is nothing to fill"),
        (np.zeros((SIZE, SIZE), bool), "got an empty one: there is nothing to fill"),
        (np.ones((SIZE, SIZE), bool), "Expected valid pixels, got none left after masking"),
        (np.ones((8, 9), bool), r"Expected a mask of shape \(48, 48\), got \(8, 9\)"),
    ],
)
def test_masks_that_do_not_fit_are_refused(photograph: np.ndarray, mask: np.ndarray | None, text: str):
    with pytest.raises(ValueError, match=text):
        run("inpaint", photograph, mask=mask, device="cpu")


def test_nothing_is_drawn_where_the_network_predicts_hidden_pixels_no_better(photograph: np.ndarray):
    missing = np.zeros((SIZE, SIZE), bool)
    missing[20:24, 10:30] = True
    observed = np.where(missing[..., None], 0, photograph)
    start = run("inpaint", observed, mask=missing, method="nl_bayes", device="cpu")
    short = run("inpaint", observed, mask=missing, method="dip", preset="quick", iterations=2, device="cpu")
    np.testing.assert_allclose(short.outputs["clean"], start.outputs["clean"], atol=0.05)


@pytest.mark.parametrize("method", ["dark_channel", "double_dip_haze"])
@pytest.mark.parametrize("given", [True, False])
def test_haze_goes(photograph: np.ndarray, method: str, given: bool):
    made = lay_haze(photograph, seed=1)
    known = {"airlight": tuple(255 * a for a in made.airlight)} if given else {}
    hazy = np.round(255 * made.image).astype(np.uint8)
    outputs = run("dehaze", hazy, method=method, preset="quick", iterations=3, device="cpu", **known).outputs
    assert error(outputs["clear"] / 255, photograph) < 0.4 * error(made.image, photograph)
    assert outputs["transmission"].shape == (SIZE, SIZE)
    assert outputs["airlight"].shape == (3,)
    if given:
        np.testing.assert_allclose(outputs["airlight"], known["airlight"], rtol=1e-5)


def test_an_airlight_has_one_value_a_channel(photograph: np.ndarray):
    with pytest.raises(ValueError, match="Expected an airlight of 3 values, one per channel, got 2"):
        run("dehaze", photograph, airlight=(0.8, 0.9), device="cpu")
    with pytest.raises(ValueError, match="expected finite values of the airlight"):
        run("dehaze", photograph, airlight=(np.nan,) * 3, device="cpu")


def test_one_value_of_airlight_is_for_all_channels(photograph: np.ndarray):
    outputs = run("dehaze", photograph, airlight=(0.8,), device="cpu").outputs
    np.testing.assert_allclose(outputs["airlight"], [0.8] * 3, rtol=1e-5)


@pytest.mark.parametrize("shape", [(6, 2), (5, 5), (5, 7, 3)])
def test_tiny_images_work(shape: tuple[int, ...]):
    image = np.random.default_rng(0).random(shape)
    missing = np.zeros(shape[:2], bool)
    missing[1, 1] = True
    few = np.ones(shape[:2], bool)
    few[1, 1] = few[2, 0] = False
    for mask in (missing, few):
        assert np.isfinite(
            run("inpaint", image, mask=mask, preset="quick", device="cpu").outputs["clean"]
        ).all()
    for task, output in (("denoise", "clean"), ("dehaze", "clear")):
        answer = run(task, image, preset="quick", iterations=2, device="cpu").outputs[output]
        assert np.isfinite(answer).all()

"""Flat, clipped, posterised, striped and framed images through every registered task: the commonest thing
there is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import napari_bitsnet as nb
from napari_bitsnet.data.photographs import bundled_photograph
from napari_bitsnet.tasks import TASKS

SIDE = 40


def flat_images() -> dict[str, np.ndarray]:
    """Grey images (Y, X) in [0, 1] in which many patches are equal."""
    y, x = np.indices((SIDE, SIDE))
    photo = bundled_photograph("coffee", SIDE).mean(axis=-1)
    blocks = np.zeros((SIDE, SIDE))
    blocks[5:17, 4:20], blocks[14:30, 22:33], blocks[31:38, 8:15] = 0.3, 1.0, 0.6
    photons = np.random.default_rng(0).poisson(3 * np.clip(photo - 0.3, 0, 1)).astype(float)
    return {
        "blocks": blocks,
        "framed": np.pad(photo[:24, :24], 8),
        "clipped": np.clip(2 * photo, 0, 1),
        "binary": (photo > np.median(photo)) * 1.0,
        "half dark": np.where(y < SIDE // 2, 0, photo),
        "posterised": np.round(4 * photo) / 4,
        "stripes": (x // 4 % 2) * 1.0,
        "checkerboard": ((x // 4 + y // 4) % 2) * 1.0,
        "gradient": x / SIDE,
        "one pixel": ((x == 20) & (y == 17)) * 1.0,
        "few photons": photons / photons.max(),
    }


IMAGES = flat_images()
PHOTO = bundled_photograph("chelsea", SIDE).mean(axis=-1)


def arguments(task: str, image: np.ndarray) -> tuple[Any, dict[str, Any]]:
    """Mixture and other inputs for what a task declares."""
    declared = {i.name: i for i in TASKS.get(task).inputs}
    colour = np.stack([image, np.roll(image, 3, 0), np.roll(image, 5, 1)], axis=-1)
    given: dict[str, Any] = {"preset": "quick", "device": "cpu", "iterations": 3}
    if declared["mixture"].many:
        if declared["mixture"].least == 1:
            return [image, np.rot90(image).copy()], given
        return [0.7 * image + 0.3 * PHOTO, 0.3 * image + 0.7 * PHOTO], given
    if "guides" in declared and declared["guides"].many:
        return 0.5 * image + 0.5 * PHOTO, given | {"guides": [colour, None]}
    if "mask" in declared and declared["mask"].required:
        mask = np.zeros(image.shape, bool)
        mask[12:17, 20:26] = True
        return image, given | {"mask": mask}
    if "hints" in declared:
        hints = np.zeros(image.shape, np.uint8)
        hints[:4], hints[-4:] = 1, 2
        return image, given | {"hints": hints}
    return colour, given


@pytest.mark.filterwarnings("ignore::UserWarning")  # that they are hardly separable is said
@pytest.mark.parametrize("whole", [False, True], ids=["fractions", "bytes"])
@pytest.mark.parametrize("kind", IMAGES)
@pytest.mark.parametrize("task", TASKS)
def test_a_flat_image_has_an_answer(task: str, kind: str, whole: bool):
    image = np.round(255 * IMAGES[kind]).astype(np.uint8) if whole else IMAGES[kind]
    mixture, given = arguments(task, image)
    result = nb.run(task, mixture, **given)
    registered_away = any("Mixtures lay apart" in text for text in result.warnings)
    for name, output in result.outputs.items():
        assert np.isfinite(output).all() or registered_away, name
    if "residual" in result.outputs and "source_1" in result.outputs and task != "multi_mixture":
        total = result.sources.sum(axis=0, dtype=np.float64) + result.residual
        np.testing.assert_allclose(total, np.asarray(mixture), rtol=0, atol=2e-6 * np.ptp(mixture))


@pytest.mark.filterwarnings("ignore::UserWarning")  # that so many pixels are clipped is said
@pytest.mark.parametrize("kind", ["binary", "stripes"])
def test_mixtures_that_are_clipped_in_every_window_have_an_answer(kind: str):
    image = IMAGES[kind]
    mixtures = np.stack([image, 0.5 * image + 0.2 * np.rot90(image)])
    result = nb.run("multi_mixture", list(mixtures), device="cpu")
    assert all(np.isfinite(output).all() for output in result.outputs.values())
    explained = np.einsum("mk,kyx->myx", result.outputs["weights"], result.sources)
    np.testing.assert_allclose(explained + result.outputs["residual"], mixtures, rtol=0, atol=1e-6)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", IMAGES)
def test_a_flat_image_is_not_spoilt_by_denoising(kind: str):
    image = IMAGES[kind]
    clean = nb.run("denoise", image, method="nl_bayes", device="cpu").outputs["clean"]
    if kind == "few photons":  # it is all noise: no truth to compare with
        assert np.isfinite(clean).all()
    elif kind in ("framed", "clipped", "half dark"):  # a photograph's own grain counts as noise
        assert np.square(clean - image).mean() < 5e-4
    else:
        np.testing.assert_allclose(clean, image, atol=1e-6)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("ends", ["as it is", "clipped"])
@pytest.mark.parametrize("kind", [kind for kind in IMAGES if kind not in ("few photons", "one pixel")])
def test_noise_on_a_flat_image_becomes_less(kind: str, ends: str):
    noisy = IMAGES[kind] + 0.05 * np.random.default_rng(1).standard_normal((SIDE, SIDE))
    noisy = np.clip(noisy, 0, 1) if ends == "clipped" else noisy
    clean = nb.run("denoise", noisy, method="nl_bayes", device="cpu").outputs["clean"]
    assert np.square(clean - IMAGES[kind]).mean() < 0.95 * np.square(noisy - IMAGES[kind]).mean()


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_noise_inside_a_frame_of_one_value_becomes_less(value: float):
    inner = bundled_photograph("coffee", 28).mean(axis=-1)
    noisy = inner + 0.08 * np.random.default_rng(1).standard_normal(inner.shape)
    framed = np.pad(np.clip(noisy, 0, 1), 8, constant_values=value)
    clean = nb.run("denoise", framed, method="nl_bayes", device="cpu").outputs["clean"][8:-8, 8:-8]
    assert np.square(clean - inner).mean() < 0.7 * np.square(noisy - inner).mean()


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("turn", [0, 1])
@pytest.mark.parametrize("kind", ["stripes", "checkerboard", "gradient", "one pixel", "binary"])
def test_lattices_of_flat_images(kind: str, turn: int):
    image = np.rot90(IMAGES[kind], turn)
    result = nb.run("separate", image, method="periodic", preset="quick", device="cpu")
    np.testing.assert_allclose(result.sources.sum(axis=0) + result.residual, image, atol=1e-5)
    if kind == "stripes":  # they are one pattern, and all of it
        first = result.sources[0]
        assert np.corrcoef(first.ravel(), image.ravel())[0, 1] > 0.99
        assert np.ptp(result.sources[1]) < 0.2 * np.ptp(image)

"""The task `separate`, and what tasks share whose sources add up to one observation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_bitsnet.core.problem import Problem
from napari_bitsnet.tasks import Inputs
from napari_bitsnet.tasks.separate import Separate, SeparateConfig

RNG = np.random.default_rng(0)
PHOTO = RNG.random((12, 15, 3))


def parts_of(problem: Problem, seed: int = 0) -> torch.Tensor:
    """Shares (K, C, H, W) that add up to the observation."""
    shares = torch.rand((problem.n_sources, *problem.observations.shape[1:]), generator=generator(seed)) + 0.1
    return shares / shares.sum(dim=0) * problem.observations


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def solve(inputs: Inputs, **config) -> dict[str, np.ndarray]:
    task = Separate(SeparateConfig(**config))
    built = task.build(inputs)
    return task.outputs(built, {"sources": parts_of(built.problem)})


def total(outputs: dict[str, np.ndarray]) -> np.ndarray:
    sources = [image for name, image in outputs.items() if name.startswith("source_")]
    return np.sum(sources, axis=0, dtype=np.float64)


# --- Sources and residual add up ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "image",
    [
        PHOTO,
        (PHOTO * 255).astype(np.uint8),
        (PHOTO * 40 + 60_000).astype(np.uint16),
        PHOTO[..., 0] - 700.0,
        (PHOTO[..., 0] * 1e-7).astype(np.float32),
    ],
    ids=["float", "uint8", "uint16 with an offset", "negative", "tiny"],
)
@pytest.mark.parametrize("n_sources", [2, 3])
def test_sources_and_residual_are_the_mixture(image, n_sources):
    outputs = solve(Inputs(image), n_sources=n_sources)
    assert list(outputs) == [f"source_{k + 1}" for k in range(n_sources)] + ["residual"]
    assert all(o.dtype == np.float32 and o.shape == image.shape for o in outputs.values())
    spread = float(np.ptp(image.astype(np.float64)))
    np.testing.assert_allclose(total(outputs) + outputs["residual"], image, rtol=0, atol=1e-6 * spread)


def test_shares_that_do_not_add_up_leave_a_residual():
    task, inputs = Separate(), Inputs(PHOTO * 10)
    built = task.build(inputs)
    outputs = task.outputs(built, {"sources": 0.9 * parts_of(built.problem)})
    unexplained = 0.1 * (PHOTO * 10 - built.problem.scaling.lo)
    np.testing.assert_allclose(outputs["residual"], unexplained, atol=1e-5)


def test_what_a_given_range_clips_is_in_the_residual():
    outputs = solve(Inputs(PHOTO), low=0.2, high=0.7)
    np.testing.assert_allclose(total(outputs) + outputs["residual"], PHOTO, rtol=0, atol=1e-6)
    np.testing.assert_allclose(total(outputs), np.clip(PHOTO, 0.2, 0.7), atol=1e-6)


def test_missing_pixels_are_missing_everywhere():
    image, mask = PHOTO.copy(), np.zeros((12, 15), dtype=bool)
    image[3, 4, 2], mask[7, 8] = np.nan, True
    for output in solve(Inputs(image, mask=mask)).values():
        assert np.argwhere(np.isnan(output).any(axis=-1)).tolist() == [[3, 4], [7, 8]]


def test_opacity_is_not_part_of_the_mixture():
    opaque = np.concatenate([PHOTO, np.ones((12, 15, 1))], axis=-1)
    outputs = solve(Inputs(opaque))
    np.testing.assert_allclose(total(outputs) + outputs["residual"], PHOTO, rtol=0, atol=1e-6)


# --- Attenuation ----------------------------------------------------------------------------------------


@pytest.fixture
def xray() -> np.ndarray:
    """uint16 intensities, with one dead and one saturated pixel."""
    image = (60_000 * np.exp(-2 * PHOTO[..., 0])).astype(np.uint16)
    image[2, 3], image[5, 6] = 0, 65_535
    return image


dead_pixels = pytest.mark.filterwarnings("ignore:.* of the pixels carry no optical density")
"""The X-ray has a dead and a saturated pixel, which is reported; tests/core/test_exposure.py holds the words.
"""


@dead_pixels
def test_densities_add_up_to_the_mixtures(xray):
    outputs = solve(Inputs(xray), mixing="attenuation", i0=60_000)
    alive = np.isfinite(outputs["source_1"])
    assert np.argwhere(~alive).tolist() == [[2, 3], [5, 6]]
    expected = np.log(60_000) - np.log(xray[alive].astype(float))
    np.testing.assert_allclose((total(outputs) + outputs["residual"])[alive], expected, rtol=0, atol=2e-6)
    assert np.isnan(outputs["residual"][~alive]).all()


@dead_pixels
def test_intensities_multiply_to_the_mixture(xray):
    outputs = solve(Inputs(xray), mixing="attenuation", i0=60_000, output="intensity")
    product = 60_000 * (outputs["source_1"] / 60_000.0) * (outputs["source_2"] / 60_000.0)
    alive = np.isfinite(product)
    assert alive.sum() == xray.size - 2
    np.testing.assert_allclose((product + outputs["residual"])[alive], xray[alive], rtol=1e-5)
    assert (outputs["source_1"][alive] > 0).all()


@dead_pixels
def test_density_is_zero_where_nothing_is_in_the_beam(xray):
    problem = Separate(SeparateConfig(mixing="attenuation", i0=60_000)).build(Inputs(xray)).problem
    assert problem.scaling.lo == 0
    assert problem.density_of == 60_000
    given = Separate(SeparateConfig(mixing="attenuation", low=-0.5, high=4.0)).build(Inputs(xray)).problem
    assert (given.scaling.lo, given.scaling.hi) == (-0.5, 4.0)


@dead_pixels
def test_the_blank_is_the_brightest_percentile_unless_given(xray):
    problem = Separate(SeparateConfig(mixing="attenuation")).build(Inputs(xray)).problem
    assert problem.density_of == pytest.approx(np.percentile(xray, 99.5))


@dead_pixels
def test_colour_is_dead_where_one_channel_is(xray):
    image = np.stack([xray, np.full_like(xray, 30_000), np.full_like(xray, 20_000)], axis=-1)
    image[9, 9, 2] = 0
    outputs = solve(Inputs(image), mixing="attenuation", i0=60_000)
    missing = np.isnan(outputs["residual"]).all(axis=-1)
    assert np.argwhere(missing).tolist() == [[2, 3], [5, 6], [9, 9]]


@dead_pixels
def test_opacity_is_no_intensity(xray):
    image = np.stack([xray, xray, xray, np.full_like(xray, 65_535)], axis=-1)
    image[8, 1, 3] = 0
    outputs = solve(Inputs(image), mixing="attenuation", i0=60_000)
    missing = np.isnan(outputs["residual"]).all(axis=-1)
    assert np.argwhere(missing).tolist() == [[2, 3], [5, 6], [8, 1]]


@dead_pixels
def test_a_mask_of_another_shape_is_refused(xray):
    for mixing in ("linear", "attenuation"):
        with pytest.raises(ValueError, match=r"Expected a mask of shape \(12, 15\), got \(5, 5\)"):
            solve(Inputs(xray, mask=np.zeros((5, 5), dtype=bool)), mixing=mixing)


def test_images_without_light_have_no_density():
    with pytest.raises(ValueError, match=r"Expected a positive intensity without an object \(i0\), got 0"):
        solve(Inputs(-np.eye(12, 15)), mixing="attenuation")


# --- Guides and hints -----------------------------------------------------------------------------------


def test_hints_become_one_plane_a_source():
    labels = np.zeros((12, 15), dtype=np.int32)
    labels[1, 2], labels[3, 4] = 1, 2
    problem = Separate().build(Inputs(PHOTO, hints=labels)).problem
    assert problem.hints.shape == (2, 1, 12, 15)
    assert problem.hints[0, 0].nonzero().tolist() == [[1, 2]]
    assert problem.hints[1, 0].nonzero().tolist() == [[3, 4]]
    assert problem.traits.has_hints


def test_empty_hints_are_none():
    assert Separate().build(Inputs(PHOTO, hints=np.zeros((12, 15), dtype=np.uint8))).problem.hints is None


@pytest.mark.parametrize(
    ("hints", "text"),
    [
        (np.zeros((12, 14), dtype=int), r"Expected hints of the image's shape \(12, 15\), got \(12, 14\)"),
        (np.zeros((12, 15)), "Expected hints as integers, .* got float64"),
        (np.full((12, 15), 3), "1 to 2 for the sources, got int64 from 3 to 3"),
        (np.full((12, 15), -1), "from -1 to -1"),
    ],
)
def test_hints_that_make_no_sense_are_refused(hints, text):
    with pytest.raises(ValueError, match=text):
        Separate().build(Inputs(PHOTO, hints=hints))


def test_guides_are_scaled_and_named_in_errors():
    problem = Separate().build(Inputs(PHOTO, guides=(PHOTO * 90, None))).problem
    assert (float(problem.guides[0].min()), float(problem.guides[0].max())) == (0, 1)
    with pytest.raises(ValueError, match="everywhere in guide 2"):
        Separate().build(Inputs(PHOTO, guides=(None, np.ones((12, 15)))))
    with pytest.raises(ValueError, match=r"guide 1 of \(12, 15\) pixels"):
        Separate().build(Inputs(PHOTO, guides=(PHOTO[:5], None)))


def test_errors_name_the_mixture():
    with pytest.raises(TypeError, match="got booleans for the mixture"):
        Separate().build(Inputs(PHOTO > 0.5))
    with pytest.raises(ValueError, match="everywhere in the mixture"):
        Separate().build(Inputs(np.ones((8, 8))))

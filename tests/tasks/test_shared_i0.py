"""Attenuation in stacks: frames of one exposure series have one intensity without an object."""

import numpy as np
import pytest
import tifffile

import napari_bitsnet as nb
from napari_bitsnet.api.planes import Planes
from napari_bitsnet.tasks import TASKS

RNG = np.random.default_rng(0)
DENSITY = np.kron(RNG.uniform(0, 2, (5, 6)), np.ones((4, 4)))
BRIGHT = 50_000 * np.exp(-DENSITY)
STACK = np.stack([0.5 * BRIGHT, BRIGHT])


def shared(stack, task="separate", **options):
    entry = TASKS.get(task)
    made = entry(entry.Config().updated({"mixing": "attenuation", **options}))
    return made, *made.for_stack(Planes(stack, "ZYX" if stack.ndim == 3 else "ZMYX", several=stack.ndim == 4))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_half_the_intensity_is_a_density_of_log_2_more():
    options = {"axes": "ZYX", "mixing": "attenuation", "method": "sparse_gradients"}
    hints = np.zeros(DENSITY.shape, int)
    hints[:2], hints[-2:] = 1, 2
    result = nb.separate(STACK, hints=hints, **options)
    total = (result.sources.sum(axis=0) + result.residual).mean(axis=(1, 2))
    assert total[0] - total[1] == pytest.approx(np.log(2), abs=1e-5)
    assert result.provenance["i0"] == np.percentile(BRIGHT, 99.5)
    again = nb.separate(STACK[0], hints=hints, i0=result.provenance["i0"], **{**options, "axes": "YX"})
    np.testing.assert_array_equal(again.sources, result.sources[:, 0])  # the record is of every slice
    (notice,) = [text for text in result.warnings if "share one intensity" in text]
    assert "estimated from slice 1, the brightest" in notice


def test_unequal_slices_are_said_and_equal_ones_are_not():
    assert len(shared(STACK)[2]) == 1
    _, task, notices = shared(np.stack([BRIGHT, 0.97 * BRIGHT]))
    assert notices == []
    assert task.config.i0 == np.percentile(BRIGHT, 99.5)


@pytest.mark.parametrize("options", [{"i0": 60_000.0}, {"mixing": "linear"}, {"flat": "flat.tif"}])
def test_what_is_known_or_not_needed_is_left_alone(options):
    made, task, notices = shared(STACK, **options)
    assert task is made
    assert notices == []


def test_a_slice_without_light_and_tiny_intensities_do_no_harm():
    dark = np.zeros_like(BRIGHT)
    assert shared(np.stack([dark, BRIGHT]))[1].config.i0 == np.percentile(BRIGHT, 99.5)
    assert shared(np.stack([dark, dark]))[1].config.i0 is None  # the run says what is wrong
    tiny = 1e-13 * BRIGHT  # below the bounds of what people may set
    assert shared(np.stack([tiny, tiny]))[1].config.i0 == np.percentile(tiny, 99.5)


def test_the_dark_frame_is_taken_off_first(tmp_path):
    tifffile.imwrite(tmp_path / "dark.tif", np.full(BRIGHT.shape, 500.0))
    found = shared(STACK + 500, dark=str(tmp_path / "dark.tif"))[1].config.i0
    assert found == pytest.approx(np.percentile(BRIGHT, 99.5), rel=1e-12)


def test_several_mixtures_keep_their_own_and_that_is_said():
    pairs = np.stack([STACK, 0.5 * STACK])
    made, task, notices = shared(pairs, "multi_mixture")
    assert task is made
    assert "densities of different slices cannot be compared" in str(notices[0])
    assert shared(np.stack([STACK, STACK]), "multi_mixture")[2] == []

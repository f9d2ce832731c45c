"""Missing pixels make floats of a file's integers; white and saturation stay those of the integers."""

from __future__ import annotations

import numpy as np
import pytest

from napari_bitsnet.api.run_inputs import RunInputs
from napari_bitsnet.tasks import TASKS, Inputs

RNG = np.random.default_rng(0)
HOLE = np.zeros((32, 32), bool)
HOLE[3:5, 20:24] = True
COLOURS = RNG.integers(20, 200, (32, 32, 3)).astype(np.uint8)


def made(name, **options):
    return TASKS.get(name)(TASKS.get(name).Config().updated(options))


def inputs(task, mixture, **given):
    return RunInputs(task, mixture, **given)[0]


@pytest.mark.parametrize("kind", [list, tuple, np.ma.array, None], ids=["list", "tuple", "masked", "whole"])
def test_the_type_of_masked_integers_is_known(kind):
    masked = np.ma.masked_array(COLOURS, np.broadcast_to(HOLE[..., None], COLOURS.shape))
    if kind is None:
        assert inputs(made("separate"), COLOURS).dtype == np.uint8
    elif kind is np.ma.array:
        found = inputs(made("separate"), masked)
        assert found.mixture.dtype == np.float32
        assert found.dtype == np.uint8
    else:
        found = inputs(made("multi_mixture"), kind([masked, masked[::-1]]))
        assert found.mixture.dtype == np.float32
        assert found.dtype == np.uint8


def test_dehazing_takes_white_for_255_also_with_missing_pixels():
    task = made("dehaze")
    whole = task.build(Inputs(COLOURS)).problem
    holed = np.where(HOLE[..., None], np.nan, COLOURS).astype(np.float32)
    built = task.build(Inputs(holed, stored=np.dtype(np.uint8))).problem
    assert whole.scaling.hi == built.scaling.hi == 255
    assert task.build(Inputs(holed)).problem.scaling.hi == np.nanmax(holed)  # nobody says what it was
    masked = np.ma.masked_array(COLOURS, np.broadcast_to(HOLE[..., None], COLOURS.shape))
    assert task.build(inputs(task, masked)).problem.scaling.hi == 255


def test_a_watermark_is_white_at_255_also_with_missing_pixels():
    task = made("watermark", box=(8.0, 8.0, 20.0, 20.0))
    masked = np.ma.masked_array(COLOURS, np.broadcast_to(HOLE[..., None], COLOURS.shape))
    assert task.build(inputs(task, masked)).problem.scaling.hi == 255


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16], ids=["8 bits", "16 bits"])
@pytest.mark.parametrize("task", ["separate", "multi_mixture"])
def test_saturated_pixels_are_left_out_also_with_missing_ones(task, dtype):
    image = RNG.integers(20, 200, (32, 32)).astype(dtype)
    image[10:12, 10:12] = np.iinfo(dtype).max
    masked = np.ma.masked_array(image, HOLE)
    several = task == "multi_mixture"
    entry = made(task, mixing="attenuation", **({"registration": "none"} if several else {}))
    mixture = [masked, np.ma.masked_array(image[::-1], HOLE)] if several else masked
    valid = entry.build(inputs(entry, mixture)).problem.valid[0, 0].numpy()
    assert not valid[10:12, 10:12].any()
    assert not valid[HOLE].any()
    gone = int(HOLE.sum()) + 4 * (2 if several else 1)
    assert int((~valid).sum()) == gone

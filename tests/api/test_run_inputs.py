"""Images are made ready in one way, whichever entry takes them; a task keeps nothing between planes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.ndimage import shift as move

import napari_bitsnet as nb
from napari_bitsnet.api.run_inputs import RunInputs, planes_of
from napari_bitsnet.data.photographs import photograph
from napari_bitsnet.methods.unmixing.ica import Ica
from napari_bitsnet.tasks import TASKS, Inputs
from napari_bitsnet.tasks.multi_mixture import MultiMixture

PHOTO = photograph(0, 48)
MARKED = PHOTO.copy()
MARKED[20:30, 12:36] = 0.5 * MARKED[20:30, 12:36] + 0.5
QUICK = {"box": (16.0, 8.0, 34.0, 40.0), "preset": "quick", "device": "cpu"}

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.mark.parametrize("axes", [None, "YXC"])
def test_one_image_with_a_mark_is_taken_by_every_entry(axes: str | None):
    ran = nb.run("watermark", MARKED, axes=axes, **QUICK)
    assert nb.check("watermark", MARKED, box=QUICK["box"], axes=axes) == []
    pytest.importorskip("dask")
    lazy = nb.run_lazily("watermark", MARKED, axes=axes, **QUICK)
    assert lazy.keys() == ran.outputs.keys()
    for name, output in lazy.items():
        np.testing.assert_array_equal(output.compute(), ran.outputs[name])


@pytest.mark.parametrize("entry", [nb.run, nb.check, nb.run_lazily])
def test_every_entry_refuses_the_same(entry: Any):
    with pytest.raises(TypeError, match="Expected a list of guides"):
        entry("xray", PHOTO[..., 0], guides=PHOTO)
    with pytest.raises(ValueError, match="Expected no hints for the task 'denoise'"):
        entry("denoise", PHOTO, hints=np.zeros((48, 48), int))
    with pytest.raises(ValueError, match="Expected several mixtures"):
        entry("multi_mixture", PHOTO[..., 0])
    with pytest.raises(TypeError, match="Expected an array, got a file name"):
        entry("denoise", "image.tif")


def test_a_saved_single_image_keeps_its_layout(tmp_path):
    result = nb.run("watermark", MARKED, **QUICK)
    names = {path.name for path in result.save(tmp_path)}
    assert {"result_clean.tif", "result_mask.tif"} <= names


def test_guides_may_come_from_a_generator_or_be_none():
    guides = (guide for guide in [PHOTO, None])
    found = RunInputs(TASKS.get("xray")(TASKS.get("xray").Config()), PHOTO[..., 1], guides=guides)
    assert [guide is None for guide in found[0].guides] == [False, True]
    assert RunInputs(TASKS.get("denoise")(None), PHOTO, guides=None)[0].guides == ()
    assert len(planes_of(TASKS.get("watermark"), MARKED, None)[0]) == 1


def test_a_task_keeps_nothing_between_planes():
    mixtures = np.stack([0.7 * PHOTO + 0.3 * photograph(1, 48), 0.3 * PHOTO + 0.7 * photograph(1, 48)])
    apart = mixtures.copy()
    apart[1] = move(apart[1], (2, -1.5, 0), order=5, mode="reflect")
    task, method = MultiMixture(), Ica()
    before = dict(vars(task))

    def outputs(built: Any) -> dict[str, np.ndarray]:
        state = method.start(built.problem, device="cpu", seed=0)
        list(method.advance(state))
        return task.outputs(built, method.solution(state))

    first = task.build(Inputs(mixtures))
    alone = outputs(first)
    second = task.build(Inputs(apart))
    again = outputs(first)
    assert vars(task) == before
    for name in alone:
        np.testing.assert_array_equal(alone[name], again[name])
    assert np.isnan(outputs(second)["source_1"]).any()
    assert not np.isnan(again["source_1"]).any()


def test_only_the_border_that_is_missing_is_missing():
    mixtures = np.stack([0.7 * PHOTO + 0.3 * photograph(1, 48), 0.3 * PHOTO + 0.7 * photograph(1, 48)])
    mixtures[1] = move(mixtures[1], (2, -1.5, 0), order=5, mode="reflect")
    found = nb.run("multi_mixture", mixtures, device="cpu").outputs["source_1"]
    expected = np.zeros((48, 48), bool)
    expected[-2:] = expected[:, :2] = True
    np.testing.assert_array_equal(np.isnan(found).any(axis=-1), expected)

"""Missing pixels make floats of integers; every entry can be told which integers they were, and records say
so."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import napari_bitsnet as nb
from napari_bitsnet.api.export.scores import score_slice
from napari_bitsnet.api.planes import Planes
from napari_bitsnet.io.read import read_image
from napari_bitsnet.tasks import TASKS

RNG = np.random.default_rng(4)
HOLE = np.zeros((24, 28), bool)
HOLE[3:5, 8:12] = True
IMAGE = RNG.integers(1000, 60000, (24, 28)).astype(np.uint16)
IMAGE[10:12, 10:12] = 65535
HOLED = np.where(HOLE, np.nan, IMAGE).astype(np.float32)
SHORT = {"method": "feedforward", "preset": "quick", "device": "cpu"}


@pytest.mark.parametrize(
    "entry",
    [nb.run, nb.separate, nb.iter_separate, nb.run_lazily, nb.check, nb.spike_in],
    ids=lambda f: f.__name__,
)
def test_every_entry_can_be_told(entry):
    assert "stored" in inspect.signature(entry).parameters


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", ["masked", "told", "floats"])
def test_integers_are_written_as_integers_also_with_missing_pixels(kind, tmp_path):
    mixture = np.ma.masked_array(IMAGE, HOLE) if kind == "masked" else HOLED
    told = {"stored": "uint16"} if kind == "told" else {}
    result = nb.separate(mixture, **told, **SHORT)
    assert result.provenance["stored"] == ("float32" if kind == "floats" else "uint16")
    result.save(tmp_path, "scan", depth="input")
    written = read_image(tmp_path / "scan_source_1.tif").array
    assert written.dtype == result.provenance["stored"]
    exact = result.outputs["source_1"].array
    expected = exact if kind == "floats" else np.round(np.nan_to_num(exact))
    np.testing.assert_array_equal(written, np.clip(expected, 0, 65535) if kind != "floats" else expected)


@pytest.mark.parametrize("task", ["separate", "multi_mixture"])
def test_saturated_pixels_have_no_density_to_be_scored(task):
    entry = TASKS.get(task)(TASKS.get(task).Config().updated({"mixing": "attenuation", "i0": 60000.0}))
    if task == "multi_mixture":
        entry.config = entry.config.updated({"weights": "sum-to-one"})
    mixture = np.stack([HOLED, HOLED]) if task == "multi_mixture" else HOLED
    sources = np.zeros((2, *HOLED.shape))
    for stored, known in ((np.dtype(np.uint16), False), (None, True)):
        density = entry.scorable(mixture, sources, sources, 60000.0, stored)[0]
        assert np.isfinite(density[..., 10:12, 10:12]).all() == known
        assert np.isnan(density[..., HOLE]).all()


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_scores_go_by_the_record():
    result = nb.run("separate", HOLED, stored="uint16", mixing="attenuation", i0=60000.0, **SHORT)
    truths, planes = list(result.sources), Planes(HOLED, None)
    known = score_slice(result.outputs, result.provenance, planes, truths)
    assert min(known["psnr"]) > 80
    seen: list[object] = []
    kind = type(TASKS.get("separate")(TASKS.get("separate").Config()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, "scorable", lambda self, *given: (seen.append(given[-1]), given[:3])[1])
        score_slice(result.outputs, result.provenance, planes, truths)
    assert seen == [np.dtype(np.uint16)]


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_is_no_type_is_refused():
    with pytest.raises(TypeError, match="data type"):
        nb.separate(HOLED, stored="nothing", **SHORT)

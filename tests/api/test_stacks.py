"""Stacks with guides: one model of colours, warm starts, and slices that are computed when they are looked
at."""

import dask
import dask.array
import numpy as np
import pytest

import napari_bitsnet as nb
from napari_bitsnet.methods.guided.guided_regression import GuidedRegression
from napari_bitsnet.tasks import TASKS, Inputs
from tests.panels import shared_panel

PANEL = shared_panel(2, 56)
RNG = np.random.default_rng(0)
NOISE = 1500 * RNG.standard_normal((4, 56, 56))
STACK = (PANEL.mixture + NOISE).clip(0, 65535).astype(np.uint16)

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def gain(sources: np.ndarray, z: int) -> float:
    return nb.metrics.score(sources, PANEL.truths, STACK[z])["mean_gain_offset_free"]


def test_a_slice_starts_where_the_one_before_ended():
    whole = nb.run("xray", STACK, guides=PANEL.guides, axes="ZYX", preset="quick")
    alone = nb.run("xray", STACK[3], guides=PANEL.guides, preset="quick")
    np.testing.assert_array_equal(
        whole.sources[:, 0], nb.run("xray", STACK[0], guides=PANEL.guides, preset="quick").sources
    )
    assert not np.array_equal(whole.sources[:, 3], alone.sources)
    assert gain(whole.sources[:, 3], 3) > gain(alone.sources, 3) - 0.2


def test_the_colours_keep_their_clusters_and_guides_their_places():
    task = TASKS.get("xray")()
    problem = task.build(Inputs(PANEL.mixture, guides=PANEL.guides)).problem
    method = GuidedRegression(GuidedRegression.presets["quick"])
    first = method.start(problem, device="cpu", seed=0)
    next(method.advance(first))
    second = method.warm_start(problem, first, device="cpu", seed=7)
    next(method.advance(second))
    for a, b in zip(first.model.terms, second.model.terms, strict=True):
        assert a.basis is b.basis
        assert abs(a.displacement - b.displacement).max() < 0.5
    one = task.build(Inputs(PANEL.mixture, guides=[PANEL.guides[0], None])).problem
    assert method.warm_start(one, first, device="cpu", seed=0).previous is None  # another problem


def test_lazily_only_what_is_looked_at_is_read_and_computed():
    read: list[int] = []

    def note(block: np.ndarray, block_info: dict | None = None) -> np.ndarray:
        if block_info:
            read.append(block_info[0]["chunk-location"][0])
        return block

    stack = dask.array.from_array(STACK, chunks=(1, 56, 56)).map_blocks(note, dtype=STACK.dtype)
    outputs = nb.run_lazily("xray", stack, guides=PANEL.guides, axes="ZYX", preset="quick")
    assert outputs["source_1"].shape == STACK.shape
    assert outputs["source_1"].dtype == np.float32
    assert set(read) == {2}
    first, second = dask.compute(outputs["source_1"][0], outputs["source_2"][0])
    assert set(read) == {0, 2}
    assert gain(np.stack([first, second]), 0) > 1
    rest = outputs["residual"][0].compute()
    np.testing.assert_allclose(first.astype(float) + second + rest, STACK[0], atol=0.1)


def test_lazily_slices_that_cannot_be_worked_on_are_missing_and_named():
    stack = STACK.copy()
    stack[0] = 7
    outputs = nb.run_lazily("xray", stack, guides=PANEL.guides, axes="ZYX", preset="quick")
    with pytest.warns(UserWarning, match="Slice 0 was left out: Expected an image with contrast"):
        found = outputs["source_1"][0].compute()
    assert np.isnan(found).all()


def test_lazily_the_middle_slice_leaves_its_record_and_its_warnings():
    arguments = {"guides": PANEL.guides, "preset": "quick"}
    with pytest.warns(UserWarning, match=r"that no guide predicts has .* \(slice 2\)") as caught:
        outputs = nb.run_lazily("xray", STACK, axes="ZYX", **arguments)
    assert caught[0].filename == __file__
    alone = nb.run("xray", STACK[2], **arguments)
    assert outputs.warnings == tuple(f"{text} (slice 2)" for text in alone.warnings)
    made = outputs.provenance
    assert made["losses"] == alone.provenance["losses"]
    assert made["method_settings"] == alone.provenance["method_settings"]
    assert made["settings"]["axes"] == "ZYX"
    assert made["seconds"] > 0


def test_lazily_slices_share_the_middle_ones_intensity_without_an_object():
    bright = 60_000 * np.exp(-PANEL.mixture / 20_000.0)
    stack = np.stack([0.5 * bright, bright])
    options = {"mixing": "attenuation"}
    outputs = nb.run_lazily("xray", stack, guides=PANEL.guides, axes="ZYX", preset="quick", **options)
    assert outputs.provenance["i0"] == np.percentile(bright, 99.5)
    parts = [outputs[name] for name in ("source_1", "source_2", "residual")]
    first, second = (np.sum(dask.compute(*[part[z] for part in parts]), axis=0).mean() for z in range(2))
    assert first - second == pytest.approx(np.log(2), abs=1e-5)

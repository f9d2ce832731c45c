"""Runs on the workers of a client: arrays, notices and record of a run here, progress, requests to end."""

import dask
import numpy as np
import pytest

import napari_bitsnet as nb
from napari_bitsnet.api import RunSettings, iter_run
from tests.panels import shared_panel

distributed = pytest.importorskip("distributed")
PANEL = shared_panel(2, 32)
RNG = np.random.default_rng(0)
STACK = (PANEL.mixture + 1500 * RNG.standard_normal((4, 32, 32))).clip(0, 65535).astype(np.uint16)
GUIDED = {"guides": PANEL.guides, "preset": "quick"}

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(scope="module")
def client():
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        yield client


def test_a_single_image_is_separated_as_here(client):
    there = nb.run("xray", PANEL.mixture, client=client, **GUIDED)
    here = nb.run("xray", PANEL.mixture, **GUIDED)
    assert there.warnings == here.warnings
    assert list(there.outputs) == list(here.outputs)
    for name, output in here.outputs.items():
        np.testing.assert_array_equal(there.outputs[name].array, output.array)
    differing = {name for name in here.provenance if here.provenance[name] != there.provenance[name]}
    assert differing <= {"seconds"}
    with pytest.raises(ValueError, match="Expected an image with contrast"):
        nb.run("xray", np.full((32, 32), 7), client=client, **GUIDED)


def test_slices_start_from_the_middle_one_whatever_worker_they_are_on(client):
    lazy = nb.run_lazily("xray", STACK, axes="ZYX", **GUIDED)
    (expected,) = dask.compute(lazy["source_1"], scheduler="sync")
    result = nb.run("xray", STACK, axes="ZYX", client=client, **GUIDED)
    np.testing.assert_array_equal(result.sources[0], expected)
    assert result.provenance["seconds"] > lazy.provenance["seconds"]  # of all slices
    assert result.state is None


def test_slices_without_contrast_are_left_out_also_the_middle_one(client):
    for bad in (0, 2):
        stack = STACK.copy()
        stack[bad] = 7
        result = nb.run("xray", stack, axes="ZYX", client=client, **GUIDED)
        assert [bool(np.isnan(each).all()) for each in result.sources[0]] == [k == bad for k in range(4)]
        assert any(text.startswith(f"Slice {bad} was left out") for text in result.warnings)
    with pytest.raises(ValueError, match="at least one slice"):
        nb.run("xray", np.full((3, 32, 32), 7), axes="ZYX", client=client, **GUIDED)


def test_slices_share_what_a_stack_shares(client):
    given = {**GUIDED, "axes": "ZYX", "mixing": "attenuation"}
    stack = STACK // np.array([1, 2, 1, 1], np.uint16)[:, None, None]
    there, here = (nb.run("xray", stack, client=each, **given) for each in (client, None))
    assert there.provenance["i0"] == here.provenance["i0"]
    assert [text for text in there.warnings if "share one" in text] == [
        text for text in here.warnings if "share one" in text
    ]


def test_progress_counts_slices_and_a_request_to_end_keeps_those_that_are_done(client):
    settings = RunSettings.of("xray", axes="ZYX", preset="quick")
    run = iter_run(settings, STACK, guides=PANEL.guides, client=client)
    steps = list(run)
    assert [step.plane for step in steps] == [0, 1, 2, 3]
    assert all((step.step, step.total) == (1, 1) for step in steps)
    assert "source_1" in steps[0].outputs
    told = []
    run = iter_run(settings, STACK, guides=PANEL.guides, client=client, stop=lambda: bool(told))
    told.append(next(run))
    while True:
        try:
            next(run)
        except StopIteration as end:
            result = end.value
            break
    assert result.provenance["stop_reason"] == "stopped"
    kept = [not np.isnan(each).all() for each in result.sources[0]]
    assert kept == [False, False, True, False]  # the middle one

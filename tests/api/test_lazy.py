"""Lazy runs on other processes: small tasks, weights from files, blocks of slices, images written piece by
piece."""

import os
import pickle
import signal
from pathlib import Path

import cloudpickle
import dask
import dask.array
import numpy as np
import pytest
import zarr

import napari_bitsnet as nb
from napari_bitsnet.api import RunSettings, lazy, slices
from napari_bitsnet.api.choose import make_task
from napari_bitsnet.api.portable import Portable
from napari_bitsnet.api.run_inputs import RunInputs
from napari_bitsnet.api.slices import blocks_of
from napari_bitsnet.api.start import starting_session
from napari_bitsnet.core.stages import exhaust
from napari_bitsnet.io.calibration import Calibration
from napari_bitsnet.methods.feedforward.feedforward import load_network
from tests.panels import shared_panel

PANEL = shared_panel(2, 32)
RNG = np.random.default_rng(0)
STACK = (PANEL.mixture + 1500 * RNG.standard_normal((5, 32, 32))).clip(0, 65535).astype(np.uint16)
GUIDED = {"guides": PANEL.guides, "axes": "ZYX", "preset": "quick"}
MEGABYTE = 1e6

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def sizes(outputs):
    """Return the pickled size in bytes of each task of a graph, by the name of what it does."""
    graph = dict(outputs["source_1"].__dask_graph__())
    return {str(key): len(cloudpickle.dumps(task)) for key, task in graph.items()}


def test_tasks_carry_neither_the_weights_nor_the_stack():
    stack = RNG.integers(0, 60000, (40, 160, 160), dtype=np.uint16)  # 2 MB
    outputs = nb.run_lazily("separate", stack, axes="ZYX", preset="quick", method="feedforward", seed=0)
    found = sizes(outputs)
    network = load_network()
    assert sum(p.numel() * 4 for p in network.parameters()) > 10 * MEGABYTE
    assert max(found.values()) < MEGABYTE
    separating = [size for key, size in found.items() if key.startswith("_arrays_of_block-")]
    assert len(separating) == len(stack) - 1
    assert max(separating) < 10_000  # it names its nodes
    # every slice is a node, and the whole is little more than the stack and the middle one's session
    assert sum(found.values()) < 1.5 * stack.nbytes + 2 * MEGABYTE


def test_a_session_finds_its_network_again_in_another_process():
    settings = RunSettings.of("separate", method="feedforward", preset="quick", device="cpu")
    task, image = make_task(settings), STACK[0]
    session = exhaust(starting_session(settings, task, RunInputs(task, image)[0], "cpu"))
    content = pickle.dumps(Portable(session))
    assert len(content) < MEGABYTE
    first, second = (pickle.loads(content).session for _ in range(2))
    assert first.state.network is second.state.network  # loaded once in a process
    assert first.state.network is not session.state.network
    for here, there in zip(session.state.network.parameters(), first.state.network.parameters(), strict=True):
        np.testing.assert_array_equal(here.numpy(), there.numpy())
    assert len(pickle.dumps(pickle.loads(content))) < MEGABYTE  # and is sent on in the same way
    np.testing.assert_array_equal(first.problem.observations, session.problem.observations)


def test_networks_that_were_fitted_are_sent_as_they_are():
    settings = RunSettings.of("separate", method="double_dip", preset="quick", device="cpu")
    task = make_task(settings)
    session = exhaust(starting_session(settings, task, RunInputs(task, STACK[0])[0], "cpu"))
    for _ in session.advance(iterations=1):
        pass
    there = pickle.loads(pickle.dumps(Portable(session))).session
    for name, output in session.outputs().items():
        np.testing.assert_array_equal(there.outputs()[name].array, output.array)


def test_blocks_lead_away_from_the_middle_and_cover_all():
    assert blocks_of(8, 4, 2) == [[5, 6], [7], [3, 2], [1, 0]]
    assert blocks_of(1, 0, 3) == []
    for count, size in ((9, 1), (10, 4), (2, 5)):
        found = sorted(index for block in blocks_of(count, count // 2, size) for index in block)
        assert found == [index for index in range(count) if index != count // 2]


def test_slices_of_a_block_start_from_the_one_before():
    """Seen at the colours' model, which a slice takes over from the one that it started from."""
    alone = nb.run_lazily("xray", STACK, **GUIDED)
    blocks = nb.run_lazily("xray", STACK, **GUIDED, block=2)
    single, chained = dask.compute(alone["source_1"], blocks["source_1"], scheduler="sync")
    for same in (1, 2, 3):  # the middle slice, and those beside it, which start from it in both
        np.testing.assert_array_equal(single[same], chained[same])
    assert not np.array_equal(single[4], chained[4])
    assert not np.array_equal(single[0], chained[0])
    with pytest.raises(ValueError, match="Expected block of at least 1"):
        nb.run_lazily("xray", STACK, **GUIDED, block=0)


@pytest.mark.parametrize("kind", ["numpy", "dask", "zarr"])
def test_every_kind_of_stack_gives_the_same_slices(kind, tmp_path):
    if kind == "dask":
        stack = dask.array.from_array(STACK, chunks=(2, 32, 32))
    elif kind == "zarr":
        stack = zarr.open_array(str(tmp_path / "s.zarr"), mode="w", shape=STACK.shape, dtype=STACK.dtype)
        stack[:] = STACK
    else:
        stack = STACK
    masks = np.zeros(STACK.shape, bool)
    masks[1, :4, :4] = True
    outputs = nb.run_lazily("xray", stack, mask=masks, **GUIDED)
    (found,) = dask.compute(outputs["source_1"], scheduler="sync")
    assert np.isnan(found[1, :4, :4]).all()
    assert not np.isnan(found[0]).any()
    (again,) = dask.compute(nb.run_lazily("xray", STACK, mask=masks, **GUIDED)["source_1"], scheduler="sync")
    np.testing.assert_array_equal(found, again)


def test_images_are_written_piece_by_piece_and_each_slice_is_separated_once(tmp_path, monkeypatch):
    solved = []
    solve = slices.solve
    for module in (lazy, slices):
        monkeypatch.setattr(module, "solve", lambda *given: solved.append(1) or solve(*given))
    outputs = nb.run_lazily("xray", STACK, **GUIDED)
    calibration = Calibration((10.0, 10.0), "micron")
    paths = outputs.to_zarr(tmp_path / "out", "scan", calibration=calibration)
    assert len(solved) == len(STACK)
    assert {path.name for path in paths} >= {"scan_source_1.ome.zarr", "scan_residual.ome.zarr"}
    (expected,) = dask.compute(dict(outputs), scheduler="sync")
    for path in paths:
        name = path.name.removeprefix("scan_").removesuffix(".ome.zarr")
        file = nb.read(path)
        np.testing.assert_array_equal(np.asarray(file.array), expected[name])
        assert file.axes == "ZYX"
        assert file.calibration.per_unit == (10.0, 10.0)
        about = dict(zarr.open_group(str(path)).attrs["napari-bitsnet"])
        assert about["output"] == name
        assert about["task"] == "xray"
    assert not [each for each in Path(tmp_path / "out").iterdir() if each.name.endswith(".part")]
    with pytest.raises(ValueError, match="which exists"):
        outputs.to_zarr(tmp_path / "out", "scan", names=["source_1"])
    with pytest.raises(ValueError, match="got sauce"):
        outputs.to_zarr(tmp_path / "out", "scan", names=["sauce"])


def test_processes_give_the_same_slices_and_a_killed_worker_costs_its_own(tmp_path):
    distributed = pytest.importorskip("distributed")
    stack = dask.array.from_array(STACK, chunks=(1, 32, 32))
    outputs = nb.run_lazily("xray", stack, **GUIDED)
    (here,) = dask.compute(outputs["source_1"], scheduler="sync")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        first = client.persist(outputs["source_1"][:3])
        distributed.wait(first)
        killed, *_ = client.run(os.getpid).values()
        os.kill(killed, signal.SIGKILL)
        paths = outputs.to_zarr(tmp_path, "scan", names=["source_1"])
        result = nb.run("xray", STACK, client=client, **GUIDED)
    np.testing.assert_array_equal(result.sources[0], here)
    np.testing.assert_array_equal(np.asarray(nb.read(paths[0]).array), here)

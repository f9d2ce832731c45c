"""Hints that come while a run goes on, or after it."""

import numpy as np
import pytest

import napari_bitsnet as nb
from napari_bitsnet.api.resuming import iter_resume
from napari_bitsnet.api.running import finish, iter_run
from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.methods.feedforward.feedforward import weights_available
from tests.panels import shared_panel

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(scope="module")
def crossing():
    """A vertical and a horizontal bar that cross, and labels on an edge of each."""
    y, x = np.mgrid[:32, :32]
    mixture = (np.abs(y - 12) < 3) * 0.4 + (np.abs(x - 20) < 3) * 0.4 + 0.1
    labels = np.zeros((32, 32), np.uint8)
    labels[7:17, 4:9], labels[24:29, 15:25] = 1, 2
    return mixture.astype(np.float32), labels


def edges(image, area):
    """Mean size of the steps between neighbours in an area."""
    inside = image[area]
    return np.abs(np.diff(inside, axis=0)).mean() + np.abs(np.diff(inside, axis=1)).mean()


def once(labels, after):
    """Hints that come when they are asked for the `after`-th time."""
    asked = iter(range(1000))
    return lambda: labels if next(asked) == after else None


FAST = {"iterations": 30, "channels": [8, 8], "skip_channels": [4, 4], "input_channels": 4, "start": "none"}


def test_networks_go_on_with_hints_that_come_while_they_run(crossing):
    mixture, labels = crossing
    settings = RunSettings(method="bitsnet", preset="quick", settings={**FAST, "alpha_hint": 5.0})
    run, seen = iter_run(settings, mixture, new_hints=once(labels, 12)), []
    while True:
        try:
            seen.append(next(run).losses)
        except StopIteration as end:
            result = end.value
            break
    assert ["hints" in losses for losses in seen] == [False] * 12 + [True] * 18
    assert seen[-1]["hints"] < seen[12]["hints"]
    assert result.provenance["hints_taken_at"] == [12]


@pytest.mark.parametrize(("task", "method"), [("separate", "feedforward"), ("segment", "random_walker")])
def test_methods_that_read_hints_begin_again(crossing, task, method):
    mixture, labels = crossing
    if method == "feedforward" and not weights_available():
        pytest.skip("no trained weights")
    before = np.where(labels == 1, 1, 0).astype(np.uint8)
    before[0, :3] = 2
    first = nb.run(task, mixture, hints=before, method=method, preset="quick")
    hidden = np.ma.array(np.where(labels == 0, 9, labels), mask=labels == 0)  # nothing is said there
    again = finish(iter_resume(first, iterations=1, hints=hidden))
    expected = nb.run(task, mixture, hints=labels, method=method, preset="quick")
    for name, output in expected.outputs.items():
        np.testing.assert_array_equal(again.outputs[name], output)
    assert again.provenance["hints_taken_at"] == [1]


def test_a_closed_form_is_solved_again(crossing):
    mixture, labels = crossing
    before = np.zeros_like(labels)
    before[7:17, 4:9] = 1
    run = iter_run(RunSettings(method="sparse_gradients"), mixture, hints=before, new_hints=once(labels, 2))
    result = finish(run)
    expected = nb.separate(mixture, method="sparse_gradients", hints=labels)
    np.testing.assert_array_equal(result.sources, expected.sources)
    assert result.provenance["hints_taken_at"] == [0]  # between two stages of its only iteration


def test_an_area_is_given_to_the_other_source_afterwards():
    made = shared_panel(0, (48, 56))
    settings = {"guides": made.guides, "preset": "quick"}
    first = nb.run("xray", made.mixture, **settings)
    area = np.s_[16:30, 20:36]
    labels = np.zeros(made.mixture.shape, np.uint8)
    labels[area] = 2
    moved = finish(iter_resume(first, iterations=1, hints=labels))
    whole = np.sum(first.sources.astype(float), axis=0)
    np.testing.assert_allclose(np.sum(moved.sources.astype(float), axis=0), whole, atol=1e-3 * np.ptp(whole))
    assert edges(moved.sources[0], area) < 0.3 * edges(first.sources[0], area)
    assert edges(moved.sources[1], area) > edges(first.sources[1], area)
    again = nb.run("xray", made.mixture, hints=labels, **settings)
    np.testing.assert_array_equal(moved.sources, again.sources)


def test_hints_that_cannot_be_used_are_said_and_the_run_goes_on(crossing):
    mixture, labels = crossing
    settings = RunSettings(method="bitsnet", preset="quick", settings={**FAST, "iterations": 3})
    run = iter_run(settings, mixture, new_hints=once(labels * 3, 1))
    with pytest.warns(UserWarning, match="Hints were left out. Expected hints as integers"):
        result = finish(run)
    assert result.provenance["iterations"] == 3
    assert result.provenance["hints_taken_at"] == []


def test_in_a_stack_later_slices_get_them_too(crossing):
    mixture, labels = crossing
    stack = np.stack([mixture, mixture[::-1]])
    run = iter_run(
        RunSettings(method="sparse_gradients", axes="ZYX"),
        stack,
        hints=np.stack([labels, labels[::-1]]),
        new_hints=once(np.stack([labels[:, ::-1], labels]), 0),
    )
    expected = nb.separate(mixture[::-1], method="sparse_gradients", hints=labels)
    np.testing.assert_array_equal(finish(run).sources[:, 1], expected.sources)

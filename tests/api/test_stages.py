"""Closed forms that tell their stages: what is heard between them, and that nobody who looks changes
anything."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_bitsnet.api.running import iter_run
from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.core.stages import Stage, exhaust, without_stages
from napari_bitsnet.methods import METHODS, BaseMethod
from tests.panels import shared_panel


def sides():
    return shared_panel(4, 48)


GUIDED = RunSettings(task="xray", method="guided_regression", preset="quick")
ALONE = RunSettings(task="separate", method="feedforward", preset="balanced", settings={"looks": 1})
STAGED = [name for name in METHODS if METHODS.get(name).stages is not BaseMethod.stages]


def start(settings: RunSettings, **more):
    guides = sides().guides if settings.task == "xray" else ()
    return iter_run(settings, sides().mixture, guides=guides, **more)


def end(run):
    """What is yielded, and the result."""
    seen = []
    while True:
        try:
            seen.append(next(run))
        except StopIteration as done:
            return seen, done.value


def test_those_that_take_long_tell_their_stages():
    assert {"guided_regression", "feedforward"} <= set(STAGED)


@pytest.mark.parametrize("settings", [GUIDED, ALONE], ids=["guided", "alone"])
def test_stages_are_told_in_words_and_change_nothing(settings: RunSettings):
    seen, result = end(start(settings))
    names = [step.stage.name for step in seen if step.stage is not None]
    assert len(names) == len(set(names)) > 2
    assert all(step.step == 0 and not step.losses for step in seen if step.stage is not None)
    assert [step.step for step in seen if step.stage is None][-1] == 1
    _, again = end(start(settings))
    for name, output in result.outputs.items():
        np.testing.assert_array_equal(again.outputs[name], output, err_msg=name)


def test_the_guided_fit_names_what_it_does():
    names = " | ".join(step.stage.name for step in end(start(GUIDED))[0] if step.stage is not None)
    for part in ("registration", "fit, round 2 of 3", "trust"):
        assert part in names


@pytest.mark.parametrize("settings", [GUIDED, ALONE], ids=["guided", "alone"])
@pytest.mark.parametrize("after", [1, 3])
def test_a_stop_request_is_heard_at_the_next_stage_with_an_answer(settings: RunSettings, after: int):
    told: list[Stage] = []
    run = start(settings, stop=lambda: len(told) >= after)
    while True:
        try:
            step = next(run)
        except StopIteration as done:
            result = done.value
            break
        assert step.step == 0
        if step.stage is not None:
            told.append(step.stage)
    assert len(told) <= max(after, 2)
    assert result.provenance["stop_reason"] == "stopped"
    assert result.provenance["iterations"] == 0
    np.testing.assert_allclose(
        result.sources.sum(axis=0), sides().mixture, atol=1e-4 * np.ptp(sides().mixture)
    )
    assert (
        np.abs(np.diff(result.sources[0] - result.sources[1], axis=0)).mean() > 1e-4
    )  # not an even division


def test_a_time_limit_is_heard_too():
    _, result = end(start(GUIDED.updated({"seconds": 0.1, "preset": "balanced"})))
    assert result.provenance["stop_reason"] == "time"
    assert "uncertainty" not in result.outputs


def test_the_fit_is_kept_when_the_trust_is_stopped():
    told: list[str] = []
    run = start(GUIDED, stop=lambda: bool(told) and told[-1] == "trust")
    while True:
        try:
            step = next(run)
            told += [step.stage.name] if step.stage is not None else []
        except StopIteration as done:
            stopped = done.value
            break
    _, whole = end(start(GUIDED))
    np.testing.assert_array_equal(stopped.outputs["source_1"], whole.outputs["source_1"])
    assert "uncertainty" in whole.outputs


def test_slices_of_a_stack_may_end_with_fewer_outputs_than_the_first():
    stack = np.stack([sides().mixture, sides().mixture])
    settings, told = GUIDED.updated({"axes": "ZYX"}), []
    run = iter_run(settings, stack, guides=sides().guides, stop=lambda: bool(told))
    while True:
        try:
            step = next(run)
            told += [1] if step.plane == 1 and step.stage is not None else []
        except StopIteration as done:
            result = done.value
            break
    assert np.isfinite(result.outputs["uncertainty"][0]).all()
    assert np.isnan(result.outputs["uncertainty"][1]).all()
    assert np.isfinite(result.outputs["source_1"][1]).all()


def test_hints_between_stages_do_not_begin_anew():
    labels = np.zeros(sides().mixture.shape, np.uint8)
    labels[4:12, 4:12] = 1
    waiting, told = [labels], []
    run = start(GUIDED, new_hints=lambda: waiting.pop() if len(told) > 3 and waiting else None)
    while True:
        try:
            step = next(run)
            told += [step.stage.name] if step.stage is not None else []
        except StopIteration as done:
            result = done.value
            break
    assert result.provenance["hints_taken_at"] == [0]
    assert len(told) == len(set(told))


def test_looking_at_stages_leaves_gradients_as_they_are():
    assert torch.is_grad_enabled()
    run = start(ALONE)
    next(run)
    assert torch.is_grad_enabled()
    run.close()
    assert torch.is_grad_enabled()


def test_stages_are_left_out_for_those_who_want_iterations():
    def computation():
        yield Stage("a")
        yield {"loss": torch.tensor(1.0)}
        return 7

    assert [set(losses) for losses in without_stages(computation())] == [{"loss"}]
    assert exhaust(computation()) == 7

"""Runs with a tiny method: budget, stopping, resuming, stacks, notices, provenance."""

import json
import threading
from typing import ClassVar

import numpy as np
import pytest

from napari_bitsnet import api
from napari_bitsnet.api.notices import NotSeparatedWarning
from napari_bitsnet.api.running import finish
from napari_bitsnet.core.config import Config, setting
from napari_bitsnet.core.problem import State
from napari_bitsnet.methods import METHODS, BaseMethod


class HalfConfig(Config):
    iterations: int = setting(5, "Iterations.", ge=1, le=100, step=1)
    converges_at: int = setting(10**9, "Step at which its rule stops it.", ge=1, le=10**9, step=1)
    amplitude: float = setting(0.1, "Of the checkerboard.", ge=0, le=1, step=0.1)


class Half(BaseMethod):
    """Moves a checkerboard from source 2 to source 1, a little more at each step."""

    name = "half"
    title = "Half"
    summary = "A toy."
    Config = HalfConfig
    presets: ClassVar = {"quick": HalfConfig(iterations=2), "balanced": HalfConfig(), "best": HalfConfig()}

    @property
    def iterations(self):
        return self.config.iterations

    def unsupported_reason(self, traits):
        return None if traits.n_sources == 2 else "it takes two sources."

    def start(self, problem, *, device, seed):
        return State(problem, has_start=True)

    def advance(self, state):
        while True:
            state.step += 1
            yield {"loss": np.float32(1 / state.step)}

    def solution(self, state):
        import torch

        mixture = state.problem.observations
        board = torch.tensor([[0.0, 1.0], [1.0, 0.0]]).repeat(*[n // 2 + 1 for n in mixture.shape[-2:]])
        board = self.config.amplitude * state.step * board[: mixture.shape[-2], : mixture.shape[-1]]
        return {"sources": torch.cat([mixture / 2 + board, mixture / 2 - board])}

    def stopping(self):
        rule = type("Rule", (), {})()
        rule.count, rule.limit = 0, self.config.converges_at

        def update(sources):
            rule.count += 1
            return rule.count >= rule.limit

        rule.update = update
        return rule


@pytest.fixture(autouse=True)
def half_method():
    METHODS.register("half")(Half)
    yield
    del METHODS._entries["half"]


@pytest.fixture
def mixture():
    return np.random.default_rng(0).integers(0, 255, (16, 18), dtype=np.uint8)


def test_sources_and_residual_add_up_to_the_mixture(mixture):
    result = api.separate(mixture, method="half")
    assert result.sources.shape == (2, 16, 18)
    assert result.sources.dtype == np.float32
    total = result.sources.astype(np.float64).sum(0) + result.residual
    assert np.abs(total - mixture).max() <= 1e-6 * 255
    assert set(result.outputs) == {"source_1", "source_2", "residual"}


def test_provenance_is_json_and_repeats_the_run(mixture):
    result = api.separate(mixture, method="half", preset="quick", seed=3, settings={"iterations": 4})
    record = json.loads(json.dumps(result.provenance))
    assert record["iterations"] == 4
    assert record["stop_reason"] == "iterations"
    assert record["losses"] == {"loss": pytest.approx(0.25)}
    assert record["method"] == "half"
    again = finish(api.iter_run(api.RunSettings.model_validate(record["settings"]), mixture))
    np.testing.assert_array_equal(again.sources, result.sources)


def test_iterations_are_yielded_one_by_one_from_the_start(mixture):
    run = api.iter_separate(mixture, method="half", iterations=3)
    seen = []
    while True:
        try:
            step = next(run)
        except StopIteration as end:
            result = end.value
            break
        seen.append((step.step, step.total, step.losses, step.outputs["source_1"].copy()))
    assert [s[0] for s in seen] == [0, 1, 2, 3]
    assert {s[1] for s in seen} == {3}
    assert seen[0][2] == {}
    assert seen[2][2] == {"loss": 0.5}
    np.testing.assert_array_equal(seen[-1][3], result.outputs["source_1"])
    assert not np.array_equal(seen[0][3], seen[-1][3])


def test_a_stop_request_keeps_the_best_so_far(mixture):
    stop = threading.Event()
    run = api.iter_separate(mixture, method="half", iterations=100, stop=stop.is_set)
    for step in run:
        if step.step == 2:
            stop.set()
            break
    with pytest.raises(StopIteration) as end:
        next(run)
    result = end.value.value
    assert result.provenance["stop_reason"] == "stopped"
    assert result.provenance["iterations"] == 2
    assert np.isfinite(result.sources).all()


def test_the_rule_and_the_clock_end_a_run(mixture):
    result = api.separate(mixture, method="half", iterations=50, settings={"converges_at": 3})
    assert (result.provenance["stop_reason"], result.provenance["iterations"]) == ("converged", 3)
    result = api.separate(mixture, method="half", iterations=1_000_000, seconds=0.1)
    assert result.provenance["stop_reason"] == "time"


def test_resuming_is_the_same_as_running_on(mixture):
    whole = api.separate(mixture, method="half", iterations=6)
    half = api.separate(mixture, method="half", iterations=2)
    more = api.resume(half, iterations=4)
    np.testing.assert_array_equal(more.sources, whole.sources)
    assert more.provenance["iterations"] == 6
    assert more.provenance["settings"]["iterations"] == 6
    more.drop_state()
    with pytest.raises(ValueError, match="without"):
        api.resume(more)


def test_a_bad_slice_is_left_out_and_the_rest_goes_on(mixture):
    stack = np.stack([mixture, np.full_like(mixture, 7), mixture]).astype(np.float32)
    stack[2, 0, 0] = np.nan
    with pytest.warns(UserWarning, match="Slice 1 was left out: Expected an image with contrast"):
        result = api.separate(stack, axes="ZYX", method="half")
    assert result.sources.shape == (2, 3, 16, 18)
    assert np.isnan(result.sources[:, 1]).all()
    assert np.isnan(result.sources[:, 2, 0, 0]).all()
    assert np.isnan(result.sources[:, 2]).sum() == 2
    assert np.isfinite(result.sources[:, 0]).all()


def test_empty_answers_are_not_passed_off_as_results(mixture):
    with pytest.warns(NotSeparatedWarning, match="Not separable from this image alone.*second mixture"):
        result = api.separate(mixture, method="half", settings={"amplitude": 1e-3})
    assert result.provenance["warnings"] == list(result.warnings)


def test_advice_on_patterns_goes_before_what_else_helps():
    tiles = np.tile(np.random.default_rng(0).random((16, 16)), (6, 6))
    with pytest.warns(UserWarning, match=".") as caught:
        result = api.separate(tiles, method="half", settings={"amplitude": 1e-3})
    assert [entry.category for entry in caught] == [UserWarning, NotSeparatedWarning]
    advice, copies = result.warnings
    assert "resembles itself" in advice
    assert copies.startswith("Not separable by this method: ")  # it may be, from this image alone, by another


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "halb"}, "Unknown method 'halb'. Did you mean 'half'\\? Known: .*half"),
        ({"preset": "fast"}, "Unknown preset 'fast' of half. Known: quick"),
        ({"settings": {"steps": 3}}, "Unknown setting 'steps'. Known: .*iterations"),
        ({"settings": {"iterations": 0}}, "greater than or equal to 1"),
        ({"n_sources": 3}, "Half cannot solve this: it takes two sources."),
        ({"sources": 3}, "Unknown setting 'sources'. Did you mean 'n_sources'"),
        ({"device": "cuda:99"}, "Expected a device of this machine"),
        ({"size_limit": 1}, "greater than or equal to 32"),
        ({"seed": -1}, "seed"),
    ],
)
def test_bad_settings_are_refused_before_any_work(mixture, arguments, message):
    with pytest.raises(ValueError, match=message):
        api.separate(mixture, **{"method": "half", **arguments})


def test_a_task_without_sources_says_what_it_returns(mixture):
    result = api.run("denoise", mixture[:32, :32], method="nl_bayes", preset="quick", device="cpu")
    with pytest.raises(ValueError, match="got denoise, which returns clean, residual: take one"):
        _ = result.sources
    result = api.run("dehaze", mixture[:32, :32], method="dark_channel", preset="quick", device="cpu")
    with pytest.raises(ValueError, match="a task that returns a residual, got dehaze, which returns clear"):
        _ = result.residual


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (
            "guided_regression",
            r"cannot solve this: it needs a guide: .* It is for the task xray\. Methods that can: ",
        ),
        ("ica", r"cannot solve this: it needs several mixtures.* It is for the task multi_mixture\. Methods"),
        (
            "sparse_gradients",
            r"cannot solve this: it needs hints: [^.]*\. Methods that can: ",
        ),  # of this very task
    ],
)
def test_a_method_that_does_not_fit_names_the_task_that_it_is_for(mixture, method, message):
    with pytest.raises(ValueError, match=message):
        api.separate(mixture, method=method)


def test_names_keep_their_capitals_in_messages(mixture):
    with pytest.raises(ValueError, match="cannot solve this: BITS-Net needs"):
        api.run("dehaze", np.stack([mixture] * 3, axis=-1), method="bitsnet")


def test_unknown_tasks_list_the_known_ones(mixture):
    with pytest.raises(ValueError, match=r"Unknown task 'x_ray'. Did you mean 'xray'\? Known: .*separate"):
        api.run("x-ray", mixture)


def test_a_full_memory_says_what_would_fit(mixture, monkeypatch):
    import torch

    from napari_bitsnet.core.device import OutOfMemory

    def full(self, state):
        raise torch.OutOfMemoryError("CUDA out of memory")
        yield

    monkeypatch.setattr(Half, "advance", full)
    with pytest.raises(OutOfMemory, match="What would fit: size_limit=12") as caught:
        api.separate(mixture, method="half")
    assert caught.value.__context__ is None


def test_tasks_and_methods_are_listed_with_what_they_are_for():
    assert "Separates one image" in api.list_tasks()["separate"]
    assert {"half", "sparse_gradients", "sils", "ytmt"} <= api.list_methods("separate").keys()
    assert not {"sils", "ica", "guided_network"} & api.list_methods("reflection").keys()


@pytest.mark.parametrize("call", [api.separate, lambda *a, **k: api.run("separate", *a, **k)])
def test_warnings_point_at_the_line_that_called(mixture, call):
    with pytest.warns(NotSeparatedWarning) as caught:
        call(mixture, method="half", settings={"amplitude": 1e-3})
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("task", "given", "message"),
    [
        (
            "denoise",
            "hints",
            r"Expected no hints for the task 'denoise'.*task that does \(segment, separate, xray\)",
        ),
        ("denoise", "guides", r"Expected no guides for the task 'denoise'.*task that does \(segment, xray\)"),
        ("separate", "guides", "Expected no guides for the task 'separate'"),
    ],
)
def test_inputs_that_a_task_does_not_take_are_refused(mixture, task, given, message):
    value = np.ones(mixture.shape[:2], int)
    with pytest.raises(ValueError, match=message):
        api.run(task, mixture, **{given: [value] if given == "guides" else value})


def test_what_is_wrong_with_all_slices_is_said_once():
    with pytest.raises(ValueError, match=r"one slice that can be worked on\. Expected a box") as error:
        api.run("watermark", np.random.default_rng(0).random((3, 20, 20)), axes="TYX")
    assert str(error.value).count("Expected a box") == 1


def test_guides_are_a_list(mixture):
    with pytest.raises(TypeError, match="Expected a list of guides"):
        api.run("xray", mixture, guides=mixture)


def test_tasks_may_be_spelt_as_on_the_command_line():
    with pytest.raises(ValueError, match="several mixtures"):
        api.run("multi-mixture", np.zeros((16, 16)))


def test_a_result_prints_as_a_summary(mixture):
    text = repr(api.separate(mixture, method="half", preset="quick"))
    assert text.startswith("Result of separate by half (quick), 2 iterations")
    assert "source_1: float32 (16, 18)" in text
    assert len(text.splitlines()) == 4


def test_feature_maps_come_along_on_request(mixture):
    settings = {"features": True, "start": "none"}
    result = api.separate(mixture, method="bitsnet", preset="quick", settings=settings, iterations=2)
    assert result.outputs["features_1"].shape == result.outputs["features_2"].shape
    assert result.outputs["features_1"].shape[1:] == mixture.shape
    assert not np.array_equal(result.outputs["features_1"], result.outputs["features_2"])
    assert len(result.sources) == 2


def test_seconds_are_those_of_the_whole_run(mixture, monkeypatch):
    clock = [0.0]

    def taking(seconds, function):
        def slowly(*arguments, **options):
            clock[0] += seconds
            return function(*arguments, **options)

        return slowly

    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    monkeypatch.setattr(Half, "start", taking(100, Half.start))
    monkeypatch.setattr(Half, "solution", taking(10, Half.solution))
    steps = api.iter_separate(mixture, method="half", iterations=2)
    assert next(steps).elapsed == 100
    result = api.separate(mixture, method="half", iterations=2)
    looks = result.provenance["seconds"] - 100  # the stopping rule may look, too
    assert looks >= 10
    assert looks % 10 == 0
    more = api.resume(result, iterations=2)
    assert more.provenance["seconds"] == 100 + 2 * looks
    stack = api.separate(np.stack([mixture] * 3), axes="ZYX", method="half", iterations=2)
    assert stack.provenance["seconds"] == 3 * (100 + looks)

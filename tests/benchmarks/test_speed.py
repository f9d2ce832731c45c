"""The speed benchmark: its tables and files, what is skipped or fails; no time is asserted."""

import csv
import math
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from benchmarks.quality.cases.builtin import builtin_cases
from benchmarks.speed import costs, guided, kernels, opening, parts, tables, until
from benchmarks.speed.against_plain import plain_rows
from benchmarks.speed.step_time import StepTime, noise_problem, start_bitsnet, time_steps
from benchmarks.speed.tables import run_speed
from benchmarks.speed.until import _follow
from benchmarks.speed.utilisation import Utilisation
from benchmarks.speed.variants import grouped, half_precision
from napari_bitsnet.methods import METHODS
from napari_bitsnet.methods.dip.bitsnet import BitsNet
from napari_bitsnet.methods.dip.transparency import UntrainedState

SMALL = BitsNet.presets["official"].updated({"channels": (4, 4), "skip_channels": (0, 2)})


def test_what_is_out_of_time_is_named_and_written(tmp_path: Path) -> None:
    shown: list[str] = []
    table = run_speed(
        tmp_path,
        device="cpu",
        size=32,
        seconds=0,
        sizes=(32,),
        tables=("variants", "compiled", "sizes"),
        show=shown.append,
    )
    rows = list(csv.DictReader((tmp_path / "speed.csv").open()))
    assert [row["table"] for row in rows] == ["variants"] * 2 + ["compiled"] * 2 + ["sizes"] * 4
    assert [row["what"] for row in rows[2:4]] == ["as it ships", "torch.compile"]
    assert {row["note"] for row in rows} == {"TimeoutError: skipped: out of time"}
    assert len(shown) == 1 + len(rows)
    text = table.read_text("utf-8")
    assert "## variants" in text
    assert "| official | 32 | 3 |" in text


def test_a_failing_table_does_not_cost_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object) -> None:
        raise RuntimeError("no such|thing")

    monkeypatch.setattr(tables, "kernel_rows", broken)
    table = run_speed(tmp_path, device="cpu", size=32, seconds=0, tables=("kernels", "opening"), show=print)
    text = table.read_text("utf-8")
    assert "RuntimeError: no such/thing" in text
    assert "import torch" in text
    with pytest.raises(ValueError, match=r"Expected tables among same, .*, got size\."):
        run_speed(tmp_path, device="cpu", tables=("size",), show=print)


def test_iterations_are_timed_in_whole_cycles() -> None:
    method, state = start_bitsnet(SMALL, noise_problem(16), "cpu")
    taken = time_steps(method, state, "cpu", warm_up=1, steps=6, seconds=60, cycle=3)
    assert (taken.steps, state.step) == (6, 7)
    assert taken.ms > 0
    assert taken.processor_ms > 0
    assert math.isfinite(taken.loss)


@pytest.mark.parametrize(("change", "tolerance"), [(grouped, 1e-5), (half_precision, 0.05)])
def test_other_ways_to_execute_a_step_compute_the_same(
    change: Callable[[UntrainedState], None], tolerance: float
) -> None:
    losses = []
    for changes in ((), (change,)):
        method, state = start_bitsnet(SMALL, noise_problem(32), "cpu")
        for apply in changes:
            apply(state)
        advance = method.advance(state)
        losses.append([float(next(advance)["total"]) for _ in range(2)])
    assert losses[1] == pytest.approx(losses[0], rel=tolerance)
    assert losses[0][0] != pytest.approx(losses[0][1], rel=tolerance / 10)


def test_parts_of_an_iteration_add_up_to_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BitsNet, "presets", BitsNet.presets | {"official": SMALL})
    monkeypatch.setattr(parts, "STEPS", 10)
    monkeypatch.setattr(parts, "time_steps", lambda *_, **__: StepTime(3.0, 1.5, 0.0, math.nan, 1, 0.1))
    found = list(parts.part_rows("cpu", 32, until=math.inf))
    profiled = {row["what"]: row["ms"] for row in found if "±" not in row}
    assert {"networks, forward", "Adam", "denoiser", parts.DESCENT} < set(profiled)
    assert min(profiled.values()) > 0
    whole = profiled.pop(parts.WHOLE)
    assert sum(profiled.values()) == pytest.approx(whole)
    called = next(row["note"] for row in found if row["what"] == "denoiser")
    assert called.endswith(", 0.5 calls")  # these ten iterations see five orientations
    assert [row["processor ms"] for row in found if "±" in row] == [1.5] * 5
    skipped = list(parts.part_rows("cpu", 32, until=0))
    assert all("ms" not in row and "out of time" in row["note"] for row in skipped)


def test_kernels_are_listed_with_the_costliest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BitsNet, "presets", BitsNet.presets | {"official": SMALL})
    monkeypatch.setattr(kernels, "CYCLE", 2)
    total, *rows = kernels.kernel_rows("cpu", 32)
    times = [row["ms"] for row in rows]
    assert times == sorted(times, reverse=True)
    assert total["ms"] >= sum(times) > 0
    assert any("conv" in row["what"].lower() for row in rows)


def test_against_the_plain_execution() -> None:
    rows = list(plain_rows("cpu", 96, until=math.inf, rounds=1))
    assert [row["what"] for row in rows][:2] == ["iteration, plain", "iteration, as it ships"]
    assert rows[1]["ratio"] == pytest.approx(rows[0]["ms"] / rows[1]["ms"])
    assert rows[0]["ms"] == pytest.approx(rows[2]["ms"] + rows[4]["ms"])
    with pytest.raises(TimeoutError):
        next(plain_rows("cpu", 96, until=0))


class Ticks:
    """A clock by which every stretch that counts takes one second."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def stop(self) -> tuple[float, float]:
        self.seconds += 1
        return self.seconds, self.seconds

    def go_on(self) -> None:
        pass


def test_time_until_close_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    case = next(make for group, make in builtin_cases(64, 1) if group.startswith("two mixtures"))()
    decibels = iter([10.0, 20.0, 19.95, 19.8, 20.05, 20.0])  # after steps 1, 10, … 50
    monkeypatch.setattr(until, "_decibels", lambda *_: next(decibels))
    monkeypatch.setattr(until, "Clock", Ticks)
    row = _follow(case, "bitsnet:quick@iterations=50@start=none@channels=[4,4]@skip_channels=[0,2]", "cpu")
    assert (
        row["seconds"] == 5
    )  # looks after steps 1, 10, … 50: below by .2 at the fifth, close from the sixth on
    assert "first preview after 1.0 s" in row["note"]
    assert "whole run 7.0 s (7.0 s) to 20.00 dB" in row["note"]


def test_opening_is_timed_in_processes_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = (
        "import time; time.perf_counter = iter([1.0, 3.5]).__next__; "
        "time.process_time = iter([0.25, 0.75]).__next__"
    )
    scripts = {"nothing": (f"{clocks}; n = 3", "n + 1"), "broken": ("", "raise ValueError('a reason')")}
    monkeypatch.setattr(opening, "SCRIPTS", scripts)
    nothing, broken = opening.opening_rows(time.perf_counter() + 60, repeats=1)
    assert (nothing["ms"], nothing["processor ms"]) == (2500, 500)
    assert nothing["note"] == "median of 1 processes"
    assert "ms" not in broken
    assert broken["note"] == "ValueError: a reason"


def test_utilisation_is_the_mean_of_samples() -> None:
    with Utilisation("cpu") as used:
        pass
    assert used.summary() == "utilisation not sampled"
    used.samples = [[50, 10, 1000, 1500, 200], [100, 30, 3000, 1500, 400], [0, 0]]  # the last was cut off
    assert used.summary() == (
        "GPU busy 75 %, its memory 20 %, 2000 MiB in use, 1500 MHz, 300 W (mean of 2 samples)"
    )


def test_networks_are_compared_on_the_same_noise() -> None:
    assert torch.equal(noise_problem(16).observations, noise_problem(16, n_sources=3).observations)


def test_guided_separation_is_timed_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    said = (
        "import json, sys\n"
        "assert sys.argv[2] != 'quick', 'not this one'\n"
        "print(json.dumps({'loaded': [0.5, 0.25], 'first': [2, 1], 'done': [float(sys.argv[3]), 3], "
        "'expected': 4.2, 'peak': 100.5, 'threads': len(sys.argv[4])}))"
    )
    monkeypatch.setattr(guided, "SCRIPT", said)
    monkeypatch.setattr(
        guided, "CONTENDERS", (("guided_regression", "quick"), ("guided_network", "balanced"))
    )
    failed, row = guided.guided_rows((64,), time.perf_counter() + 60)
    assert failed["note"] == "AssertionError: not this one"
    assert (row["what"], row["size"]) == ("guided_network:balanced, 2 guides", 64)
    assert (row["seconds"], row["processor ms"], row["MiB"]) == (64, 3000, 100.5)
    assert row["note"] == "preview 2.0 s (1.0), PyTorch loaded 0.5 s (0.2), estimate 4 s, 1 threads"
    assert [r["note"] for r in guided.guided_rows((64,), 0.0)] == ["skipped: out of time"] * 2


def test_costs_compare_every_method_with_its_estimate(monkeypatch: pytest.MonkeyPatch):
    known = {name for name, *_ in costs.CASES}
    assert known == set(METHODS) - {"sils"}  # which needs weights of one's own
    quick = [case for case in costs.CASES if case[0] in ("dark_channel", "feedforward")]
    monkeypatch.setattr(costs, "CASES", tuple(quick))
    rows = list(costs.cost_rows((64,), time.perf_counter() + 60))
    assert [(row["what"], row["sources"]) for row in rows] == [("dark_channel", 2), ("feedforward", 2)]
    for row in rows:
        said = float(row["note"].split()[1])
        assert row["ratio"] == pytest.approx(
            said / row["processor ms"] * 1e3, abs=0.06e3 / row["processor ms"]
        )
    assert [r["note"] for r in costs.cost_rows((64,), 0.0)] == ["skipped: out of time"] * 2

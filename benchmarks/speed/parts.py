"""The cost of an iteration of BITS-Net by part: profiled, and by leaving parts out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from benchmarks.speed.profiling import labelled, profile_steps, total_milliseconds
from benchmarks.speed.step_time import noise_problem, start_bitsnet, time_steps
from benchmarks.speed.variants import plain
from napari_bitsnet.core.device import free_memory
from napari_bitsnet.methods.dip.bitsnet import BitsNet

if TYPE_CHECKING:
    from napari_bitsnet.methods.dip.transparency import UntrainedState

STEPS, WARM_UP = 20, 10
"""Iterations that are profiled, and before: blocks of ten, in each of which six copies are denoised."""
ADAM, DESCENT, WHOLE = "Adam", "networks and losses, backward", "whole iteration"


def part_rows(device: str, size: int, until: float) -> Iterator[dict[str, Any]]:
    """Profile the parts of `official`, then time iterations that leave one out.

    Parameters
    ----------
    device : str
        A torch device.
    size : int
        Side of the image in pixels.
    until : float
        Moment (``time.perf_counter``) after which the remaining rows are skipped.

    Yields
    ------
    dict
        ``what``, ``size``, ``ms``, on a CPU ``processor ms`` where parts are left out, and ``note``.
    """
    if time.perf_counter() > until:
        yield {"what": WHOLE, "size": size, "note": "skipped: out of time"}
    else:
        yield from _profiled(device, size)
    free_memory()
    yield from _steps_without(device, size, until)


def _profiled(device: str, size: int) -> Iterator[dict[str, Any]]:
    """Milliseconds of each part; on CUDA of its kernels, launched one by one, because recorded steps have no
    parts."""
    method, state = start_bitsnet(BitsNet.presets["official"], noise_problem(size), device)
    plain(state)
    _label_parts(state)
    advance = labelled(WHOLE, method.advance(state).__next__)
    events, _ = profile_steps(iter(advance, None), device, STEPS, warm_up=WARM_UP)
    taken = {event.key: total_milliseconds(event, device, STEPS) for event in events}
    calls = {event.key: event.count / STEPS for event in events}
    adam = next(key for key in taken if key.startswith("Optimizer.step#"))
    parts = {name: taken[name] for name in PARTS.values()} | {ADAM: taken[adam]}
    parts[DESCENT] -= parts[ADAM]
    rest = taken[WHOLE] - sum(parts.values())
    parts |= {"losses, forward, and the rest": rest, WHOLE: taken[WHOLE]}
    for name, milliseconds in parts.items():
        share = f"{milliseconds / taken[WHOLE]:.0%} of an iteration"
        yield {
            "what": name, "size": size, "ms": milliseconds,
            "note": share + (f", {calls[name]:.1f} calls" if name in calls else ""),
        }  # fmt: skip


PARTS = {
    "look": "inputs: orientation and jitter",
    "draw": "networks, forward",
    "descend": DESCENT,
    "denoiser": "denoiser",
}
"""Label of each function of an iteration that is profiled, by its name."""


def _label_parts(state: UntrainedState) -> None:
    assert state.admm is not None
    for name, label in PARTS.items():
        owner = state.admm if name == "denoiser" else state.fit
        setattr(owner, name, labelled(label, getattr(owner, name)))


def _steps_without(device: str, size: int, until: float) -> Iterator[dict[str, Any]]:
    """Time whole iterations that leave parts out."""
    without: dict[str, dict[str, Any]] = {
        "with all parts": {},
        "without exclusion": {"alpha_exclusion": 0},
        "without features": {"alpha_features": 0},
        "without the denoiser": {"lam": 0},
        "without any of them": {"alpha_exclusion": 0, "alpha_features": 0, "lam": 0},
    }
    for name, changes in without.items():
        row: dict[str, Any] = {"what": name, "size": size}
        if time.perf_counter() > until:
            yield {**row, "note": "skipped: out of time"}
            continue
        method, run = start_bitsnet(BitsNet.presets["official"].updated(changes), noise_problem(size), device)
        warm_up = 48 if device.startswith("cuda") else 1
        taken = time_steps(method, run, device, warm_up=warm_up, steps=80, seconds=3.0)
        row |= {} if device.startswith("cuda") else {"processor ms": taken.processor_ms}
        yield {**row, "ms": taken.ms, "±": taken.spread}

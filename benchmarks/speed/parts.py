"""What an iteration of BITS-Net is spent on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

from benchmarks.speed.step_time import noise_problem, start_bitsnet, time_call, time_steps
from napari_bitsnet.core.denoisers import DENOISERS
from napari_bitsnet.core.device import free_memory
from napari_bitsnet.methods.bitsnet import BitsNet

DENOISED_PER_STEP = 0.6
"""`official` denoises one copy when it is first used in a block of ten steps: six of the copies in each block."""


def part_rows(device: str, size: int, until: float) -> Iterator[dict[str, Any]]:
    """Time the parts of `official` one by one, then steps that leave one out.

    Parameters
    ----------
    device : str
        Where to run.
    size : int
        Side of the image.
    until : float
        Moment (``time.perf_counter``) from which the rest is skipped.

    Yields
    ------
    dict
        ``what``, ``size``, ``ms``, on a CPU ``processor ms``, ``note``.
    """
    yield from _pieces(device, size, until)
    free_memory()
    yield from _steps_without(device, size, until)


def _pieces(device: str, size: int, until: float) -> Iterator[dict[str, Any]]:
    """Each part by itself."""
    import torch

    from napari_bitsnet.core.denoisers import nlm as nlm_module
    from napari_bitsnet.core.losses.exclusion import pairwise_exclusion
    from napari_bitsnet.core.losses.features import feature_exclusion_loss

    method, state = start_bitsnet(BitsNet.presets["official"], noise_problem(size), device)
    config = method.config
    fit, admm = state.fit, state.admm
    assert admm is not None
    fit.look()
    with torch.no_grad():
        images, features = fit.draw()
    sources = images.clone().requires_grad_()
    maps = [[level.clone().requires_grad_() for level in source[:1]] for source in features]
    channels = [[torch.arange(3, device=sources.device)] * 2]

    def forward() -> None:
        with torch.no_grad():
            fit.draw()

    def both_ways() -> None:
        fit.optimiser.zero_grad(set_to_none=True)
        drawn, drawn_features = fit.draw()
        (drawn.sum() + drawn_features[0][0].sum() + drawn_features[1][0].sum()).backward()

    def exclusion() -> None:
        sources.grad = None
        pairwise_exclusion(sources).backward()

    def kept_apart() -> None:
        for source in maps:
            source[0].grad = None
        feature_exclusion_loss(maps, kappa=(0,), squash=True, channels=channels).backward()

    def denoise() -> None:
        DENOISERS.get(config.denoiser)(admm.z[0], config.sigma)

    def update() -> None:
        admm.update(images, 0)
        state.kept.update(images, images.sum(0, keepdim=True), state.problem.observations)  # type: ignore[call-arg]

    def denoise_plainly() -> None:
        with patch.object(nlm_module, "has_fused_kernel", lambda device: False):
            denoise()

    z = sources.detach()
    off = DENOISERS.get("nlm")(z, config.sigma).cpu() - DENOISERS.get("nlm")(z.cpu(), config.sigma)
    agreement = f"the CPU's answer differs by {float(off.abs().max()):.1e} at most"

    pieces: dict[str, tuple[Callable[[], object], str]] = {
        "networks, forward": (forward, "both"),
        "networks, forward and backward": (both_ways, "both"),
        "exclusion, forward and backward": (exclusion, ""),
        "features, forward and backward": (kept_apart, "3 of 8 channels"),
        "Adam": (fit.optimiser.step, ""),
        "denoiser, one call": (denoise, f"{DENOISED_PER_STEP} of these an iteration"),
        "denoiser without its fused kernel": (denoise_plainly, agreement),
        "ADMM variables and the kept answer": (update, ""),
        "inputs: orientation and jitter": (lambda: fit.look(jitter=0.001), "run plainly"),
        "answer to the host": (lambda: images.cpu(), "only when somebody looks; run plainly"),
    }
    for name, (work, note) in pieces.items():
        row: dict[str, Any] = {"what": name, "size": size, "note": note}
        try:
            if time.perf_counter() > until:
                raise TimeoutError("skipped: out of time")
            row["ms"], processor = time_call(work, device, record="run plainly" not in note)
            row |= {} if device.startswith("cuda") else {"processor ms": processor}
        except Exception as error:
            row["note"] = f"{type(error).__name__}: {error}".replace("\n", " ")[:300]
        yield row


def _steps_without(device: str, size: int, until: float) -> Iterator[dict[str, Any]]:
    """Whole iterations that leave parts out."""
    without: dict[str, dict[str, Any]] = {
        "whole iteration": {},
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

"""The preset `official` as it ships beside its plain execution, in turns in one process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

from torch import Tensor

from benchmarks.speed.plain_official import EVERY, PlainOfficial
from benchmarks.speed.step_time import noise_problem, start_bitsnet, wait
from napari_bitsnet.methods.dip.bitsnet import BitsNet


class Stopwatch:
    """A denoiser that adds up its wall and processor seconds."""

    def __init__(self, denoiser: Callable[[Tensor, float], Tensor], device: str) -> None:
        self.denoiser, self.device = denoiser, device
        self.seconds = self.processor = 0.0

    def __call__(self, image: Tensor, sigma: float) -> Tensor:
        wait(self.device)
        at = time.perf_counter(), time.process_time()
        answer = self.denoiser(image, sigma)
        wait(self.device)
        self.seconds += time.perf_counter() - at[0]
        self.processor += time.process_time() - at[1]
        return answer


def plain_rows(device: str, size: int, until: float, *, rounds: int = 3) -> Iterator[dict[str, Any]]:
    """Time ten iterations of each in turn; the network step is a median over iterations, the denoiser a mean
    over blocks of ten.

    Yields
    ------
    dict
        ``what``, ``size``, ``ms`` and ``ratio`` (plain over as it ships): whole iterations, network steps,
        denoisers.
    """
    method, state = start_bitsnet(BitsNet.presets["official"], noise_problem(size), device)
    plain = PlainOfficial(state)
    assert state.admm is not None
    watch = Stopwatch(state.admm.denoiser, device)
    state.admm.denoiser = watch
    advance = method.advance(state)
    ours: list[float] = []
    theirs: list[float] = []
    our_processor: list[float] = []
    their_processor: list[float] = []
    our_denoiser: list[float] = []
    their_denoiser: list[float] = []
    next(advance)
    plain.descend()  # both warmed up
    state.step = plain.step = EVERY
    for turn in range(rounds):
        if time.perf_counter() > until:
            if not turn:
                raise TimeoutError("skipped: out of time")
            break
        watch.seconds = 0.0
        for _ in range(EVERY):
            at, before = (time.perf_counter(), time.process_time()), (watch.seconds, watch.processor)
            next(advance)
            wait(device)
            ours.append(time.perf_counter() - at[0] - (watch.seconds - before[0]))
            our_processor.append(time.process_time() - at[1] - (watch.processor - before[1]))
        our_denoiser.append(watch.seconds / EVERY)
        began = time.perf_counter()
        plain.refresh()
        their_denoiser.append((time.perf_counter() - began) / EVERY)
        for _ in range(EVERY):
            at = time.perf_counter(), time.process_time()
            plain.descend()
            wait(device)
            theirs.append(time.perf_counter() - at[0])
            their_processor.append(time.process_time() - at[1])
    network = {"as it ships": median(ours), "plain": median(theirs)}
    denoiser = {"as it ships": median(our_denoiser), "plain": median(their_denoiser)}
    whole = {name: network[name] + denoiser[name] for name in network}
    processor = {"as it ships": median(our_processor), "plain": median(their_processor)}
    named = {
        "iteration": whole,
        "network step": network,
        "denoiser": denoiser,
        "network step, processor time": processor,
    }
    for what, parts in named.items():
        for name in ("plain", "as it ships"):
            yield {
                "what": f"{what}, {name}", "size": size, "sources": 2, "ms": parts[name] * 1e3,
                "ratio": parts["plain"] / parts[name], "note": f"{len(ours)} iterations of each in turn",
            }  # fmt: skip

"""Time of a run until its first answer, and until one within 0.1 dB of its last."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from typing import Any

from benchmarks.quality.cases.builtin import builtin_cases
from benchmarks.quality.measure import parse_contender, score_row
from napari_bitsnet.api import Result
from napari_bitsnet.api.running import iter_run
from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.data.case import Case

GROUPS = ("panel, two guides", "panel, one guide", "two mixtures, easy weights")
CONTENDERS = ("auto:quick", "auto:balanced", "bitsnet:quick", "bitsnet:balanced")
LOOK_EVERY = 10
"""Iterations between two scores; scoring is not counted as time."""
CLOSE = 0.1
"""Decibels."""


class Clock:
    """A clock of wall and processor seconds that can be stopped."""

    def __init__(self) -> None:
        self.wall, self.cpu = -time.perf_counter(), -time.process_time()

    def stop(self) -> tuple[float, float]:
        """Stop, and return both so far."""
        self.wall += time.perf_counter()
        self.cpu += time.process_time()
        return self.wall, self.cpu

    def go_on(self) -> None:
        """Start again."""
        self.wall -= time.perf_counter()
        self.cpu -= time.process_time()


def until_rows(
    device: str, size: int, until: float, *, groups: tuple[str, ...] = GROUPS
) -> Iterator[dict[str, Any]]:
    """Run each contender on the first case of each group.

    Yields
    ------
    dict
        ``what``, ``size``, ``seconds`` until close to the end, and in ``note`` the rest.
    """
    made = dict(reversed(list(builtin_cases(size, 1))))  # the first of each group
    for group in groups:
        case = made[group]()
        for contender in CONTENDERS:
            row: dict[str, Any] = {"what": f"{group}: {contender}", "size": size, "sources": len(case.truths)}
            if time.perf_counter() > until:
                yield {**row, "note": "skipped: out of time"}
                continue
            yield {**row, **_follow(case, contender, device)}


def _follow(case: Case, contender: str, device: str) -> dict[str, Any]:
    """Run one contender and score its previews."""
    settings = RunSettings(task=case.task, options=case.options, device=device, **parse_contender(contender))
    looks: list[tuple[float, float, float]] = []
    clock = Clock()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = iter_run(settings, case.mixture, guides=case.guides, hints=case.hints)
        for iteration in run:
            if iteration.step % LOOK_EVERY == 0 or iteration.step in (1, iteration.total):
                outputs = iteration.outputs
                looks.append((*clock.stop(), _decibels(case, outputs)))
                clock.go_on()
    wall, cpu = clock.stop()
    final = looks[-1][2]
    close = next(k for k in range(len(looks)) if all(abs(d - final) <= CLOSE for _, _, d in looks[k:]))
    return {
        "seconds": looks[close][0],
        "note": (
            f"{looks[close][1]:.1f} s of processor time; first preview after {looks[0][0]:.1f} s "
            f"({looks[0][1]:.1f} s) at {looks[0][2]:.2f} dB; whole run {wall:.1f} s ({cpu:.1f} s) to "
            f"{final:.2f} dB"
        ),
    }  # fmt: skip


def _decibels(case: Case, outputs: dict[str, Any]) -> float:
    return float(score_row(case, case.answer(Result(outputs, {}, (), None)))["psnr"])

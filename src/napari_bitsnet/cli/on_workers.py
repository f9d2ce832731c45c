"""Run jobs on the workers of a Dask cluster."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import typer

from napari_bitsnet.cli.interrupt import Interrupt
from napari_bitsnet.cli.job import Job
from napari_bitsnet.cli.outcome import KILLED, NOT_RUN, Outcome

POLL = 0.2
"""Seconds between two looks at the signals while workers work."""
ASKED_EVERY = 1.0
"""Seconds between two questions of a run to the scheduler, whether it is to end."""


def run_on_workers(
    client: Any, runs: Sequence[tuple[Any, Job]], interrupt: Interrupt
) -> Iterator[tuple[int, Outcome]]:
    """Run jobs on the workers of `client`; print what they say, and yield the index and the outcome of each
    as they end.

    Each run is a `Batch` with one of its jobs. A job whose worker is killed is run again by another one,
    three times at most (Dask's ``allowed-failures``). Workers have to see the files, under the same paths.
    """
    import distributed

    stop = distributed.Event(f"stop-{uuid4().hex}", client=client)
    here = Path.cwd()
    if interrupt.requested:
        stop.set()
    waiting = {
        client.submit(_run, replace(batch, quiet=True), job, stop, here, pure=False): index
        for index, (batch, job) in enumerate(runs)
    }
    try:
        while waiting:
            if interrupt.requested:
                stop.set()
            try:
                done, _ = distributed.wait(list(waiting), timeout=POLL, return_when="FIRST_COMPLETED")
            except TimeoutError:
                continue
            for future in done:
                index = waiting.pop(future)
                outcome = future.result() if future.status == "finished" else _lost(runs[index][1])
                _say_all(outcome)
                yield index, outcome
    finally:
        client.cancel(list(waiting))


def _say_all(outcome: Outcome) -> None:
    """Print what a run in another process said."""
    for text, err in outcome.told:
        typer.echo(text, err=err)


def _lost(job: Job) -> Outcome:
    return replace(KILLED, told=((f"error: {job.stem}: {KILLED.error}", True),))


def _run(batch: Any, job: Job, stop: Any, folder: Path) -> Outcome:
    """Run a job on a worker, in the folder in which the command was given."""
    asked = _Asked(stop)
    if asked():
        return NOT_RUN
    with chdir(folder if folder.is_dir() else os.curdir):
        return _run_told(batch, job, asked)


def _run_told(batch: Any, job: Job, asked: Any) -> Outcome:
    """Run a job and put what it says into the outcome."""
    told: list[tuple[str, bool]] = []

    def say(text: str, *, err: bool = False) -> None:
        told.append((text, err))

    outcome = batch.run_one(job, asked, say=say)
    return replace(outcome, told=tuple(told))


class _Asked:
    """Whether the command was asked to end, which the scheduler knows; it is asked once in a while."""

    def __init__(self, stop: Any) -> None:
        self._stop, self._known, self._at = stop, False, float("-inf")

    def __call__(self) -> bool:
        if not self._known and time.monotonic() - self._at >= ASKED_EVERY:
            self._known, self._at = self._stop.is_set(), time.monotonic()
        return self._known

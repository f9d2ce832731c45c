"""Run the rows of a table, one after the other or in several processes, and write the summary."""

from __future__ import annotations

import csv
import io
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import wait as wait_for
from pathlib import Path
from typing import Any

import typer

from napari_bitsnet.api.export.names import record_path
from napari_bitsnet.api.records import read_record
from napari_bitsnet.cli.batch import Batch
from napari_bitsnet.cli.batch_table_rows import Row
from napari_bitsnet.cli.interrupt import Interrupt, leave_signals_to_the_main_process
from napari_bitsnet.cli.outcome import KILLED, NOT_RUN, Outcome, StopRequest
from napari_bitsnet.cli.verbose import log_is_shown, show_log
from napari_bitsnet.cli.wording import in_cells
from napari_bitsnet.core.writing import atomically

SUMMARY = "summary.csv"
COLUMNS = (
    "row", "image", "status", "method", "seconds", "explained", "doubt", "warnings", "first_warning", "error",
)  # fmt: skip
"""Of the summary. ``row`` is the line of the table; scores are those that the method reports."""
_POLL = 0.2
"""Seconds between two looks at the signals while processes work."""

Runs = Iterator[tuple[int, Outcome]]


@dataclass(frozen=True)
class Planned:
    """A row with the options of its run."""

    row: Row
    batch: Batch

    def run(self, asked: StopRequest) -> Outcome:
        """Run the row."""
        return self.batch.run_one(self.row.job, asked)


def run_here(planned: Sequence[Planned], interrupt: Interrupt) -> Runs:
    """Run rows one after the other, and yield the index and the outcome of each."""
    for index, each in enumerate(planned):
        if interrupt.requested:
            return
        yield index, each.run(interrupt)


def run_in_processes(planned: Sequence[Planned], interrupt: Interrupt, jobs: int) -> Runs:
    """Run rows in `jobs` processes, and yield the index and the outcome of each as they end.

    Each process has a pool of its own, so that one that is killed takes one row with it.
    """
    context = multiprocessing.get_context("spawn")  # threads of torch do not survive a fork
    stop = context.Event()
    rows = iter(range(len(planned)))
    pools: list[ProcessPoolExecutor] = []

    def run(index: int, pool: list[ProcessPoolExecutor]) -> Outcome:
        try:
            return pool[0].submit(_run_in_worker, planned[index]).result()
        except BrokenProcessPool:
            pool[0].shutdown()
            pool[0] = new_pool()
            typer.echo(f"error: {planned[index].row.job.stem}: {KILLED.error}", err=True)
            return KILLED

    def new_pool() -> ProcessPoolExecutor:
        threads = max(1, (os.cpu_count() or 1) // jobs)
        given = (stop, threads, log_is_shown())
        pool = ProcessPoolExecutor(1, mp_context=context, initializer=_prepare, initargs=given)
        pools.append(pool)
        return pool

    with ThreadPoolExecutor(jobs) as threads:
        try:
            slots = [[new_pool()] for _ in range(jobs)]
            working = {
                threads.submit(run, i, slot): (i, slot)
                for i, slot in zip(islice(rows, jobs), slots, strict=False)
            }
            while working:
                done, _ = wait(working, timeout=_POLL, return_when=FIRST_COMPLETED)
                if interrupt.requested:
                    stop.set()
                for future in done:
                    index, slot = working.pop(future)
                    yield index, future.result()
                    following = None if interrupt.requested else next(rows, None)
                    if following is not None:
                        working[threads.submit(run, following, slot)] = following, slot
        except BaseException:  # a second Ctrl-C does not wait
            for process in multiprocessing.active_children():
                process.terminate()
            raise
        finally:
            for pool in pools:
                pool.shutdown()


def finish_summary(
    folder: Path, planned: Sequence[Planned], runs: Runs, say: Callable[[int], None]
) -> list[Outcome]:
    """Follow the runs to their end and write the summary, also where they end early.

    Parameters
    ----------
    folder : Path
        Of the results.
    planned : sequence of Planned
        All rows.
    runs : iterator of (int, Outcome)
        From `run_here` or `run_in_processes`.
    say : callable
        Is told the number of rows that have ended, after each.
    """
    outcomes = [NOT_RUN] * len(planned)
    try:
        for count, (index, outcome) in enumerate(runs, start=1):
            outcomes[index] = outcome
            say(count)
    finally:
        write_summary(folder, planned, outcomes)
    return outcomes


def write_summary(folder: Path, planned: Sequence[Planned], outcomes: Sequence[Outcome]) -> Path:
    """Write ``summary.csv``: a line for each row of the table, with what the record of its run says."""
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for each, outcome in zip(planned, outcomes, strict=True):
        line = {"row": each.row.line, "image": each.row.job.mixtures[0].name, "status": outcome.status}
        line["error"] = " ".join(outcome.error.split())
        if outcome.status in ("done", "skipped", "stopped"):
            line |= _facts(record_path(folder, each.row.job.stem))
        writer.writerow(line)
    with atomically(folder / SUMMARY) as part:
        part.write_text(file.getvalue(), encoding="utf-8")
    return folder / SUMMARY


def check_summary(folder: Path) -> None:
    """Raise a ValueError if the summary would replace a file that is none."""
    path = folder / SUMMARY
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        if file.readline().strip() == ",".join(COLUMNS):
            return
    raise ValueError(f"Expected to write {path}, got another file of that name there: choose another folder.")


def _facts(path: Path) -> dict[str, Any]:
    record = read_record(path)
    losses, warnings = record.get("losses") or {}, record.get("warnings") or []

    def score(name: str) -> str:
        value = losses.get(name)
        return "" if value is None else f"{value:.4g}"

    return {
        "method": record.get("method", ""),
        "seconds": record.get("seconds", ""),
        "explained": score("explained_energy"),
        "doubt": score("doubt"),
        "warnings": len(warnings),
        "first_warning": in_cells(" ".join(warnings[0].split())) if warnings else "",
    }


_stop: list[Any] = []
"""Event that asks the runs of this worker process to end."""


def _prepare(stop: Any, threads: int, verbose: bool) -> None:
    """Leave signals to the main process, which sets `stop`, and end with it; share the processor among the
    workers."""
    leave_signals_to_the_main_process()
    threading.Thread(target=_end_with_the_main_process, daemon=True).start()
    show_log(verbose)
    _stop[:] = [stop]
    if "OMP_NUM_THREADS" not in os.environ:
        os.environ["OMP_NUM_THREADS"] = str(threads)  # read when torch is loaded


def _end_with_the_main_process() -> None:
    """End at once when the main process was killed, which could not say so; else memory would stay taken.

    The next run does the row under way again, and removes its unfinished files.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)


def _run_in_worker(planned: Planned) -> Outcome:
    return planned.run(_stop[0].is_set)

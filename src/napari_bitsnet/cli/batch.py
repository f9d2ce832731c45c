"""Run a batch of jobs: a failed input is reported, and the others go on."""

from __future__ import annotations

import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from napari_bitsnet.api import RunSettings, iter_run
from napari_bitsnet.api.export.before_run import check_before_run
from napari_bitsnet.api.export.depth import Depth
from napari_bitsnet.api.export.names import record_path
from napari_bitsnet.api.export.saving import is_finished
from napari_bitsnet.api.file_encoding import NAME, follows_files, with_file_encoding
from napari_bitsnet.api.records import read_record
from napari_bitsnet.api.run_inputs import planes_of
from napari_bitsnet.cli.interrupt import Interrupt
from napari_bitsnet.cli.job import Job
from napari_bitsnet.cli.outcome import Outcome, Say, StopRequest
from napari_bitsnet.cli.progress import follow
from napari_bitsnet.cli.reading import reading_in_words
from napari_bitsnet.cli.tiled import write_tiled
from napari_bitsnet.cli.values import values_in_words
from napari_bitsnet.cli.wording import in_cells, in_flags
from napari_bitsnet.io.writers import FormatName
from napari_bitsnet.tasks import TASKS

SUCCESS, FAILURE, BAD_USAGE, INTERRUPTED = 0, 1, 2, 130
"""Exit codes: success; inputs failed; bad usage; interrupted by Ctrl-C with partial results written
(other signals have their own, see `Interrupt.exit_code`)."""


@contextmanager
def warning_lines(name: str, worded: Callable[[object], str], say: Say = typer.echo) -> Iterator[None]:
    """Print every warning in one line on stderr, worded for its reader, with the name of its input."""

    def show(message: Warning | str, *place: Any) -> None:
        say(f"warning: {name}: {worded(message)}", err=True)

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show  # type: ignore[assignment]
        yield


@dataclass(frozen=True)
class Batch:
    """Options of a batch, the same for all inputs.

    Parameters
    ----------
    settings : RunSettings
        Settings of every run; ``axes`` None takes the axes of the file.
    folder : Path
        Folder for the results.
    overwrite : bool
        True runs finished inputs again.
    quiet : bool
        True hides the progress.
    kind, depth, report
        Format of the results; see `Result.save`.
    candidates : bool
        True also writes other splits, if the method finds some.
    tile : int, optional
        Side of the tiles of images that do not fit into memory; see `write_tiled`.
    in_table : bool
        Whether messages name settings as cells of a table instead of flags.
    """

    settings: RunSettings
    folder: Path
    overwrite: bool = False
    quiet: bool = False
    kind: FormatName = "imagej"
    depth: Depth = "float"
    report: bool = False
    candidates: bool = False
    tile: int | None = None
    in_table: bool = False

    def run(self, jobs: Sequence[Job], client: Any = None) -> int:
        """Run all jobs and return the exit code; a client's workers share out several jobs, or the slices of
        one."""
        failed = 0
        with Interrupt() as interrupt:
            for outcome in self._outcomes(jobs, interrupt, client):
                failed += outcome.status == "failed"
            if interrupt.requested:
                return interrupt.exit_code
        if failed and len(jobs) > 1:
            typer.echo(f"error: {failed} of {len(jobs)} inputs failed", err=True)
        return FAILURE if failed else SUCCESS

    def _outcomes(self, jobs: Sequence[Job], interrupt: Interrupt, client: Any) -> Iterator[Outcome]:
        if client is not None and len(jobs) > 1 and self.tile is None:  # tiles are shared out themselves
            from napari_bitsnet.cli.on_workers import run_on_workers

            for _, outcome in run_on_workers(client, [(self, job) for job in jobs], interrupt):
                yield outcome
            return
        for job in jobs:
            if interrupt.requested:
                return
            yield self.run_one(job, interrupt, client)

    def run_one(self, job: Job, asked: StopRequest, client: Any = None, say: Say = typer.echo) -> Outcome:
        """Run one job; an error is printed and part of the outcome."""
        try:
            job.check_present()
            if not self.overwrite and self._finished(job):
                say(f"{job.stem}: finished before, skipped (--overwrite does it again{self._left_out()})")
                return Outcome("skipped")
            with warning_lines(job.stem, self._worded, say):
                self._do(job, asked, client, say)
        except (TypeError, ValueError, OSError, MemoryError) as error:
            told = self._worded(error)
        except Exception:  # a bug of ours must not stop the rest of a long batch
            told = traceback.format_exc()
        else:
            return Outcome("done" if is_finished(self.folder, job.stem) else "stopped")
        say(f"error: {job.stem}: {told}", err=True)
        return Outcome("failed", told)

    def _worded(self, message: object) -> str:
        return in_cells(message) if self.in_table else in_flags(message, self.settings.task)

    def _left_out(self) -> str:
        return ", with other splits" if self.candidates else ""

    def _finished(self, job: Job) -> bool:
        """Return True if this run, with the same inputs and settings, was written completely.

        Raises
        ------
        ValueError
            If the folder holds another run under the same name.
        """
        if not is_finished(self.folder, job.stem):
            return False
        record = read_record(record_path(self.folder, job.stem))
        before, now = dict(record["settings"]), self.settings.model_dump(mode="json")
        if self.settings.axes is None:  # then they are the file's
            before["axes"] = None
        if follows_files(self.settings):  # so is the encoding
            for options in (settings["options"] for settings in (before, now)):
                options.pop(NAME, None)
        differing = sorted(name for name in now if before.get(name) != now[name])
        inputs = record.get("inputs") or {}
        if {**inputs, "contents": None} != {**job.record, "contents": None}:
            differing.append("input files")
        elif inputs.get("contents") != job.record["contents"]:
            differing.append("contents of its input files")
        if differing:
            raise ValueError(
                f"{self.folder} holds another run of that name, with other {', '.join(differing)}: choose "
                "another folder with --out, or replace it with --overwrite."
            )
        return True

    def _do(self, job: Job, asked: StopRequest, client: Any, say: Say) -> None:
        images = job.read(self.settings.axes)
        for notice in images.notices:
            warnings.warn(notice, stacklevel=1)
        settings = self.settings if self.settings.axes else self.settings.updated({"axes": images.axes})
        settings = with_file_encoding(settings, images.encodings)
        planes = planes_of(TASKS.get(settings.task), images.mixture, settings.axes)
        for note in reading_in_words(images, settings.task, settings.axes):
            say(f"note: {job.stem}: {self._worded(note)}", err=True)
        check_before_run(
            settings, planes, self.folder, kind=self.kind, depth=self.depth, stored=images.stored
        )
        if self.tile is not None:
            began = time.perf_counter()
            files, made = write_tiled(job, images, settings, self.tile, self.folder, asked, quiet=self.quiet)
            took = time.perf_counter() - began  # the record has the seconds of the fit alone
            say(f"{job.stem}: {made['method']}, in tiles, {took:.1f} s, {len(files)} images in {self.folder}")
            return
        run = iter_run(
            settings,
            images.mixture,
            guides=images.guides,
            hints=images.hints,
            mask=images.mask,
            stored=images.stored,
            stop=asked,
            client=None if self.candidates else client,  # other splits come from the state, which stays here
        )
        result = follow(run, job.stem, n_planes=len(planes), quiet=self.quiet)
        others = len(result.candidates) if self.candidates else 0
        if self.candidates and not others:
            say(
                f"{job.stem}: no other splits: only feedforward knows some, of one image in two, without "
                "hints",
                err=True,
            )
        result.drop_state()
        for warning in result.warnings:
            warnings.warn(warning, stacklevel=1)
        files = result.save(
            self.folder,
            job.stem,
            format=self.kind,
            depth=self.depth,
            report=self.report,
            truths=images.truths,
            candidates=self.candidates,
            calibration=images.calibration,
            inputs=job.record,
        )
        made = result.provenance
        count = "1 iteration" if made["iterations"] == 1 else f"{made['iterations']} iterations"
        if made["stop_reason"] == "stopped":
            count = f"stopped after {count}"
        say(
            f"{job.stem}: {made['method']}, {count}, {made['seconds']:.1f} s, {len(files)} files in "
            f"{self.folder}"
        )
        if len(planes) == 1:  # of a stack there would be a line a slice: they are in the record
            for text in values_in_words(result.outputs.values(), [path.name for path in job.mixtures]):
                say(f"{job.stem}: {text}")

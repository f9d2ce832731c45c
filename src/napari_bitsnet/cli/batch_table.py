"""Command ``batch``: the runs of a table, with a summary of them all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_bitsnet.api.export.depth import Depth
from napari_bitsnet.api.export.folders import check_writable
from napari_bitsnet.cli.batch import BAD_USAGE, FAILURE, SUCCESS, Batch
from napari_bitsnet.cli.batch_table_making import make_table
from napari_bitsnet.cli.batch_table_reading import read_table
from napari_bitsnet.cli.batch_table_rows import Row
from napari_bitsnet.cli.batch_table_running import (
    SUMMARY,
    Planned,
    check_summary,
    finish_summary,
    run_here,
    run_in_processes,
)
from napari_bitsnet.cli.interrupt import Interrupt
from napari_bitsnet.cli.outputs import check_batch
from napari_bitsnet.cli.scheduler import SchedulerOption, connected
from napari_bitsnet.io.writers import format_type

if TYPE_CHECKING:
    Format = str
else:
    Format = format_type()


def batch_command(
    table: Annotated[
        Path | None,
        typer.Argument(
            metavar="TABLE.CSV",
            help="A row for each run. With --init it is written; default table.csv in the folder.",
            show_default=False,
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="DIR", help="Folder for the results; created if it does not exist."
        ),
    ] = None,
    init: Annotated[
        Path | None,
        typer.Option(
            "--init",
            metavar="FOLDER",
            help="Write a table of the images in FOLDER: scan_guide_1.png, scan_mask.png and scan_hints.png "
            "belong to scan.tif.",
            show_default=False,
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Check all rows and run none.", show_default=False)
    ] = False,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Number of processes that work on rows.")] = 1,
    scheduler: SchedulerOption = None,
    kind: Annotated[Format, typer.Option("--format", help="Format of the images.")] = "imagej",
    depth: Annotated[
        Depth, typer.Option("--depth", help="float: 32 bits; input: integers like the images.")
    ] = "float",
    report: Annotated[
        bool, typer.Option("--report", help="Write an HTML page for each run.", show_default=False)
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Run finished rows again.", show_default=False)
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Hide the progress bars.", show_default=False)
    ] = False,
) -> None:
    """Run a table: a row a run, a column an input or a setting.

    Columns are image (or image_1, image_2 … of one run), guide_1 …, hints, mask, truth_1 …, task, and the
    settings of run, task and method by name. Empty cells are settings that are not given; paths are relative
    to the table. All rows are checked before the first one runs. Finished rows are skipped. summary.csv in
    the folder of the results has the status, time, scores and warnings of each row. Exit codes are those of
    the tasks' commands.
    """
    try:
        if init is not None:
            path = table or init / "table.csv"
            count = make_table(init, path)
            typer.echo(f"{path}: {count} {'row' if count == 1 else 'rows'}; check it with --check")
            raise typer.Exit(SUCCESS)
        if table is None:
            raise ValueError("Expected a table, got none: name it, or make one with --init FOLDER.")
        if scheduler is not None and jobs > 1:
            raise ValueError("Expected --jobs or --scheduler, got both: local[N] starts N processes, too.")
        if folder is None and not check:
            raise ValueError("Expected --out DIR, got none: it is the folder for the results.")
        rows = _rows(table, report)
        if folder is None:
            planned = []
        else:
            out = check_writable(folder)
            check_summary(out)
            hidden = quiet or jobs > 1  # bars of several processes would mix
            planned = [
                Planned(row, Batch(row.settings, out, overwrite, hidden, kind, depth, report, in_table=True))
                for row in rows
            ]
            _check_outputs(planned)
    except ValueError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(BAD_USAGE) from None
    if check:
        typer.echo(f"{table}: {len(rows)} {'row' if len(rows) == 1 else 'rows'}, no fault")
        raise typer.Exit(SUCCESS)
    try:
        with connected(scheduler) as client:
            code = _run(planned, jobs, client)
    except ValueError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(BAD_USAGE) from None
    raise typer.Exit(code)


def _rows(table: Path, report: bool) -> Sequence[Row]:
    """Return the rows of a table without faults; say each fault."""
    found = read_table(table, report=report)
    for fault in found.faults:
        typer.echo(f"error: {table.name}, {fault}", err=True)
    if found.faults:
        count = len(found.faults)
        raise ValueError(f"{table} has {count} {'fault' if count == 1 else 'faults'}; nothing was run.")
    return found.rows


def _check_outputs(planned: Sequence[Planned]) -> None:
    """See that no row writes over an input of any, for each task once."""
    every = [each.row.job for each in planned]
    for batch in {each.batch.settings.task: each.batch for each in planned}.values():
        check_batch(
            every, batch.settings, batch.folder, kind=batch.kind, report=batch.report, candidates=False
        )


def _run(planned: Sequence[Planned], jobs: int, client: Any) -> int:
    folder = planned[0].batch.folder
    with Interrupt() as interrupt:
        if client is not None:
            from napari_bitsnet.cli.on_workers import run_on_workers

            runs = run_on_workers(client, [(each.batch, each.row.job) for each in planned], interrupt)
        elif jobs == 1:
            runs = run_here(planned, interrupt)
        else:
            runs = run_in_processes(planned, interrupt, min(jobs, len(planned)))
        outcomes = finish_summary(
            folder, planned, runs, lambda count: typer.echo(f"{count} of {len(planned)} rows", err=True)
        )
        counts = Counter(outcome.status for outcome in outcomes)
        told = ", ".join(f"{count} {status}" for status, count in counts.items())
        typer.echo(f"{told}; see {folder / SUMMARY}")
        if interrupt.requested:
            return interrupt.exit_code
    return FAILURE if counts["failed"] else SUCCESS

"""``napari-bitsnet check``: validate the inputs of a run with guides."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_bitsnet.cli.batch import BAD_USAGE, FAILURE
from napari_bitsnet.cli.job import Job, say
from napari_bitsnet.cli.options import takes_settings
from napari_bitsnet.cli.outputs import check_file
from napari_bitsnet.cli.reading import reading_in_words
from napari_bitsnet.cli.scheduler import SchedulerOption, connected, on_worker
from napari_bitsnet.cli.wording import in_flags
from napari_bitsnet.tasks import TASKS

GUIDE = "Photograph of a source, once per source; none for a source without a photograph."
AXES = "Axes of IN, one letter per dimension, such as ZYX; by default those of the file."
EXPOSURE = ("mixing", "flat", "dark", "i0", "percentile")
"""Settings of the task that convert grey levels to the scale on which sources add up."""


@takes_settings(TASKS.get("xray").Config, "Task", only=EXPOSURE)
def check_command(
    mixture: Annotated[Path, typer.Argument(metavar="IN", help="The superimposed image.")],
    guide: Annotated[list[str], typer.Option("--guide", metavar="FILE|none", help=GUIDE, show_default=False)],
    options: dict[str, Any],
    mask: Annotated[Path | None, typer.Option(help="Mask: pixels to exclude.")] = None,
    axes: Annotated[str | None, typer.Option(help=AXES)] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE.JSON",
            help="File for the record of the check (JSON), with scores and shifts.",
        ),
    ] = None,
    scheduler: SchedulerOption = None,
) -> None:
    """Check an X-ray and its photographs before a run: alignment, and whether the fit generalises.

    The exit code is 0 without problems, 1 with problems, 2 if the images cannot be used.
    """
    from napari_bitsnet.api import check
    from napari_bitsnet.api.export.strict_json import strict_json
    from napari_bitsnet.core.writing import atomically

    try:
        job = job_of(mixture, guide, mask)
        if out is not None:
            frames = [value for value in options.values() if isinstance(value, Path)]
            out = check_file(out, [".json"], inputs=[mixture, *job.guides, mask, *frames])
        images = job.read(axes)
        say(images.notices, "xray")
        for note in reading_in_words(images, "xray", axes or images.axes):
            typer.echo(f"note: {in_flags(note, 'xray')}", err=True)
        with connected(scheduler) as client:
            found = on_worker(
                client,
                check,
                "xray",
                images.mixture,
                guides=images.guides,
                mask=images.mask,
                stored=images.stored,
                axes=axes or images.axes,
                **options,
            )
        if out is not None:
            record = {
                "complete": True,
                "files": {},
                "inputs": job.record,
                "options": {name: _plain(value) for name, value in options.items()},
                "findings": list(found),
                "guides": [asdict(place) for place in found.places],
            }
            with atomically(out) as path:
                path.write_text(strict_json(record, indent=2) + "\n", encoding="utf-8")
    except (TypeError, ValueError, OSError, MemoryError) as error:
        typer.echo(f"error: {in_flags(error, 'xray')}", err=True)
        raise typer.Exit(BAD_USAGE) from None
    for text in found:
        typer.echo(f"- {in_flags(text, 'xray')}")
    for place in found.places:
        typer.echo(str(place))
    if found:
        raise typer.Exit(FAILURE)
    typer.echo("No problems found: the guides are aligned, and the fit generalises to held-out blocks.")


def job_of(mixture: Path, guides: list[str], mask: Path | None) -> Job:
    """Return the files of a run; ``none`` stands for a source without a guide."""
    paths = tuple(None if g.lower() == "none" else Path(g) for g in guides)
    return Job((mixture,), paths, mask=mask)


def _plain(value: Any) -> Any:
    return str(value.expanduser().absolute()) if isinstance(value, Path) else value

"""``napari-bitsnet spike-in``: add a known faint shape to images, and measure how it is recovered."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from napari_bitsnet.cli.batch import BAD_USAGE
from napari_bitsnet.cli.check import AXES, EXPOSURE, GUIDE, job_of
from napari_bitsnet.cli.job import say
from napari_bitsnet.cli.options import read_assignments, takes_settings
from napari_bitsnet.cli.reading import reading_in_words
from napari_bitsnet.cli.scheduler import SchedulerOption, connected, on_worker
from napari_bitsnet.cli.wording import in_flags
from napari_bitsnet.tasks import TASKS

WHERE = "mixture (a hidden design), guide_K (paint that X-rays pass) or source_K (both); may be repeated."


@takes_settings(TASKS.get("xray").Config, "Task", only=EXPOSURE)
def spike_in_command(
    mixture: Annotated[Path, typer.Argument(metavar="IN", help="The superimposed image.")],
    guide: Annotated[list[str], typer.Option("--guide", metavar="FILE|none", help=GUIDE, show_default=False)],
    options: dict[str, Any],
    where: Annotated[list[str] | None, typer.Option(help=WHERE, show_default="mixture")] = None,
    strength: Annotated[
        float,
        typer.Option(min=0.001, max=1, help="Height: in standard deviations of IN, or range of a guide."),
    ] = 0.15,
    y: Annotated[float, typer.Option(min=0, max=1, help="Place of the shape, from top to bottom.")] = 0.5,
    x: Annotated[float, typer.Option(min=0, max=1, help="Place of the shape, from left to right.")] = 0.5,
    extent: Annotated[float, typer.Option(min=0.01, max=0.5, help="Radius, of the shorter side.")] = 0.15,
    preset: Annotated[str, typer.Option(help="Of the method.")] = "balanced",
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="A setting that differs from the preset's; see: napari-bitsnet list guided_regression.",
            show_default=False,
        ),
    ] = None,
    mask: Annotated[Path | None, typer.Option(help="Mask: pixels to exclude.")] = None,
    axes: Annotated[str | None, typer.Option(help=AXES)] = None,
    scheduler: SchedulerOption = None,
) -> None:
    """Test whether a faint synthetic shape (a ring with a bar) would be recovered from an X-ray."""
    from napari_bitsnet.api import spike_in
    from napari_bitsnet.methods import METHODS

    try:
        settings = read_assignments(changes or (), METHODS.get("guided_regression").Config)
        images = job_of(mixture, guide, mask).read(axes)
        say(images.notices, "xray")
        for note in reading_in_words(images, "xray", axes or images.axes):
            typer.echo(f"note: {in_flags(note, 'xray')}", err=True)
        with connected(scheduler) as client:
            for place in where or ["mixture"]:
                report = on_worker(
                    client,
                    spike_in,
                    images.mixture,
                    images.guides,
                    place,
                    strength=strength,
                    centre=(y, x),
                    extent=extent,
                    preset=preset,
                    settings=settings,
                    mask=images.mask,
                    stored=images.stored,
                    axes=axes or images.axes,
                    **options,
                )
                typer.echo(str(report))
    except (TypeError, ValueError, OSError, MemoryError) as error:
        typer.echo(f"error: {in_flags(error, 'xray')}", err=True)
        raise typer.Exit(BAD_USAGE) from None

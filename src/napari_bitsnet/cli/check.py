"""``napari-bitsnet check``: what to mend before a run with guides."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_bitsnet.cli.batch import BAD_USAGE, FAILURE
from napari_bitsnet.cli.job import Images, Job

GUIDE = "A photograph of each source, once for each; none for a source without."
AXES = "One letter a dimension, such as ZYX; without it, the file's."


def check_command(
    mixture: Annotated[Path, typer.Argument(metavar="IN", help="The superimposed image.")],
    guide: Annotated[list[str], typer.Option("--guide", metavar="FILE|none", help=GUIDE, show_default=False)],
    mask: Annotated[Path | None, typer.Option(help="Mask: where pixels are to be left out.")] = None,
    axes: Annotated[str | None, typer.Option(help=AXES)] = None,
) -> None:
    """Look at an X-ray and its photographs before a run: do they lie on each other, do they tell anything.

    The exit code is 0 if there is nothing to mend, 1 if there is, 2 if the images cannot be worked on.
    """
    from napari_bitsnet.api import check

    try:
        images = read_inputs(mixture, guide, mask)
        findings = check(
            "xray", images.mixture, guides=images.guides, mask=images.mask, axes=axes or images.axes
        )
    except (TypeError, ValueError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(BAD_USAGE) from None
    for text in findings:
        typer.echo(f"- {text}")
    if findings:
        raise typer.Exit(FAILURE)
    typer.echo("Nothing to mend: the guides fit, and what they tell holds in parts that were not fitted to.")


def read_inputs(mixture: Path, guides: list[str], mask: Path | None) -> Images:
    """Read the files; ``none`` stands for a source without a guide."""
    paths = tuple(None if g.lower() == "none" else Path(g) for g in guides)
    return Job((mixture,), paths, mask=mask).read()

"""``napari-bitsnet check``: what to mend before a run with guides."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_bitsnet.cli.batch import BAD_USAGE, FAILURE
from napari_bitsnet.cli.job import Job, say
from napari_bitsnet.cli.options import takes_settings
from napari_bitsnet.cli.outputs import check_file
from napari_bitsnet.cli.wording import in_flags
from napari_bitsnet.tasks import TASKS

GUIDE = "A photograph of each source, once for each; none for a source without."
AXES = "One letter a dimension, such as ZYX; without it, the file's."
EXPOSURE = ("mixing", "flat", "dark", "i0", "percentile")
"""Settings of the task that say how grey levels become what adds up."""


@takes_settings(TASKS.get("xray").Config, "Task", only=EXPOSURE)
def check_command(
    mixture: Annotated[Path, typer.Argument(metavar="IN", help="The superimposed image.")],
    guide: Annotated[list[str], typer.Option("--guide", metavar="FILE|none", help=GUIDE, show_default=False)],
    options: dict[str, Any],
    mask: Annotated[Path | None, typer.Option(help="Mask: where pixels are to be left out.")] = None,
    axes: Annotated[str | None, typer.Option(help=AXES)] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="FILE.JSON", help="Record of what was found, scores and shifts among it."
        ),
    ] = None,
) -> None:
    """Look at an X-ray and its photographs before a run: do they lie on each other, do they tell anything.

    The exit code is 0 if there is nothing to mend, 1 if there is, 2 if the images cannot be worked on.
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
        found = check(
            "xray",
            images.mixture,
            guides=images.guides,
            mask=images.mask,
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
    except (TypeError, ValueError, OSError) as error:
        typer.echo(f"error: {in_flags(error, 'xray')}", err=True)
        raise typer.Exit(BAD_USAGE) from None
    for text in found:
        typer.echo(f"- {in_flags(text, 'xray')}")
    for place in found.places:
        typer.echo(str(place))
    if found:
        raise typer.Exit(FAILURE)
    typer.echo("Nothing to mend: the guides fit, and what they tell holds in parts that were not fitted to.")


def job_of(mixture: Path, guides: list[str], mask: Path | None) -> Job:
    """The files of a run; ``none`` stands for a source without a guide."""
    paths = tuple(None if g.lower() == "none" else Path(g) for g in guides)
    return Job((mixture,), paths, mask=mask)


def _plain(value: Any) -> Any:
    return str(value.expanduser().absolute()) if isinstance(value, Path) else value

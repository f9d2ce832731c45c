"""``napari-bitsnet register``: bring a photograph onto the pixels of an X-ray."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from napari_bitsnet.cli.batch import BAD_USAGE

POINTS = "Text or CSV file, one pair a line: y and x in MOVING, y and x in FIXED, in pixels."


def register_command(
    moving: Annotated[
        Path, typer.Argument(metavar="MOVING", help="What is brought into place: a photograph.")
    ],
    fixed: Annotated[Path, typer.Argument(metavar="FIXED", help="Where to: the X-ray.")],
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", help="TIFF to write, of FIXED's size; beside it a .json with the transform."
        ),
    ],
    model: Annotated[str, typer.Option(help="shift, affine or smooth.")] = "affine",
    points: Annotated[Path | None, typer.Option(help=POINTS)] = None,
    mirror: Annotated[
        bool, typer.Option("--mirror", help="MOVING is seen from the back: mirror it first.")
    ] = False,
) -> None:
    """Register a photograph to an X-ray, by mutual information or from points, and write it on the X-ray's pixels."""
    import tifffile

    from napari_bitsnet.api.saving import atomically
    from napari_bitsnet.core.registration import register
    from napari_bitsnet.data.reading import read_image

    try:
        picture, goal = read_image(moving).channels_last, read_image(fixed).channels_last
        picture = picture[:, ::-1] if mirror else picture
        pairs = None if points is None else np.loadtxt(points, delimiter=_delimiter(points), ndmin=2)
        if pairs is not None and pairs.shape[1] != 4:
            raise ValueError(f"Expected four numbers a line in {points}, got {pairs.shape[1]}.")
        split = None if pairs is None else (pairs[:, :2], pairs[:, 2:])
        found = register(picture, goal, model=model, points=split)  # type: ignore[arg-type]
        with atomically(out) as path:
            tifffile.imwrite(path, found.warp(picture))
    except (TypeError, ValueError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(BAD_USAGE) from None
    record = {
        "matrix": found.matrix.tolist(),
        "score": found.score,
        "model": model,
        "mirrored": mirror,
        "coefficients": None if found.coefficients is None else found.coefficients.tolist(),
    }
    with atomically(out.with_suffix(".json")) as path:
        path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    typer.echo(
        f"{out}: score {found.score:.2f} (mutual information over that at other places; 1 is no better than elsewhere, "
        "below 2 look at it)"
    )


def _delimiter(path: Path) -> str | None:
    return "," if "," in path.read_text(encoding="utf-8") else None

"""``napari-bitsnet register``: bring a photograph onto the pixels of an X-ray."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from napari_bitsnet.cli.batch import BAD_USAGE

if TYPE_CHECKING:
    from napari_bitsnet.data.calibration import Calibration

POINTS = (
    "Text or CSV file, one pair a line: y and x in MOVING as its file has it (with --mirror, too), y and x in FIXED, "
    "in pixels."
)
LOOK_AT_IT = 2.0
"""Score below which a registration may have failed."""


def register_command(
    moving: Annotated[
        Path, typer.Argument(metavar="MOVING", help="What is brought into place: a photograph.")
    ],
    fixed: Annotated[Path, typer.Argument(metavar="FIXED", help="Where to: the X-ray.")],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            help="TIFF to write, of FIXED's size; what MOVING does not cover is missing in it (opacity 0 in colours, NaN in "
            "grey). Beside it a .json with the transform.",
        ),
    ],
    model: Annotated[str, typer.Option(help="shift, affine or smooth.")] = "affine",
    points: Annotated[Path | None, typer.Option(help=POINTS)] = None,
    mirror: Annotated[
        bool, typer.Option("--mirror", help="MOVING is seen from the back: mirror it first.")
    ] = False,
) -> None:
    """Register a photograph to an X-ray, by mutual information or from points, and write it on the X-ray's pixels."""
    from napari_bitsnet.api.saving import atomically
    from napari_bitsnet.core.point_pairs import mirror_points
    from napari_bitsnet.core.registration import register
    from napari_bitsnet.data.reading import read_image

    try:
        picture, goal = read_image(moving).channels_last, read_image(fixed)
        pairs = None if points is None else np.loadtxt(points, delimiter=_delimiter(points), ndmin=2)
        if pairs is not None and pairs.shape[1] != 4:
            raise ValueError(f"Expected four numbers a line in {points}, got {pairs.shape[1]}.")
        split = None if pairs is None else (pairs[:, :2], pairs[:, 2:])
        if mirror:
            picture = picture[:, ::-1]
            split = None if split is None else (mirror_points(split[0], picture.shape[1]), split[1])
        found = register(picture, goal.channels_last, model=model, points=split)  # type: ignore[arg-type]
        placed, covered = found.as_guide(picture), float(found.covered().mean())
        if not covered:
            raise ValueError(
                f"Expected {moving.name} to cover a part of {fixed.name}, got none: see that each line of the points holds "
                "y before x, MOVING before FIXED."
            )
        with atomically(out) as path:
            _write(path, placed, goal.calibration)
    except (TypeError, ValueError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(BAD_USAGE) from None
    record = {
        "matrix": found.matrix.tolist(),
        "score": found.score,
        "covered": covered,
        "model": model,
        "mirrored": mirror,
        "coefficients": None if found.coefficients is None else found.coefficients.tolist(),
    }
    with atomically(out.with_suffix(".json")) as path:
        path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    typer.echo(
        f"{out}: score {found.score:.2f} (mutual information over that at other places; 1 is no better than elsewhere, "
        f"below {LOOK_AT_IT:g} look at it); {_percent(covered)} of {fixed.name} is covered"
    )
    for text in _advice(moving, fixed, found.score, covered, mirrored=mirror, by_points=points is not None):
        typer.echo(f"warning: {text}", err=True)


def _advice(
    moving: Path, fixed: Path, score: float, covered: float, *, mirrored: bool, by_points: bool
) -> list[str]:
    """What to do about a low score, and about parts that are not covered."""
    texts = []
    if score < LOOK_AT_IT:
        mirror = (
            "leave out --mirror, if it is not seen from the back"
            if mirrored
            else "--mirror, if it is seen from the back"
        )
        points = (
            "look whether each line of the points holds y before x, MOVING before FIXED"
            if by_points
            else "--points with three pairs and more, if it lies further off than a fifth of the image, or is turned"
        )
        texts.append(
            f"{moving.name} may not lie where it belongs (score {score:.2f}, below {LOOK_AT_IT:g}). Lay it over {fixed.name} "
            f"and look; then try in turn: {mirror}; the photograph of the other side; {points}. If nothing helps, it may "
            "show another object, or paint and X-ray share no outlines."
        )
    if covered < 1:
        texts.append(
            f"{moving.name} covers {_percent(covered)} of {fixed.name}: the rest is missing in what was written, and a "
            "separation with it continues the colours at the border there. Do not trust it there; take a photograph of all "
            "of it, or crop the X-ray."
        )
    return texts


def _write(path: Path, image: NDArray, calibration: Calibration | None) -> None:
    """Write a TIFF in grey, RGB or RGBA, with a pixel size."""
    import tifffile

    colours = image.ndim == 3 and image.shape[-1] in (3, 4)
    tifffile.imwrite(
        path,
        image,
        photometric="rgb" if colours else "minisblack",
        extrasamples=["unassalpha"] if colours and image.shape[-1] == 4 else None,
        software="napari-bitsnet",
        **({} if calibration is None else calibration.tiff_tags()),
    )


def _percent(part: float) -> str:
    """A part in per cent that does not round to all what is not."""
    return "100 %" if part == 1 else f"{min(100 * part, 99.9):.1f} %"


def _delimiter(path: Path) -> str | None:
    return "," if "," in path.read_text(encoding="utf-8") else None

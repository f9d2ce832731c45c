"""``napari-bitsnet register``: bring a photograph onto the pixels of an X-ray."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from napari_bitsnet.cli.batch import BAD_USAGE
from napari_bitsnet.cli.job import say
from napari_bitsnet.cli.outputs import check_file
from napari_bitsnet.cli.scheduler import SchedulerOption, connected, on_worker

if TYPE_CHECKING:
    from napari_bitsnet.io.calibration import Calibration

POINTS = (
    "Text or CSV file, one pair a line: y and x in MOVING as its file has it (with --mirror, too), y and x "
    "in FIXED, in pixels."
)


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
            help="TIFF to write (.tif or .tiff), of the size of FIXED. Pixels outside MOVING are missing "
            "(opacity 0 in colours, NaN in grey). A .json with the transform is written beside it.",
        ),
    ],
    model: Annotated[str, typer.Option(help="shift, affine, projective or smooth.")] = "affine",
    points: Annotated[Path | None, typer.Option(help=POINTS)] = None,
    mirror: Annotated[
        bool, typer.Option("--mirror", help="MOVING is seen from the back: mirror it first.")
    ] = False,
    scheduler: SchedulerOption = None,
) -> None:
    """Register a photograph to an X-ray, by mutual information or from points, and write it on the X-ray's
    pixels."""
    from napari_bitsnet.api.export.pixel_size import writable_calibration
    from napari_bitsnet.api.export.strict_json import strict_json
    from napari_bitsnet.core.registration.point_pairs import mirror_points, residual_of_points
    from napari_bitsnet.core.registration.register import LEAST_SCORE, register
    from napari_bitsnet.core.writing import together
    from napari_bitsnet.io.read import read_image

    try:
        out = check_file(out, [".tif", ".tiff"], inputs=[moving, fixed, points], record=".json")
        photograph, goal = read_image(moving).as_shown(), read_image(fixed)
        say((*photograph.notices, *goal.notices), "xray")
        picture = photograph.channels_last
        split = None if points is None else _read_points(points)
        if mirror:
            picture = picture[:, ::-1]
            split = None if split is None else (mirror_points(split[0], picture.shape[1]), split[1])
        with connected(scheduler) as client:
            found = on_worker(client, register, picture, goal.channels_last, model=model, points=split)
        placed, covered = found.as_guide(picture), float(found.covered().mean())
        if not covered:
            raise ValueError(
                f"Expected {moving.name} to cover a part of {fixed.name}, got none: see that each line of "
                "the points holds y before x, MOVING before FIXED."
            )
        record = {
            "complete": True,
            "files": {"registered": out.name},
            "matrix": found.matrix,
            "score": found.score,
            "doubtful": found.doubtful,
            "covered": covered,
            "assumed": found.assumed,
            "model": model,
            "mirrored": mirror,
            "coefficients": found.coefficients,
        }
        calibration, notices = writable_calibration(goal.calibration, "imagej")
        with together(out.parent) as files:
            _write(files.part(out.name), placed, calibration)
            text = strict_json(record, indent=2) + "\n"
            files.part(out.with_suffix(".json").name).write_text(text, encoding="utf-8")
    except (TypeError, ValueError, OSError, MemoryError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(BAD_USAGE) from None
    residual = None if split is None else residual_of_points(*split)
    same_size = found.moving_shape == found.fixed_shape
    verb = "show" if found.assumed == "same area" else "have"
    started = "" if same_size or points is not None else f"; both taken to {verb} the {found.assumed}"
    agreed = "" if residual is None else f"; the points agree to {residual:.1f} px"
    typer.echo(
        f"{out}: registration score {found.score:.1f}: {found.verdict}, {LEAST_SCORE:g} is needed; "
        f"{_percent(covered)} of {fixed.name} is covered{started}{agreed}"
    )
    texts = [_doubt(moving, fixed, mirrored=mirror, by_points=points is not None)] if found.doubtful else []
    for text in [*notices, *texts, *_uncovered(moving, fixed, covered)]:
        typer.echo(f"warning: {text}", err=True)


def _doubt(moving: Path, fixed: Path, *, mirrored: bool, by_points: bool) -> str:
    """What to do about a low score."""
    if by_points:
        return (
            f"Edges of {moving.name} and {fixed.name} do not meet where the points say (low registration "
            "score). Lay one over the other and look: each line of the points holds y before x, MOVING "
            "before FIXED. If outlines lie close together, set the points more exactly, or more of them, or "
            "go on with --model smooth; if they are right, paint and X-ray share few edges."
        )
    mirror = (
        "leave out --mirror, if it is not seen from the back"
        if mirrored
        else "--mirror, if it is seen from the back"
    )
    return (
        f"{moving.name} may not lie where it belongs (low registration score). Lay it over {fixed.name} "
        f"and look; then try in turn: {mirror}; the photograph of the other side; --points with three pairs "
        "and more, if it lies further off than a fifth of the image, is turned, or shows a part at another "
        "pixel size. If nothing helps, it may show another object, or paint and X-ray share no outlines."
    )


def _uncovered(moving: Path, fixed: Path, covered: float) -> list[str]:
    """What to do about parts that are not covered."""
    from napari_bitsnet.core.images import ENOUGH_SHOWN

    if covered == 1:
        return []
    more = "; take a photograph of all of it, or crop the X-ray" if covered < ENOUGH_SHOWN else ""
    return [
        f"{moving.name} covers {_percent(covered)} of {fixed.name}: the rest is missing in what was written, "
        f"and a separation with it leaves that out{more}."
    ]


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


def _read_points(path: Path) -> tuple[NDArray, NDArray]:
    """Read pairs of points: (N, 2) in MOVING, and as many in FIXED."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"Expected points as text in UTF-8, got {path}: save it as CSV in UTF-8.") from None
    pairs = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].replace(",", " ").split()
        try:
            values = [float(word) for word in words]
        except ValueError:
            values = []
        if words and not (len(values) == 4 and np.isfinite(values).all()):
            raise ValueError(
                f"Expected four numbers a line in {path}, got {line.strip()[:60]!r} in line {number}: write "
                "y and x in MOVING, y and x in FIXED, with commas or spaces between them."
            )
        if words:
            pairs.append(values)
    if not pairs:
        raise ValueError(f"Expected pairs of points in {path}, got none: write one pair a line.")
    found = np.array(pairs)
    return found[:, :2], found[:, 2:]

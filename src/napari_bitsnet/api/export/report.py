"""One page about a run, in one file that any browser shows: pictures, settings, maps, warnings, scores."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.api.export.values import as_table
from napari_bitsnet.api.planes import Planes
from napari_bitsnet.core.networks.held_out import few_held_out, held_out_in_words
from napari_bitsnet.core.outputs import Output
from napari_bitsnet.data.contact_sheet import labels_in_words, labels_to_display, to_display
from napari_bitsnet.io.calibration import Calibration
from napari_bitsnet.tasks import TASKS

SIDE = 480
"""Longer side of the pictures, in pixels: two fit beside each other on a page."""
ROWS = (
    ("offset-free gain (dB over the mixture itself)", "gain_offset_free"),
    ("gain (dB)", "gain"),
    ("PSNR (dB)", "psnr"),
    ("SSIM", "ssim"),
)


def write_report(
    path: str | Path,
    outputs: Mapping[str, Output],
    record: Mapping[str, Any],
    planes: Planes,
    *,
    title: str = "Separation",
    guides: Sequence[NDArray | None] = (),
    scores: Mapping[str, Any] | None = None,
    inputs: Mapping[str, Any] | None = None,
    calibration: Calibration | None = None,
) -> None:
    """Write a self-contained HTML page about a run.

    Parameters
    ----------
    path : str or Path
        Where to.
    outputs : mapping of str to Output
        What is reported; of a stack, its middle slice is shown.
    record : mapping
        Provenance of the run, as in `Result.provenance`.
    planes : Planes
        The mixture.
    title : str
        Heading.
    guides : sequence of array or None
        To be shown.
    scores : mapping, optional
        Where the true sources are known: what `score_slice` says of the slice that is shown, see
        `shown_slice`.
    inputs : mapping, optional
        Paths of the input files.
    calibration : Calibration, optional
        How large a pixel is.
    """
    from jinja2 import Environment, PackageLoader

    index = shown_slice(planes)
    environment = Environment(
        loader=PackageLoader("napari_bitsnet.api.export", "."), autoescape=True, trim_blocks=True
    )
    page = environment.get_template("report.html.jinja").render(
        title=title,
        caution=_caution(str(record.get("task", ""))),
        record=record,
        n_slices=len(planes),
        index=index,
        pixel_size=_pixel_size(calibration),
        explained=_explained(record, len(planes)),
        weights=_weights(record),
        given=_given(planes, guides, index),
        found=_found(outputs.values(), index),
        tables=[as_table(output, index) for output in outputs.values() if not output.is_image],
        scores=scores,
        rows=ROWS,
        settings=_flat(
            {"inputs": dict(inputs or {}), **{k: v for k, v in record.items() if k != "warnings"}}
        ),
    )
    # names of files need not be UTF-8
    Path(path).write_bytes(page.encode("utf-8", "backslashreplace"))


def shown_slice(planes: Planes) -> int:
    """Return the number of the slice that a report shows: the middle one."""
    return len(planes) // 2


def _caution(task: str) -> str:
    """On which images the task was measured, and what its results are not for."""
    known = TASKS.get(task).validated_on if task in TASKS else ""
    measured = f"The scores of the documentation were measured on {known}. " if known else ""
    return f"{measured}Not for diagnosis."


def _pixel_size(calibration: Calibration | None) -> str:
    if calibration is None or not calibration.unit:
        return "Size of a pixel: not known."
    width, height = (f"{1 / n:.4g}" for n in calibration.per_unit)
    unit = calibration.unit
    size = f"{width} {unit}" if width == height else f"{width} {unit} wide, {height} {unit} high"
    apart = "" if calibration.z_step is None else f"; slices lie {calibration.z_step:.4g} {unit} apart"
    return f"Size of a pixel: {size}{apart}."


def _explained(record: Mapping[str, Any], count: int) -> str:
    """The explained energy in words; empty where the method does not know it."""
    part = record.get("losses", {}).get("explained_energy")
    if part is None:
        return ""
    whose = "the mixture's edges" if count == 1 else "the edges of the last slice"
    return (
        f"The guides explain {max(0.0, part):.0%} of {whose} (energy of the gradients), measured in blocks "
        "that were left out of the fit. The rest is not visible in a guide, is noise, or comes from guides "
        "that are out of place. A warning about the part that no guide predicts has another measure: the "
        "standard deviation of that part, with its smooth areas. The two need not add up to 100 %."
    )


def _weights(record: Mapping[str, Any]) -> str:
    """How good the training of the user's own weights was, in words; empty without them."""
    weights = record.get("weights")
    if weights is None:
        return ""
    told = [held_out_in_words(weights) or "The file does not say how good its training was."]
    return " ".join([f"Weights of your own: {weights['file']}.", *told, few_held_out(weights)]).rstrip()


def _given(planes: Planes, guides: Sequence[NDArray | None], index: int) -> Iterator[dict[str, str]]:
    plane = planes[index]
    for m, image in enumerate(plane if "M" in planes.axes else [plane]):
        yield _figure(f"Mixture {m + 1}" if "M" in planes.axes else "Mixture", image, f"{planes.array.dtype}")
    for k, guide in enumerate(guides):
        shown = None if guide is None else planes.plane_of(planes.match(guide, f"guide {k + 1}"), index)
        if shown is not None:
            yield _figure(f"Guide {k + 1}", shown, f"{shown.dtype}")


def _found(outputs: Iterable[Output], index: int) -> Iterator[dict[str, str]]:
    for output in outputs:
        if output.is_image and output.kind != "features" and "M" not in output.axes:
            of = Planes(output.array, output.axes)
            image = of[index if len(of) > 1 else 0]
            labels = output.kind == "labels"
            words = f"{labels_in_words(image)}." if labels else output.description
            yield _figure(output.caption, image, words, labels=labels)


def _figure(name: str, given: NDArray, words: str, *, labels: bool = False) -> dict[str, str]:
    """Return the name, the range and the PNG file of an image for the template."""
    from PIL import Image

    image = given.astype(np.uint8) if given.dtype == bool else given
    finite = image[np.isfinite(image)]
    span = f"{finite.min():.5g} to {finite.max():.5g}" if finite.size else "no valid pixel"
    picture = Image.fromarray(labels_to_display(image) if labels else to_display(image))
    picture.thumbnail((SIDE, SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return {"name": name, "span": span, "words": words, "data": data}


def _flat(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value

"""One page about a run, in one file that any browser shows: pictures, settings, maps, warnings, scores."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.api.planes import Planes
from napari_bitsnet.core.outputs import Output
from napari_bitsnet.data.contact_sheet import labels_in_words, labels_to_display, to_display
from napari_bitsnet.io.calibration import Calibration

SIDE = 480
"""Longer side of the pictures, in pixels."""
STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em; color: #222 }
figure { display: inline-block; margin: 0 1em 1em 0; vertical-align: top; max-width: 22em } figure img { width: 100% }
figcaption { font-size: 13px; color: #555 } table { border-collapse: collapse; margin: 0 0 1em }
td, th { border: 1px solid #ccc; padding: .15em .6em; text-align: left; font-size: 13px } .warn { background: #fff3d6;
border-left: 4px solid #e0a030; padding: .4em .8em; margin: .4em 0 } h2 { margin: 1.4em 0 .5em; font-size: 1.15em }
"""
Figure = tuple[str, NDArray, str, bool]
"""Caption, image, a sentence, and whether the image holds labels."""

CAUTION = "Validated on simulations only; not for diagnosis."
SCORED = (
    "Sources are paired with the known ones as fits best; 0 dB of gain is the mixture itself as every source."
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
        Where the true sources are known: what `score_slice` says of the slice that is shown, see `shown_slice`.
    inputs : mapping, optional
        Paths of the input files.
    calibration : Calibration, optional
        How large a pixel is.
    """
    index = shown_slice(planes)
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        f"<p>{CAUTION}</p>",
        f"<p>{_sentence(record, len(planes), index)}</p>",
        f"<p>{_pixel_size(calibration)}</p>",
        *(f"<p>{text}</p>" for text in [_explained(record, len(planes))] if text),
        *(f'<p class="warn">{html.escape(text)}</p>' for text in record.get("warnings", ())),
        "<h2>What went in</h2>",
        *_pictures(_given(planes, guides, index)),
        "<h2>What came out</h2>",
        *_pictures(_found(outputs.values(), index)),
    ]
    if scores is not None:
        density = " In optical density." if record["task_settings"].get("mixing") == "attenuation" else ""
        parts += [f"<h2>Scores against the known sources</h2><p>{SCORED}{density}</p>", _scores(scores)]
    parts += [
        "<h2>How it was made</h2>",
        _table(_flat({"inputs": dict(inputs or {}), **{k: v for k, v in record.items() if k != "warnings"}})),
    ]
    page = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{STYLE}</style>{''.join(parts)}</html>\n"
    )
    # names of files need not be UTF-8
    Path(path).write_bytes(page.encode("utf-8", "backslashreplace"))


def _sentence(record: Mapping[str, Any], count: int, index: int) -> str:
    made = (
        f"Task <b>{record['task']}</b>, method <b>{record['method']}</b> ({record['preset']}), {record['iterations']} "
        f"iteration{'s' if record['iterations'] != 1 else ''}, {record.get('seconds', 0):.1f} s. Ended: "
        f"{record['stop_reason']}."
    )
    return made if count == 1 else f"{made} Slice {index} of {count} is shown."


def shown_slice(planes: Planes) -> int:
    """Return the number of the slice that a report shows: the middle one."""
    return len(planes) // 2


def _pixel_size(calibration: Calibration | None) -> str:
    if calibration is None or not calibration.unit:
        return "Size of a pixel: not known."
    width, height = (f"{1 / n:.4g}" for n in calibration.per_unit)
    unit = html.escape(calibration.unit)
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
        f"The guides explain {max(0.0, part):.0%} of {whose}, in blocks that were not fitted to. The rest is what no guide "
        "shows, noise, or due to guides that are out of place."
    )


def _given(planes: Planes, guides: Sequence[NDArray | None], index: int) -> Iterator[Figure]:
    plane = planes[index]
    for m, image in enumerate(plane if "M" in planes.axes else [plane]):
        yield (f"Mixture {m + 1}" if "M" in planes.axes else "Mixture"), image, f"{planes.array.dtype}", False
    for k, guide in enumerate(guides):
        if guide is not None:
            matched = planes.match(guide, f"guide {k + 1}")
            shown = planes.plane_of(matched, index)
            if shown is not None:
                yield f"Guide {k + 1}", shown, f"{shown.dtype}", False


def _found(outputs: Iterable[Output], index: int) -> Iterator[Figure]:
    for output in outputs:
        if output.is_image and output.kind != "features" and "M" not in output.axes:
            of = Planes(output.array, output.axes)
            image = of[index if len(of) > 1 else 0]
            words = f"{labels_in_words(image)}." if output.kind == "labels" else output.description
            yield output.caption, image, words, output.kind == "labels"


def _pictures(images: Iterator[Figure]) -> Iterator[str]:
    from PIL import Image

    for name, given, words, labels in images:
        image = given.astype(np.uint8) if given.dtype == bool else given
        finite = image[np.isfinite(image)]
        span = f"{finite.min():.5g} to {finite.max():.5g}" if finite.size else "no valid pixel"
        picture = Image.fromarray(labels_to_display(image) if labels else to_display(image))
        picture.thumbnail((SIDE, SIDE))
        buffer = io.BytesIO()
        picture.save(buffer, format="PNG", optimize=True)
        data = base64.b64encode(buffer.getvalue()).decode("ascii")
        label = html.escape(name)
        yield (
            f'<figure><img alt="{label}" src="data:image/png;base64,{data}"><figcaption><b>{label}</b>, {span}. '
            f"{html.escape(words)}</figcaption></figure>"
        )


def _scores(scores: Mapping[str, Any]) -> str:
    rows = {
        "offset-free gain (dB over the mixture itself)": "gain_offset_free",
        "gain (dB)": "gain",
        "PSNR (dB)": "psnr",
        "SSIM": "ssim",
    }
    head = "".join(f"<th>source {k + 1}</th>" for k in range(len(scores["psnr"]))) + "<th>mean</th>"
    body = "".join(
        f"<tr><td>{words}</td>{''.join(f'<td>{v:.2f}</td>' for v in [*scores[name], scores[f'mean_{name}']])}</tr>"
        for words, name in rows.items()
    )
    return f"<table><tr><th></th>{head}</tr>{body}</table>"


def _flat(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _table(entries: Iterator[tuple[str, Any]]) -> str:
    rows = (f"<tr><td>{html.escape(k)}</td><td>{html.escape(str(v))}</td></tr>" for k, v in entries)
    return f"<table>{''.join(rows)}</table>"

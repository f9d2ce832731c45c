"""One picture of a result: mixture, sources, residual and all else that is an image."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.api.planes import Planes
from napari_bitsnet.api.result import Result
from napari_bitsnet.data.contact_sheet import contact_sheet, labels_in_words, labels_to_display, to_display


def draw_preview(result: Result, planes: Planes, axes: Mapping[str, str | None]) -> NDArray:
    """Draw the contact sheet of a result; of a stack, its middle plane that has an answer.

    Parameters
    ----------
    result : Result
        What to show.
    planes : Planes
        Its mixture.
    axes : mapping of str to str or None
        Axes of each output; None for what is no image.

    Returns
    -------
    ndarray of shape (Y, X, 3), uint8
        First row: mixture and sources, each stretched to its own range. Second row: the rest, the
        residual around mid-grey on the mixture's range, so that a small one looks small. Labels have colours.
    """
    images = {name: Planes(result.outputs[name], letters) for name, letters in axes.items() if letters}
    first = next(iter(images.values()))
    answered = [i for i in range(len(planes)) if np.isfinite(first[i if len(first) > 1 else 0]).any()]
    index = answered[len(answered) // 2] if answered else 0

    def plane(of: Planes) -> list[NDArray]:
        image = of[index if len(of) > 1 else 0]
        image = image.astype(np.uint8) if image.dtype == bool else image
        return list(image) if "M" in of.axes else [image]

    mixtures = plane(planes)
    span = _span(result, images, mixtures[0], index)
    names = ["mixture"] if len(mixtures) == 1 else [f"mixture {m + 1}" for m in range(len(mixtures))]
    top, top_captions = (
        list(mixtures),
        [f"{n}\n{_range(image)}" for n, image in zip(names, mixtures, strict=True)],
    )
    rest: list[NDArray] = []
    rest_captions: list[str] = []
    for name, of in images.items():
        for image in plane(of):
            labels = np.issubdtype(image.dtype, np.integer)
            caption = f"{name.replace('_', ' ')}\n{labels_in_words(image) if labels else _range(image)}"
            image = labels_to_display(image) if labels else image
            if name.startswith("source_"):
                top.append(image)
                top_captions.append(caption)
            else:
                rest.append(to_display(image, -span / 2, span / 2) if name == "residual" else image)
                rest_captions.append(caption)
    made = result.provenance
    count = "1 iteration" if made["iterations"] == 1 else f"{made['iterations']} iterations"
    title = f"{made['task']}, {made['method']} ({made['preset']}), {count}"
    if len(planes) > 1:
        title += f", slice {index} of {len(planes)}"
    rows, captions = [top], [top_captions]
    if rest:
        rows.append(rest)
        captions.append(rest_captions)
    return contact_sheet(rows, captions, title=title)


def _span(result: Result, images: Mapping[str, Planes], mixture: NDArray, index: int) -> float:
    """Range that the residual is shown on: the mixture's, or that of its density where sources are densities."""
    options = result.provenance["task_settings"]
    shown = mixture
    if options.get("mixing") == "attenuation" and options.get("output") == "density":
        sources = [of for name, of in images.items() if name.startswith("source_")]
        shown = np.sum([of[index if len(of) > 1 else 0] for of in sources], axis=0)
    finite = shown[np.isfinite(shown)]
    return float(np.ptp(finite)) if finite.size else 1.0


def _range(image: NDArray) -> str:
    """The smallest and largest finite value, in words."""
    finite = np.asarray(image)[np.isfinite(image)]
    return f"{finite.min():.5g} to {finite.max():.5g}" if finite.size else "no valid pixel"

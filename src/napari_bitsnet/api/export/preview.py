"""One picture of a result: mixture, sources, residual and all else that is an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.api.planes import Planes
from napari_bitsnet.core.outputs import Output
from napari_bitsnet.data.contact_sheet import contact_sheet, labels_in_words, labels_to_display, to_display


def draw_preview(outputs: Mapping[str, Output], record: Mapping[str, Any], planes: Planes) -> NDArray:
    """Draw the contact sheet of a result; of a stack, its middle plane that has an answer.

    Parameters
    ----------
    outputs : mapping of str to Output
        What to show; values and feature maps are left out.
    record : mapping
        Provenance of the run.
    planes : Planes
        Its mixture.

    Returns
    -------
    ndarray of shape (Y, X, 3), uint8
        First row: mixture and sources, each stretched to its own range. Second row: the rest, the
        residual around mid-grey on the mixture's range, so that a small one looks small. Labels have colours.
    """
    shown = [output for output in outputs.values() if output.is_image and output.kind != "features"]
    images = [(output, Planes(output.array, output.axes)) for output in shown]
    first = images[0][1]
    answered = [i for i in range(len(planes)) if np.isfinite(first[i if len(first) > 1 else 0]).any()]
    index = answered[len(answered) // 2] if answered else 0

    def plane(of: Planes) -> list[NDArray]:
        image = of[index if len(of) > 1 else 0]
        image = image.astype(np.uint8) if image.dtype == bool else image
        return list(image) if "M" in of.axes else [image]

    mixtures, residual = plane(planes), outputs.get("residual")
    span = _span(images, mixtures[0], index)
    names = ["Mixture"] if len(mixtures) == 1 else [f"Mixture {m + 1}" for m in range(len(mixtures))]
    top, top_captions = (
        list(mixtures),
        [f"{n}\n{_range(image)}" for n, image in zip(names, mixtures, strict=True)],
    )
    rest: list[NDArray] = []
    rest_captions: list[str] = []
    for output, of in images:
        for image in plane(of):
            labels = output.kind == "labels"
            caption = f"{output.caption}\n{labels_in_words(image) if labels else _range(image)}"
            image = labels_to_display(image) if labels else image
            if output.kind == "source":
                top.append(image)
                top_captions.append(caption)
            else:
                rest.append(to_display(image, -span / 2, span / 2) if output is residual else image)
                rest_captions.append(caption)
    count = "1 iteration" if record["iterations"] == 1 else f"{record['iterations']} iterations"
    title = f"{record['task']}, {record['method']} ({record['preset']}), {count}"
    if len(planes) > 1:
        title += f", slice {index} of {len(planes)}"
    rows, captions = [top], [top_captions]
    if rest:
        rows.append(rest)
        captions.append(rest_captions)
    return contact_sheet(rows, captions, title=title)


def _span(images: Sequence[tuple[Output, Planes]], mixture: NDArray, index: int) -> float:
    """Return the range on which the residual is shown: the mixture's, or that of the sum of sources that are
    densities."""
    densities = [of for output, of in images if output.kind == "source" and output.units == "density"]
    shown = np.sum([of[index if len(of) > 1 else 0] for of in densities], axis=0) if densities else mixture
    finite = shown[np.isfinite(shown)]
    return float(np.ptp(finite)) if finite.size else 1.0


def _range(image: NDArray) -> str:
    """The smallest and largest finite value, in words."""
    finite = np.asarray(image)[np.isfinite(image)]
    return f"{finite.min():.5g} to {finite.max():.5g}" if finite.size else "no valid pixel"

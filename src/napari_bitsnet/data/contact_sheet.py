"""Draw pictures of results without a display: rows of images with captions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

_PAPER, _INK = (255, 255, 255), (25, 25, 25)
_MISSING = (196, 120, 160)  # a colour that no grey image has
_COLOURS = {
    "orange": (230, 159, 0), "blue": (0, 114, 178), "green": (0, 158, 115), "yellow": (240, 228, 66),
    "sky": (86, 180, 233), "red": (213, 94, 0), "grey": (120, 120, 120),
}  # fmt: skip
# of labels 1, 2, …; safe for colour-blind readers (Okabe & Ito, "Color Universal Design", 2002)
_MARGIN, _FONT_SIZE, _LINE = 8, 12, 16  # pixels


def to_display(image: NDArray, low: float | None = None, high: float | None = None) -> NDArray:
    """Turn an image of any range into 8-bit RGB.

    Parameters
    ----------
    image : array of shape (Y, X) or (Y, X, C)
        One or three channels; a fourth channel (opacity) is ignored.
    low, high : float, optional
        Values that become black and white; by default the 0.1th and 99.9th percentile.

    Returns
    -------
    ndarray of shape (Y, X, 3), uint8
        Missing pixels (NaN, infinite) are pink.
    """
    values = np.asarray(image, dtype=np.float64)
    values = values[..., None] if values.ndim == 2 else values[..., :3]
    missing: NDArray = np.logical_not(np.isfinite(values).all(axis=-1))
    finite = values[~missing]
    if finite.size:
        low = float(np.percentile(finite, 0.1)) if low is None else low
        high = float(np.percentile(finite, 99.9)) if high is None else high
    low, high = low or 0.0, high or 0.0
    span = high - low if high > low else 1.0
    scaled = np.clip((np.where(missing[..., None], low, values) - low) / span, 0, 1)
    shown = np.broadcast_to(np.round(255 * scaled).astype(np.uint8), (*missing.shape, 3)).copy()
    shown[missing] = _MISSING
    return shown


def labels_to_display(labels: NDArray) -> NDArray:
    """Turn labels into 8-bit RGB: one colour per label, pink for 0 (unknown).

    Parameters
    ----------
    labels : integer array of shape (Y, X)
        From 0; colours repeat after the seventh.

    Returns
    -------
    ndarray of shape (Y, X, 3), uint8
    """
    labels = np.asarray(labels).astype(np.int64)
    colours = np.array(list(_COLOURS.values()), np.uint8)
    shown = colours[(labels - 1) % len(colours)]
    shown[labels == 0] = _MISSING
    return shown


def labels_in_words(labels: NDArray) -> str:
    """Return the colours of `labels_to_display` as text: ``"1 orange, 2 blue"``."""
    names = list(_COLOURS)
    return ", ".join(
        f"{k} {names[(k - 1) % len(names)] if k else 'pink'}" for k in np.unique(labels).tolist()
    )


def contact_sheet(
    rows: Sequence[Sequence[NDArray | None]],
    captions: Sequence[Sequence[str]],
    *,
    title: str = "",
    cell: int = 256,
) -> NDArray:
    """Draw rows of images with a caption under each image.

    Parameters
    ----------
    rows : sequence of rows of array of shape (Y, X) or (Y, X, C), or None
        Images; None leaves a place empty. 8-bit RGB is shown unchanged, other images by `to_display`.
    captions : sequence of rows of str
        One for each image; lines are separated by a newline.
    title : str
        Title above the rows.
    cell : int
        Width and height, in pixels, into which each image is fitted.

    Returns
    -------
    ndarray of shape (Y, X, 3), uint8

    Raises
    ------
    ValueError
        If there is no image, or the numbers of captions and images differ.
    """
    from PIL import Image, ImageDraw, ImageFont

    if [len(row) for row in rows] != [len(row) for row in captions] or not any(rows):
        raise ValueError(
            "Expected images and one caption for each, got rows of "
            f"{[len(row) for row in rows]} images and {[len(row) for row in captions]} captions."
        )
    pictures = [[None if image is None else _fitted(image, cell) for image in row] for row in rows]
    heights = [
        max((picture.height for picture in row if picture), default=0)
        + _LINE * max((caption.count("\n") + 1 for caption in texts), default=1)
        + _MARGIN
        for row, texts in zip(pictures, captions, strict=True)
    ]
    top = _MARGIN + (_LINE + _MARGIN if title else 0)
    width = _MARGIN + (cell + _MARGIN) * max(len(row) for row in rows)
    sheet = Image.new("RGB", (width, top + sum(heights) + _MARGIN), _PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(_FONT_SIZE)
    draw.text((_MARGIN, _MARGIN), title, _INK, font)
    for row, texts, height in zip(pictures, captions, heights, strict=True):
        below = top + max((picture.height for picture in row if picture), default=0)
        for column, (picture, caption) in enumerate(zip(row, texts, strict=True)):
            left = _MARGIN + column * (cell + _MARGIN)
            if picture:
                sheet.paste(picture, (left, top))
            draw.multiline_text((left, below + 1), caption, _INK, font, spacing=_LINE - _FONT_SIZE)
        top += height
    return np.asarray(sheet)


def _fitted(image: NDArray, cell: int) -> Image:
    """Scale an image into a square, keeping its aspect ratio; small images grow by an integer factor."""
    from PIL import Image

    image = np.asarray(image)
    is_rgb = image.dtype == np.uint8 and image.ndim == 3 and image.shape[-1] == 3
    picture = Image.fromarray(np.ascontiguousarray(image if is_rgb else to_display(image)))
    factor = cell / max(picture.size)
    width, height = (max(1, round(side * factor)) for side in picture.size)
    return picture.resize(
        (width, height), Image.Resampling.NEAREST if factor > 1 else Image.Resampling.LANCZOS
    )

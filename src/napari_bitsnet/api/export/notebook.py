"""How a notebook shows a result: its picture, and below it what `repr` says."""

from __future__ import annotations

import base64
import io
from html import escape

from numpy.typing import NDArray


def picture_and_text(picture: NDArray | None, text: str) -> str:
    """Return HTML.

    Parameters
    ----------
    picture : ndarray of shape (Y, X, 3), uint8, or None
        See `draw_preview`; None where the mixture is not at hand.
    text : str
        Lines that describe the result.
    """
    lines = f"<pre>{escape(text)}</pre>"
    if picture is None:
        return lines
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    data = base64.b64encode(file.getvalue()).decode()
    style = 'alt="Mixture, sources and further outputs" style="max-width: 100%"'
    return f'<img {style} src="data:image/png;base64,{data}">{lines}'

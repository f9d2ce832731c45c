"""The picture of a validation: held-out examples as rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor


def sheet_of(columns: Sequence[Tensor], n_rows: int) -> NDArray[np.uint8]:
    """Put images side by side: a row an example, a column a kind of image.

    Parameters
    ----------
    columns : sequence of Tensor (N, 1 or 3, H, W)
        Images in [0, 1], which are clipped there.
    n_rows : int
        The first so many examples are shown.

    Returns
    -------
    ndarray of shape (n_rows * H, len(columns) * W, 3)
        uint8.
    """
    import torch

    sheet = torch.cat([column[:n_rows].expand(-1, 3, -1, -1) for column in columns], dim=3)
    pixels: NDArray[np.uint8] = (
        (sheet.permute(0, 2, 3, 1).flatten(0, 1).clamp(0, 1) * 255).byte().cpu().numpy()
    )
    return pixels

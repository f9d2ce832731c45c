"""The problem of a part of an image, on the scales of the whole."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.core.images import without_opacity
from napari_bitsnet.core.operators.nearest import nearest_valid
from napari_bitsnet.tasks import Built
from napari_bitsnet.tasks._shares import SharesConfig, expose_mixture

if TYPE_CHECKING:
    from torch import Tensor


def build_part(
    built: Built, part: NDArray, missing: NDArray, config: SharesConfig, stored: np.dtype
) -> Built:
    """State the problem of a part of a mixture as that of the whole is stated.

    Parameters
    ----------
    built : Built
        Of the whole mixture at reduced size.
    part : ndarray of shape (Y, X[, C])
        Pixels of the mixture.
    missing : ndarray of shape (Y, X)
        bool, True for pixels that are left out.
    config, stored
        Settings of the task, and type of the mixture's file.

    Returns
    -------
    Built
        Values outside the range of the whole at reduced size are not clipped. The places of guides are kept,
        not their pixels.
    """
    import torch

    if built.problem.density_of is None:
        image, observed = built.transfer.to_light(part), without_opacity(part)
    else:
        known = config.model_copy(update={"i0": built.problem.density_of})
        exposure = expose_mixture(part, known, stored)
        image, observed = exposure.density, exposure.intensity
    tensor, valid = normalised_part(image, missing, built.problem.scaling.lo, built.problem.scaling.span)
    blank = torch.zeros(1, 1, 1, 1).expand(1, 1, *tensor.shape[-2:])
    guides = tuple(None if guide is None else blank for guide in built.problem.guides)
    problem = replace(built.problem, observations=tensor, guides=guides, hints=None, valid=valid)
    return replace(built, problem=problem, observed=observed, notices=())


def normalised_part(image: NDArray, missing: NDArray | None, lo: float, span: float) -> tuple[Tensor, Tensor]:
    """Return pixels (Y, X[, C]) on the [0, 1] scale of a whole image, (1, C, Y, X), and which are valid,
    (1, 1, Y, X); others carry the value of their nearest valid pixel, or 0 if there is none."""
    import torch

    channels = image[None] if image.ndim == 2 else np.moveaxis(image, -1, 0)
    gone = ~np.isfinite(channels[:3]).all(axis=0)
    if len(channels) == 4:
        gone |= channels[3] == 0
    if missing is not None:
        gone |= missing
    scaled = ((channels[:3] - lo) / span).astype(np.float32)
    if gone.all():
        scaled[:] = 0
    elif gone.any():
        scaled = scaled[:, *nearest_valid(gone)]
    return torch.from_numpy(scaled)[None], torch.from_numpy(~gone)[None, None]

"""BM3D (block matching and collaborative filtering) by its authors' package, an optional dependency."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_bitsnet.core.denoisers import DENOISERS


@DENOISERS.register("bm3d")
@torch.no_grad()
def bm3d(image: Tensor, sigma: float) -> Tensor:
    """Denoise by filtering stacks of similar blocks.

    Parameters
    ----------
    image, sigma
        See `Denoiser`.

    Raises
    ------
    ImportError
        If the package is not installed. It is an extra because it is free for non-commercial use only.

    References
    ----------
    Dabov et al., "Image denoising by sparse 3-D transform-domain collaborative filtering", IEEE TIP 16(8),
    2007, doi:10.1109/TIP.2007.901238.
    """
    if sigma < 0:
        raise ValueError(f"Expected sigma >= 0, got {sigma:g}.")
    if sigma == 0:
        return image
    try:
        from bm3d import bm3d as denoise_plane
    except ImportError as error:
        raise ImportError(
            "Expected the package bm3d for this denoiser, found none: pip install napari-bitsnet[bm3d] "
            "(free for non-commercial use only), or choose another denoiser, for example nlm."
        ) from error
    planes = image.reshape(-1, *image.shape[-2:]).double().cpu().numpy()
    answer = torch.stack([torch.from_numpy(denoise_plane(plane, sigma)) for plane in planes])
    return answer.reshape(image.shape).to(image)

"""What the generators of a fit draw from inputs that are prepared for it."""

from __future__ import annotations

from torch import Tensor

from napari_bitsnet.methods.dip.adam import DipFit


def generated(fit: DipFit, *, orientation: int = 0, jitter: float = 0.0) -> tuple[Tensor, list[list[Tensor]]]:
    """Return images and feature maps of one look at the inputs."""
    fit.look(orientation=orientation, jitter=jitter)
    return fit.draw(orientation=orientation)

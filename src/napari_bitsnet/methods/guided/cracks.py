"""Cracks in photographs: found by a small trained network, healed in the colours, kept as a guide of their
own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from napari_bitsnet.core.networks.unet import UNet

SHIPPED = "cracks.safetensors"
TILE, MARGIN = 1024, 64
"""Side of the tiles in which large photographs are looked at, and what is seen around them, pixels."""
DEEPEST = 0.8
"""Largest part of the light that a crack is taken to swallow: what is left is divided by the rest."""


def crack_weights() -> Path:
    """Where the package keeps the network's weights, whether they are there or not."""
    return Path(str(files("napari_bitsnet").joinpath("weights", SHIPPED)))


@cache
def crack_network() -> UNet | None:
    """The trained network, or None where the package carries no weights."""
    from napari_bitsnet.core.networks.shipped import shipped_unet

    return shipped_unet(crack_weights(), 3, 1)


def find_cracks(photograph: Tensor) -> Tensor:
    """Part of the light that cracks take, pixel by pixel.

    Parameters
    ----------
    photograph : Tensor of shape (1, 3, H, W)
        In [0, 1].

    Returns
    -------
    Tensor of shape (1, 1, H, W)
        In [0, `DEEPEST`]; zero without weights.
    """
    from torch.nn import functional as F

    from napari_bitsnet.core.tiling import solve_in_tiles

    network = crack_network()
    if network is None:
        return photograph.new_zeros(1, 1, *photograph.shape[-2:])
    network = network.to(photograph.device)

    def look(part: Tensor) -> Tensor:
        height, width = part.shape[-2:]
        down, right = -height % network.multiple, -width % network.multiple
        padded = F.pad(part - 0.5, (0, right, 0, down), mode="replicate")
        return network(padded)[..., :height, :width]

    return solve_in_tiles(look, [photograph], side=TILE, margin=MARGIN).clamp(0, DEEPEST)


def cracks_of(guides: Sequence[Tensor | None]) -> list[Tensor | None]:
    """Cracks (1, 1, H, W) of the guides with three channels; None for the others, or where there are no
    weights."""
    if not crack_weights().is_file():
        return [None] * len(guides)
    return [find_cracks(guide) if guide is not None and guide.shape[1] == 3 else None for guide in guides]

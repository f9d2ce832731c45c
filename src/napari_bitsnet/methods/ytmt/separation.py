"""Apply a trained network of streams to an image of any size: mirror images, tiles, and a view of the
whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_bitsnet.core.stages import Stage, Stages, exhaust, named
from napari_bitsnet.methods.ytmt.hypercolumn import REDUCED, shipped_hypercolumn
from napari_bitsnet.methods.ytmt.tiles import blending_tiles
from napari_bitsnet.methods.ytmt.weights_file import load_weights

MIRRORS: list[list[int]] = [[], [-1], [-2], [-2, -1]]

SIDE = 512
"""Side of the tiles, pixels: what the network needs for one, about 100 MiB, is the ceiling for images of any
size."""

SIDE_OFFICIAL = 256
"""Side of the tiles of the authors' network, which needs twenty times as much a pixel."""

WHOLE = 256
"""Shorter side, in pixels, at which a large photograph is seen whole: the scale that the network was trained
at."""


class Separator:
    """A trained network that separates images of any size.

    Parameters
    ----------
    path : Path
        File of weights.
    device : str
        A torch device.

    Attributes
    ----------
    facts : dict
        What the file says of itself.

    Raises
    ------
    FileNotFoundError, ValueError
        See `load_weights`; also if the network needs other features than the package's.
    """

    def __init__(self, path: Path, *, device: str) -> None:
        network, self.facts = load_weights(path)
        self.network = network.to(device).eval().requires_grad_(False)
        self.features = None
        if self.facts["hypercolumn"] is not None:
            features = shipped_hypercolumn()
            if features.checksum != self.facts["hypercolumn"]:
                raise ValueError(
                    f"Expected weights that were trained with the features of this version, got {path}, "
                    "which needs those of another version: train it again."
                )
            self.features = features.to(device)
        self.side = SIDE_OFFICIAL if network.sizes.get("official") else SIDE
        self.multiple = max(network.multiple, 32 * REDUCED if self.features else 1)

    def __call__(self, mixture: Tensor, views: int = 1) -> tuple[Tensor, Tensor]:
        """Do the same as `stages` without telling them."""
        return exhaust(self.stages(mixture, views))

    def stages(self, mixture: Tensor, views: int = 1) -> Stages[tuple[Tensor, Tensor]]:
        """Return the images (K, C, H, W) of a mixture (1, C, H, W), and how far mirror images differ (1, 1,
        H, W); each view and each tile is a stage, and views after the first are left out once it is enough.

        Notes
        -----
        Large images are separated tile by tile. Where the images are whole photographs, what is coarse comes
        from a view of the whole instead, because a tile does not show enough to tell whose brightness it is.
        """
        whole = self.network.sizes["whole"]
        colours = mixture.shape[1]
        channels = self.network.sizes["channels"]
        if colours == channels:
            seen = mixture
        elif colours == 1:
            seen = mixture.expand(-1, 3, -1, -1)
        else:  # a network for grey images separates each colour channel by itself
            seen = mixture.transpose(0, 1)
        images: Tensor | None = None
        for number, axes in enumerate(MIRRORS[:views], 1):
            view = f"view {number} of {views}"
            if (yield Stage(view)) and images is not None:
                views = number - 1
                break
            mirrored = seen.flip(axes)
            answer = yield from named(
                view, blending_tiles(self._predict, mirrored, side=self.side, multiple=self.multiple)
            )
            if whole:
                answer = _with_coarse(answer, mirrored, self._predict)
            answer = answer.flip(axes)  # (N, K, C, H, W)
            if images is None:
                images, spread = answer, torch.zeros_like(answer)
                continue
            # Welford's update of mean and sum of squares: not all answers are in memory at once
            change = answer - images
            images += change / number
            spread += change * (answer - images)
        assert images is not None
        spread = (spread / views).amax(dim=1).mean(dim=1, keepdim=True).sqrt()
        if whole:
            images = images.clamp(0, 1)
        if colours == channels:
            return images[0], spread
        if colours == 1:
            return images[0].mean(dim=1, keepdim=True), spread
        return images[:, :, 0].transpose(0, 1), spread.mean(dim=0, keepdim=True)

    def _predict(self, mixture: Tensor) -> Tensor:
        """Return the images (N, K, C, H, W) of a mixture (N, C, H, W) that is seen whole."""
        height, width = mixture.shape[-2:]
        down, right = -height % self.multiple, -width % self.multiple
        padded = F.pad(mixture, (0, right, 0, down), mode="replicate")
        features = self.features(padded.expand(-1, 3, -1, -1)) if self.features else []
        return self.network(padded, *features)[..., :height, :width]


def _with_coarse(answer: Tensor, mixture: Tensor, predict: Callable[[Tensor], Tensor]) -> Tensor:
    """Replace what is coarse in an answer (N, K, C, H, W) by what the mixture, reduced and seen whole,
    gives."""
    height, width = mixture.shape[-2:]
    factor = WHOLE / min(height, width)
    if factor >= 0.75:  # the mixture was about as large as those of the training
        return answer
    size = (max(round(height * factor), 1), max(round(width * factor), 1))
    small = F.interpolate(mixture, size, mode="bilinear", antialias=True, align_corners=False)
    coarse = predict(small).flatten(0, 1)
    fine = answer.flatten(0, 1)
    reduced = F.interpolate(fine, size, mode="bilinear", antialias=True, align_corners=False)
    change = F.interpolate(coarse - reduced, (height, width), mode="bilinear", align_corners=False)
    return fine.add_(change).reshape(answer.shape)

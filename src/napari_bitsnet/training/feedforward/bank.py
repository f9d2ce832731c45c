"""Images on the device, from which random crops are cut without going back to the host."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from napari_bitsnet.data.datasets import PackedImages

OVERSAMPLING = 2
"""Oversampling factor of crops, which are then averaged to avoid aliasing."""

LONGEST = 1.5
"""Largest ratio of the sides; longer images are cut at their ends."""


class ImageBank:
    """Many RGB images as one 8-bit tensor.

    Parameters
    ----------
    images : PackedImages
        Images of any sizes. They are padded to the largest, so sizes should be similar.
    device : str
        A torch device.

    Attributes
    ----------
    extents : Tensor of shape (N, 2)
        Height and width of each image, pixels.
    """

    def __init__(self, images: PackedImages, device: str) -> None:
        limits = np.ceil(images.shapes.min(axis=1, keepdims=True) * LONGEST).astype(int)
        shapes = np.minimum(images.shapes, limits)
        height, width = (int(n) for n in shapes.max(axis=0))
        pixels = torch.zeros(len(images), 3, height, width, dtype=torch.uint8)
        for k, (h, w) in enumerate(shapes):
            image = images[k]
            top, left = (image.shape[0] - h) // 2, (image.shape[1] - w) // 2
            pixels[k, :, :h, :w] = torch.from_numpy(image[top : top + h, left : left + w].copy()).permute(
                2, 0, 1
            )
        self.pixels = pixels.to(device)
        self.extents = torch.from_numpy(shapes.astype(np.float32)).to(device)

    def __len__(self) -> int:
        return len(self.pixels)

    def crops(self, count: int, size: int, generator: Generator) -> Tensor:
        """Cut random parts of random images: half to all of a side, squeezed by up to 30 %, some rotated
        slightly.

        Parameters
        ----------
        count, size : int
            Number of crops; their height and width after resampling.
        generator : Generator
            Source of all randomness, on the images' device.

        Returns
        -------
        Tensor of shape (count, 3, size, size)
            float32 in [0, 1].
        """
        device = self.pixels.device

        def draw(low: float, high: float) -> Tensor:
            return low + (high - low) * torch.rand(count, generator=generator, device=device)

        index = (draw(0, 1) * len(self)).long().clamp_max(len(self) - 1)
        images, extents = self.pixels[index], self.extents[index]
        whole = draw(0, 1) < 0.25
        side, squeeze = extents.amin(dim=1) * draw(0.5, 1), draw(-0.3, 0.3).exp()
        box = torch.stack([side * squeeze, side / squeeze], dim=1).minimum(extents)
        box = torch.where(whole[:, None], extents, box)
        room = extents - box
        centre = torch.stack([draw(0, 1), draw(0, 1)], dim=1) * room + box / 2
        angle = torch.where((draw(0, 1) < 0.3) & ~whole, draw(-0.2, 0.2), 0.0)

        fine = size * OVERSAMPLING
        line = (torch.arange(fine, device=device) + 0.5) / fine - 0.5
        y, x = (line * box[:, i : i + 1] for i in (0, 1))
        cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
        rows = centre[:, 0, None, None] + cos * y[:, :, None] + sin * x[:, None, :]
        columns = centre[:, 1, None, None] - sin * y[:, :, None] + cos * x[:, None, :]
        # pixel centres stand at half numbers; beyond an image's own edge its border is repeated, not its
        # padding
        height, width = images.shape[-2:]
        rows = rows.clamp_min(0.5).minimum(extents[:, 0, None, None] - 0.5) / height * 2 - 1
        columns = columns.clamp_min(0.5).minimum(extents[:, 1, None, None] - 0.5) / width * 2 - 1
        grid = torch.stack([columns, rows], dim=-1)
        sampled = F.grid_sample(images.float() / 255, grid, mode="bilinear", align_corners=False)
        return F.avg_pool2d(sampled, OVERSAMPLING)

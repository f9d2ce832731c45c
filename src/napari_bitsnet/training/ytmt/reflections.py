"""Pairs of photographs as mixtures of transmission and reflection; see `synthesis`."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from napari_bitsnet.training.crops import random_crop
from napari_bitsnet.training.images import load_images
from napari_bitsnet.training.loop import generator
from napari_bitsnet.training.protocol import Progress
from napari_bitsnet.training.ytmt.mixtures import Mixtures
from napari_bitsnet.training.ytmt.synthesis import synthesise

HELD_OUT = 24
"""One of so many photographs is held out for validation."""

ROOM = 7 / 6
"""Shorter side of the photographs, over that of the mixtures: they were made for the size of whole
photographs."""


class Reflections:
    """See `Diet`.

    Parameters
    ----------
    sources : sequence of Path
        Folders and zips of photographs.
    size : int
        Side of the mixtures, pixels.
    published : float
        See `synthesise`; the held-out mixtures are all made as CEILNet's.
    seed : int
        Of all that is drawn.
    """

    kinds: tuple[str, ...] = ("transmission", "reflection")
    whole = True
    channels = 3

    def __init__(self, sources: Sequence[Path], *, size: int, published: float, seed: int) -> None:
        self.sources, self.size, self.published, self.seed = list(sources), size, published, seed
        self.used: list[Tensor] = []
        self.kept: list[Tensor] = []

    def prepare(self, folder: Path) -> Generator[Progress, None, None]:
        """See `Diet.prepare`.

        Raises
        ------
        ValueError
            If too few photographs are large enough.
        """
        loaded = yield from load_images(self.sources, short_side=round(self.size * ROOM), cache=folder)
        photographs = [
            torch.from_numpy(packed[k].copy()).permute(2, 0, 1)
            for packed in loaded
            for k in range(len(packed))
        ]
        fitting = [photograph for photograph in photographs if min(photograph.shape[1:]) >= self.size]
        if len(fitting) < 4:
            raise ValueError(
                f"Expected at least 4 photographs of at least {self.size} pixels a side, got {len(fitting)}: "
                "give more, or a smaller size."
            )
        every = HELD_OUT if len(fitting) >= 2 * HELD_OUT else 2
        self.kept = fitting[::every]
        self.used = [photograph for k, photograph in enumerate(fitting) if k % every]

    def draw(self, number: int, count: int, *, held_out: bool = False) -> Mixtures:
        """See `Diet.draw`."""
        photographs, published = (self.kept, 1.0) if held_out else (self.used, self.published)
        draw = generator(self.seed, number)
        crops = []
        for _ in range(2 * count):
            photograph = photographs[int(torch.randint(len(photographs), (), generator=draw))]
            crops.append(random_crop(photograph, self.size, draw, turns=False, zoom=1) / 255)
        made = synthesise(torch.stack(crops[:count]), torch.stack(crops[count:]), published, draw)
        return Mixtures(made.mixture, made.images)

    def held_out(self) -> dict[str, int]:
        """See `Diet.held_out`."""
        return {"photographs": len(self.kept)}

    def facts(self) -> dict[str, Any]:
        """See `Diet.facts`."""
        return {"task": "reflection", "mixing": "reflection", "photographs": len(self.used)}

"""What a network for known kinds of images learns from: mixtures with their truth, drawn on the fly."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor

    from napari_bitsnet.training.protocol import Progress


@dataclass(frozen=True)
class Mixtures:
    """Mixtures (N, C, S, S) in about [0, 1] and their images (N, K, C, S, S) on the same scale."""

    mixture: Tensor
    images: Tensor


class Diet(Protocol):
    """A source of mixtures."""

    kinds: tuple[str, ...]
    """Names of the images that are superimposed, in the order of the network's streams."""
    whole: bool
    """Whether the images are whole images rather than shares that add up to the mixture."""
    channels: int
    """1 for grey images, 3 for colours."""

    def prepare(self, folder: Path) -> Generator[Progress, None, None]:
        """Read the images; `folder` is for what should be kept for the next time."""

    def draw(self, number: int, count: int, *, held_out: bool = False) -> Mixtures:
        """Return mixtures that depend on the seed and `number` alone, of images to train on or of held-out
        ones."""

    def held_out(self) -> dict[str, int]:
        """Return the number of held-out images by kind; see `BaseTrainer.held_out`."""

    def facts(self) -> dict[str, Any]:
        """Return what is to be recorded beside the weights, as JSON can hold it."""

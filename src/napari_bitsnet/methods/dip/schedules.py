"""Schedules of a fit: noise on the input of a generator, and its orientation.

Both depend only on the step, so that a run can be continued or repeated from any step.
"""

from __future__ import annotations

import torch
from torch import Tensor

N_ORIENTATIONS = 8
"""Flips and quarter turns of an image."""


def orientation_at(step: int, *, last: bool = False) -> int:
    """Return the orientation (0 to 7) of the generators: 0 on odd steps and the last, else each in turn.

    Parameters
    ----------
    step : int
        Counted from 0.
    last : bool
        Whether it is the last planned step.

    References
    ----------
    Gandelsman, Shocher & Irani, "Double-DIP", CVPR 2019, doi:10.1109/CVPR.2019.01128 (released code).
    """
    return 0 if last or step % 2 else (step // 2) % N_ORIENTATIONS


def jitter_at(step: int, *, last: bool = False) -> float:
    """Return the standard deviation of the noise that is added to the inputs of the generators.

    It is ``floor(step / 100) / 1000`` up to step 999 (0 to 0.009), then 0.001, and 0 on the last planned
    step. This is the schedule of the released Double-DIP and BITS-Net code.
    """
    if last:
        return 0.0
    return step // 100 / 1000 if step < 1000 else 0.001


def orient(image: Tensor, orientation: int) -> Tensor:
    """Return `image` (…, H, W) turned by ``orientation % 4`` quarters, mirrored before that from 4 on."""
    mirrored = image.flip(-1) if orientation >= 4 else image
    return torch.rot90(mirrored, orientation % 4, (-2, -1))


def unorient(image: Tensor, orientation: int) -> Tensor:
    """Invert `orient`."""
    turned = torch.rot90(image, -(orientation % 4), (-2, -1))
    return turned.flip(-1) if orientation >= 4 else turned

"""What changes from step to step while a generator is fitted: noise on its input, and its orientation.

Both are pure functions of the step, so that a run can be continued or repeated from anywhere.
"""

from __future__ import annotations

import torch
from torch import Tensor

N_ORIENTATIONS = 8


def orientation_at(step: int, *, last: bool = False) -> int:
    """Which flip or rotation (0 to 7) the generators see: 0 on odd steps and the last, else each in turn.

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
    """Standard deviation of the noise that is added to the generators' inputs.

    ``floor(step / 100) / 1000`` up to step 999, that is 0 to .009, then .001; 0 on the last planned step (the
    schedule of the released Double-DIP and BITS-Net code).
    """
    if last:
        return 0.0
    return step // 100 / 1000 if step < 1000 else 0.001


def orient(image: Tensor, orientation: int) -> Tensor:
    """Return `image` (…, H, W) turned by ``orientation % 4`` quarters, mirrored before that from 4 on."""
    mirrored = image.flip(-1) if orientation >= 4 else image
    return torch.rot90(mirrored, orientation % 4, (-2, -1))


def unorient(image: Tensor, orientation: int) -> Tensor:
    """Inverse of `orient`."""
    turned = torch.rot90(image, -(orientation % 4), (-2, -1))
    return turned.flip(-1) if orientation >= 4 else turned

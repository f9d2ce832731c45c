"""Patches, groups of patches that look alike, and images put together from patches again."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

BAND = 2**14
"""Reference patches that are worked on together: bounds the memory, whatever the image's size."""
OPPONENT = ((1.0, 1.0, 1.0), (1.0, 0.0, -1.0), (1.0, -2.0, 1.0))
"""Brightness and two differences of colours; orthogonal, so that white noise stays white."""


def opponent(image: Tensor, *, inverse: bool = False) -> Tensor:
    """Rotate red, green and blue (N, 3, H, W) to brightness and two differences, or back; others stay as they
    are."""
    if image.shape[1] != 3:
        return image
    rotation = F.normalize(image.new_tensor(OPPONENT), dim=1)
    return torch.einsum("ji,njhw->nihw" if inverse else "ij,njhw->nihw", rotation, image)


LOOK_EVERY = 8
"""Chunks of groups between two looks at what is done: about half a second on one core."""


def patches_of(image: Tensor, side: int) -> Tensor:
    """Return every patch as a row: (1, C, H, W) -> (N, C * side**2), N = (H - side + 1) (W - side + 1)."""
    return F.unfold(image, side)[0].T.contiguous()


def put_together(total: Tensor, count: Tensor, size: tuple[int, int], side: int) -> Tensor:
    """Average overlapping patches into an image.

    Parameters
    ----------
    total : Tensor of shape (N, C * side**2)
        Sums of the estimates of every patch.
    count : Tensor of shape (N,)
        How many estimates were summed; every pixel lies in a patch with at least one.
    size : (H, W)
        Of the image.
    side : int
        Of the patches.

    Returns
    -------
    Tensor of shape (1, C, H, W)
    """
    image = F.fold(total.T[None], size, side)
    return image / F.fold(count.expand(1, side**2, -1), size, side)


def reference_rows(size: tuple[int, int], side: int, stride: int, offset: int = 0) -> tuple[Tensor, Tensor]:
    """Rows and columns at which reference patches begin: every `stride` pixels, and at all borders."""

    def along(length: int) -> Tensor:
        last = length - side
        return torch.unique(
            torch.cat([torch.arange(min(offset % stride, last), last + 1, stride), torch.tensor([0, last])])
        )

    return along(size[0]), along(size[1])


def similar_patches(
    guide: Tensor,
    rows: Tensor,
    columns: Tensor,
    *,
    side: int,
    reach: int,
    count: int,
    wanted: Tensor | None = None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Find, for each reference patch, the patches around it that look most like it.

    Parameters
    ----------
    guide : Tensor of shape (1, C, H, W)
        What is compared, by squared differences.
    rows, columns : Tensor of int
        Where reference patches begin.
    side : int
        Of the patches.
    reach : int
        Furthest shift along each axis in pixels, >= 1.
    count : int
        K, patches a group, itself included; fewer where the image does not hold as many.
    wanted : Tensor of shape (N,), optional
        bool, in the order of `patches_of`: False leaves a reference patch out.

    Yields
    ------
    reference : Tensor of shape (R,)
        Indices of reference patches, in the order of `patches_of`; one band of rows after the other.
    group : Tensor of shape (R, K)
        Indices of the patches of each one's group, nearest first.

    Notes
    -----
    For each shift the distances of all patches are one box filter: sums of rows, then of columns, of squares.
    """
    _, _, height, width = guide.shape
    n_rows, n_columns = height - side + 1, width - side + 1
    up, across = min(reach, n_rows - 1), min(reach, n_columns - 1)
    count = min(count, (up + 1) * (across + 1))
    rows, columns = rows.to(guide.device), columns.to(guide.device)
    shifts = [(y, x) for y in range(-up, up + 1) for x in range(-across, across + 1)]
    ahead = torch.tensor([y * n_columns + x for y, x in shifts], device=guide.device)
    around = F.pad(guide[0], (across, across, up, up), value=torch.inf)  # no patch reaches past the borders
    for band in rows.split(max(1, BAND // len(columns))):
        first, last = int(band[0]), int(band[-1]) + side
        here = guide[0, :, first:last]
        y, x = (grid.reshape(-1) for grid in torch.meshgrid(band, columns, indexing="ij"))
        if wanted is not None:
            chosen = wanted[y * n_columns + x]
            y, x = y[chosen], x[chosen]
        distances = guide.new_empty(len(shifts), len(y))
        for found, (down, right) in zip(distances, shifts, strict=True):
            if down == 0 and right == 0:
                # where many patches are equal, the reference comes before all: else it may be left out, and
                # pixels uncovered
                found.fill_(-1.0)
                continue
            moved = around[:, first + up + down : last + up + down, across + right : across + right + width]
            squares = (here - moved).square_().sum(dim=0)
            found.copy_(_window_sums(squares, side)[y - first, x])
        nearest = distances.T.topk(count, dim=1, largest=False).indices
        reference = y * n_columns + x
        yield reference, reference[:, None] + ahead[nearest]


def _window_sums(image: Tensor, side: int) -> Tensor:
    """Sums over all squares of `side` pixels; (H, W) -> (H - side + 1, W - side + 1)."""
    for axis in (0, 1):
        n = image.shape[axis] - side + 1
        total = image.narrow(axis, 0, n).clone()
        for k in range(1, side):  # a tenth of the time of a pooling layer
            total += image.narrow(axis, k, n)
        image = total
    return image

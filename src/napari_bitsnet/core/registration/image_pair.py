"""Two images of different modalities, reduced: where one lies on the other, found and refined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from napari_bitsnet.core.colours import ColourBasis, fit_centres
from napari_bitsnet.core.displacement import Modes, Window
from napari_bitsnet.core.guided_filter import box_mean
from napari_bitsnet.core.registration.all_shifts import CLUSTERS, BestShift, best_shift

Model = Literal["shift", "affine", "smooth"]
Assumed = Literal["same area", "same pixel size", "points"]

CLASSES, WIDTH = 16, 0.07
"""Clusters of values or colours of either image, and their width on the [0, 1] scale."""
SIZES = (64, 128, 256)
"""Longer sides, in pixels, of the reduced images on which the transform is refined."""
SEARCH_SIZE = 128
"""Longer side, in pixels, of the reduced fixed image on which all shifts are tried."""
REACH = 0.2
"""How far one image may lie beyond the other one at the start, as a part of the longer side."""
TURNS = (-6.0, -3.0, 0.0, 3.0, 6.0)
"""Rotations that are tried with it, in degrees."""
MOST_ZOOM = 4.0
"""Largest ratio of sizes at which both images are tried at the same pixel size."""
NEAR = 1 / 64
"""Distance, as a part of the longer side, within which an image still counts as in its place for the score."""
ORDER = 5
"""Half waves along each side, and one, of the smooth deformation."""
STIFFNESS = 1.0
"""Weight of the deformation's squared coefficients (in halves of the longer side) against mutual information in nats."""
SHADING = 1 / 8
"""Radius of the window whose mean is taken off, as a part of the longer side."""
STEPS = 30
"""Of L-BFGS at each size."""


def search_place(
    moving: Tensor, fixed: Tensor, turns: Sequence[float], seed: int
) -> tuple[Assumed, float, Tensor, Tensor]:
    """The assumption, pixels of the moving image in one of the fixed one, linear part and shift that fit best."""
    longer = max(fixed.shape[-2:])
    factor = min(1.0, SEARCH_SIZE / longer)
    ratio = float(np.mean([m / f for m, f in zip(moving.shape[-2:], fixed.shape[-2:], strict=True)]))
    tried: list[tuple[Assumed, float]] = [("same area", ratio)]
    if moving.shape[-2:] != fixed.shape[-2:] and 1 / MOST_ZOOM <= ratio <= MOST_ZOOM:
        tried.append(("same pixel size", 1.0))
    goal, gain = _reduced(fixed, factor), -1.0
    for assumed, zoom in tried:
        small = _reduced(moving, factor / zoom)
        centres = fit_centres(small, CLUSTERS, seed=seed)
        for turn in turns:
            c, s = float(np.cos(np.deg2rad(turn))), float(np.sin(np.deg2rad(turn)))
            linear = torch.tensor([[c, -s], [s, c]])
            at = torch.einsum("ab,bhw->ahw", linear, _places(small.shape[-2:], 1.0))
            reach = REACH * max(goal.shape[-2:])
            found = best_shift(_sampled(small, at), goal, reach=reach, centres=centres)
            if found.gain > gain:
                gain = found.gain
                shift = -linear @ torch.tensor(found.offset) / (max(goal.shape[-2:]) / 2)
                best = assumed, zoom, linear, shift
    return best


class ImagePair:
    """Two images as soft clusters at several sizes.

    Places are measured from the middle of the images in halves of the fixed image's longer side: u of the fixed
    image lies at ``linear @ u + shift + waves(u)`` of the moving one.
    """

    def __init__(self, moving: Tensor, fixed: Tensor, zoom: float, seed: int) -> None:
        self.moving_shape = (moving.shape[-2], moving.shape[-1])
        self.fixed_shape = (fixed.shape[-2], fixed.shape[-1])
        self.half = max(self.fixed_shape) / 2
        self.zoom = zoom  # pixels of the moving image in one of the fixed one
        factors = [min(1.0, size / (2 * self.half)) for size in SIZES]
        self.images = [(_reduced(moving, factor / zoom), _reduced(fixed, factor)) for factor in factors]
        self.centres = fit_centres(self.images[-1][0], CLUSTERS, seed=seed)  # the same wherever it is placed
        generator = torch.Generator().manual_seed(seed)
        self.jitter = [torch.rand(2, *f.shape[-2:], generator=generator) - 0.5 for _, f in self.images]
        self.levels = [
            (_clusters(m, seed), _sampled(_clusters(f, seed), _places(f.shape[-2:], 1.0) + jitter))
            for (m, f), jitter in zip(self.images, self.jitter, strict=True)
        ]

    def refine(
        self, linear: Tensor, shift: Tensor, model: Model, levels: Sequence[int] = range(len(SIZES))
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Maximise mutual information by L-BFGS, from the smallest size to the largest."""
        linear, shift = linear.clone(), shift.clone()
        waves = torch.zeros(2, len(Modes((1, 1), ORDER))) if model == "smooth" else None
        free = [waves] if waves is not None else [shift] if model == "shift" else [linear, shift]
        rough = Modes((1, 1), ORDER).roughness()
        for level in levels:
            for tensor in free:
                tensor.requires_grad_(True)
            optimiser = torch.optim.LBFGS(free, max_iter=STEPS, line_search_fn="strong_wolfe")

            def loss(level: int = level, optimiser: torch.optim.LBFGS = optimiser) -> Tensor:
                optimiser.zero_grad()
                value = -self.information(level, linear, shift, waves)
                if waves is not None:
                    value = value + STIFFNESS * (rough * waves**2).sum()
                value.backward()
                return value

            optimiser.step(loss)
            for tensor in free:
                tensor.requires_grad_(False)
        return linear, shift, waves

    def information(self, level: int, linear: Tensor, shift: Tensor, waves: Tensor | None = None) -> Tensor:
        """Mutual information at a size, times the part of the fixed image that is covered.

        Both images are sampled beside their pixels' centres, each pixel's place moved at random by up to half a pixel.
        On the centres alone it has a cusp wherever a whole shift spares the moving image the blur of interpolation:
        there L-BFGS stays, or leaves in a direction that the last bit decides.
        """
        moving, fixed = self.levels[level]
        size = fixed.shape[-2:]
        grid = self._grid(size, linear, shift, waves, self.jitter[level])
        sampled = F.grid_sample(moving, grid, align_corners=False)[0].flatten(1)
        joint = sampled @ fixed[0].flatten(1).T  # outside, memberships are zero
        covered = joint.sum() / (size[0] * size[1])
        p = joint / joint.sum().clamp(min=1e-9)
        independent = p.sum(1, keepdim=True) * p.sum(0, keepdim=True)
        return covered * (p * ((p + 1e-9) / (independent + 1e-9)).log()).sum()

    def fit(self, linear: Tensor, shift: Tensor, waves: Tensor | None = None, *, near: float) -> BestShift:
        """How well edges fit there at the largest size, or within so many of its pixels around."""
        moving, fixed = self.images[-1]
        with torch.no_grad():
            placed = _on_grid(moving, self._grid(fixed.shape[-2:], linear, shift, waves))
        return best_shift(placed, fixed, reach=REACH * self._longest, near=near, centres=self.centres)

    def score(self, linear: Tensor, shift: Tensor, waves: Tensor | None = None) -> float:
        """How much better edges fit there than at other places; see `Registration`."""
        found = self.fit(linear, shift, waves, near=NEAR * self._longest)
        return found.gain / max(found.typical, 1e-9)

    def settle(self, linear: Tensor, shift: Tensor) -> Tensor:
        """Move to the whole pixel nearby, at the largest size, where edges fit best."""
        offset = torch.tensor(self.fit(linear, shift, near=NEAR * self._longest).offset)
        return shift - linear @ offset / (self._longest / 2)

    @property
    def _longest(self) -> int:
        return max(self.images[-1][1].shape[-2:])

    def _grid(
        self,
        size: Sequence[int],
        linear: Tensor,
        shift: Tensor,
        waves: Tensor | None,
        beside: Tensor | float = 0.0,
    ) -> Tensor:
        """Where pixels of the fixed image, reduced to `size`, lie in the moving one, as `grid_sample` takes it.

        `beside`, (2, H, W) in pixels, is added to their places.
        """
        places = (_places(size, 1.0) + beside) / (max(size) / 2)
        v = torch.einsum("ab,bhw->ahw", linear, places) + shift[:, None, None]
        if waves is not None:
            v = v + Modes((size[0], size[1]), ORDER).combine(waves, Window(0, 0, *size))
        sides = torch.tensor([n / (2 * self.half * self.zoom) for n in self.moving_shape])
        return (v / sides[:, None, None]).flip(0).permute(1, 2, 0)[None]  # -1 … 1 over the moving image

    def to_matrix(self, linear: Tensor, shift: Tensor) -> NDArray:
        """The matrix in pixels, moving to fixed, that a linear part and a shift stand for."""
        inner = np.eye(3)
        inner[:2, :2], inner[:2, 2] = linear.double().numpy(), shift.double().numpy()
        return np.linalg.inv(self._to_fixed()) @ np.linalg.inv(inner) @ self._to_moving()

    def from_matrix(self, matrix: NDArray) -> tuple[Tensor, Tensor]:
        """The linear part and shift that a matrix in pixels, moving to fixed, stands for."""
        inverse = np.linalg.inv(self._to_fixed() @ matrix @ np.linalg.inv(self._to_moving()))
        return torch.from_numpy(inverse[:2, :2]).float(), torch.from_numpy(inverse[:2, 2]).float()

    def _to_fixed(self) -> NDArray:
        """Pixels of the fixed image to the places of this class."""
        return _centred(self.fixed_shape, 1 / self.half)

    def _to_moving(self) -> NDArray:
        return _centred(self.moving_shape, 1 / (self.half * self.zoom))


def _centred(shape: Sequence[int], scale: float) -> NDArray:
    middle = [(n - 1) / 2 for n in shape]
    return np.array(
        [[scale, 0, -scale * middle[0]], [0, scale, -scale * middle[1]], [0, 0, 1]], dtype=np.float64
    )


def _places(size: Sequence[int], unit: float) -> Tensor:
    """Centres of pixels from the middle of an image, in units of so many pixels: (2, H, W)."""
    y, x = ((torch.arange(n) + 0.5 - n / 2) / unit for n in size)
    return torch.stack(torch.broadcast_tensors(y[:, None], x[None]))


def _sampled(image: Tensor, at: Tensor) -> Tensor:
    """An image (1, C, H, W) at places (2, H', W') from its middle, in pixels; NaN beyond it."""
    grid = (at / (torch.tensor(image.shape[-2:])[:, None, None] / 2)).flip(0).permute(1, 2, 0)
    return _on_grid(image, grid[None])


def _on_grid(image: Tensor, grid: Tensor) -> Tensor:
    """An image (1, C, H, W) sampled as `grid_sample` does; NaN beyond it."""
    sampled = F.grid_sample(image, grid, align_corners=False, padding_mode="border")
    sampled[:, :, (grid[0].abs() > 1 + 1e-6).any(dim=-1)] = torch.nan
    return sampled


def _reduced(image: Tensor, factor: float) -> Tensor:
    """Resize, averaging over what a pixel covers, and take off slow shading: back to [0, 1]."""
    size = tuple(max(8, round(n * factor)) for n in image.shape[-2:])
    small = F.interpolate(image, size, mode="bilinear", antialias=True, align_corners=False)
    radius = round(max(size) * SHADING)
    small = small - box_mean(box_mean(small, radius), radius)
    low, high = (torch.quantile(small.flatten(), q) for q in (0.01, 0.99))
    return ((small - low) / (high - low).clamp(min=1e-6)).clamp(0, 1)


def _clusters(image: Tensor, seed: int) -> Tensor:
    """Soft memberships (1, N, H, W)."""
    basis = ColourBasis(fit_centres(image, CLASSES, seed=seed), WIDTH)
    return basis.memberships(image[0])[None]

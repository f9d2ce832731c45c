"""Two images of different modalities, reduced: where one lies on the other, found and refined."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from napari_bitsnet.core.colours import ColourBasis, fit_centres
from napari_bitsnet.core.displacement import Modes, Window
from napari_bitsnet.core.guided_filter import box_mean
from napari_bitsnet.core.registration.all_shifts import BestShift, best_shift, directions

Model = Literal["shift", "affine", "projective", "smooth"]
Assumed = Literal["same area", "same pixel size", "points"]

CLASSES, WIDTH = 16, 0.07
"""Clusters of values or colours of either image, and their width on the [0, 1] scale."""
SIZES = (64, 128, 256)
"""Longer sides, in pixels, of the reduced images on which the transform is refined."""
SEARCHED = 1
"""Of `SIZES`: where all shifts are tried and edges are compared. An error of two pixels at 256 is one there,
which leaves edges close enough to tell right from wrong."""
REACH = 0.2
"""How far one image may lie beyond the other one at the start, as a part of the longer side."""
TURNS = tuple(range(-12, 13, 3))
"""Rotations that are tried with it, in degrees: half a step moves a corner by two pixels of 128."""
ZOOMS = tuple(float(np.exp(0.04 * step)) for step in range(-4, 5))
"""Scales that are tried with it."""
MOST_ZOOM = 4.0
"""Largest ratio of sizes at which both images are tried at the same pixel size."""
NEAR, FAR = 2 / 128, 6 / 128
"""Distances, as parts of the longer side, within which an image still counts as in its place for the score,
and beyond which it is elsewhere."""
STARTS = 3
"""Places that are refined: edges that repeat, such as those of a row of trees, fit well at wrong ones."""
ORDER = 5
"""Half waves along each side, and one, of the smooth deformation."""
STIFFNESS = 1.0
"""Weight of the deformation's squared coefficients (in halves of the longer side) against mutual information
in nats."""
SHADING = 1 / 8
"""Radius of the window whose mean is taken off, as a part of the longer side."""
STEPS = 30
"""Of L-BFGS at each size."""
LEAST_GAIN = 10.0
"""Gain up to which edges that fit elsewhere tell nothing: flat images have none, and any place would be far
better."""
FREE = {
    "shift": [[0, 0, 1], [0, 0, 1], [0, 0, 0]],
    "affine": [[1, 1, 1], [1, 1, 1], [0, 0, 0]],
    "projective": [[1, 1, 1], [1, 1, 1], [1, 1, 0]],
    "smooth": [[0, 0, 0], [0, 0, 0], [0, 0, 0]],
}
"""Entries of the map (3, 3) that a model changes."""


class Start(NamedTuple):
    """A place from which the transform is refined.

    Parameters
    ----------
    gain : float
        See `best_shift`.
    assumed : Assumed
    zoom : float
        Pixels of the moving image in one of the fixed one, before the scale in `map`.
    map : Tensor of shape (3, 3)
        See `ImagePair`.
    """

    gain: float
    assumed: Assumed
    zoom: float
    map: Tensor


def search_places(moving: Tensor, fixed: Tensor, *, turned: bool) -> list[Start]:
    """Return up to `STARTS` places where edges fit best, the best first, each further than `FAR` from all
    others.

    All shifts are tried, with `TURNS` and `ZOOMS` if `turned`.
    """
    longer = max(fixed.shape[-2:])
    factor = min(1.0, SIZES[SEARCHED] / longer)
    ratio = float(np.mean([m / f for m, f in zip(moving.shape[-2:], fixed.shape[-2:], strict=True)]))
    tried: list[tuple[Assumed, float]] = [("same area", ratio)]
    if moving.shape[-2:] != fixed.shape[-2:] and 1 / MOST_ZOOM <= ratio <= MOST_ZOOM:
        tried.append(("same pixel size", 1.0))
    reduced = _reduced(fixed, factor)
    goal, half = directions(reduced), max(reduced.shape[-2:]) / 2
    found = []
    for assumed, zoom in tried:
        small = _reduced(moving, factor / zoom)
        for turn in TURNS if turned else (0.0,):
            for scale in ZOOMS if turned else (1.0,):
                c, s = scale * np.cos(np.deg2rad(turn)), scale * np.sin(np.deg2rad(turn))
                linear = torch.tensor([[c, -s], [s, c]], dtype=torch.float32)
                size = [round(n / scale) for n in small.shape[-2:]]
                at = torch.einsum("ab,bhw->ahw", linear, _places(size, 1.0))
                best = best_shift(directions(_sampled(small, at)), goal, reach=REACH * 2 * half)
                map = torch.eye(3)
                map[:2, :2], map[:2, 2] = linear, -linear @ torch.tensor(best.offset) / half
                found.append(Start(best.gain, assumed, zoom, map))
    return list(_distinct(sorted(found, key=lambda start: -start.gain)))


def _distinct(starts: list[Start]) -> Iterator[Start]:
    """The first few of them that lie in different places: their corners are compared."""
    corners = torch.tensor([[-1.0, -1, 1, 1], [-1, 1, -1, 1], [1, 1, 1, 1]])
    seen: list[Tensor] = []
    for start in starts:
        at = (start.map @ corners)[:2] * start.zoom
        if len(seen) < STARTS and all((at - other).norm(dim=0).mean() > 2 * FAR for other in seen):
            seen.append(at)
            yield start


class ImagePair:
    """Two images as soft clusters at several sizes.

    Places are measured from the middle of the images in halves of the fixed image's longer side. With the map
    ``[[A, b], [t, 1]]`` of shape (3, 3), u of the fixed image lies at ``(A u + b) / (t u + 1) + waves(u)`` of
    the moving one.
    """

    def __init__(self, moving: Tensor, fixed: Tensor, zoom: float, seed: int) -> None:
        self.moving_shape = (moving.shape[-2], moving.shape[-1])
        self.fixed_shape = (fixed.shape[-2], fixed.shape[-1])
        self.half = max(self.fixed_shape) / 2
        self.zoom = zoom  # pixels of the moving image in one of the fixed one
        factors = [min(1.0, size / (2 * self.half)) for size in SIZES]
        self.images = [(_reduced(moving, factor / zoom), _reduced(fixed, factor)) for factor in factors]
        generator = torch.Generator().manual_seed(seed)
        self.jitter = [torch.rand(2, *f.shape[-2:], generator=generator) - 0.5 for _, f in self.images]
        self.levels = [
            (_clusters(m, seed), _sampled(_clusters(f, seed), _places(f.shape[-2:], 1.0) + jitter))
            for (m, f), jitter in zip(self.images, self.jitter, strict=True)
        ]

    def refine(
        self, map: Tensor, model: Model, levels: Sequence[int] = range(len(SIZES))
    ) -> tuple[Tensor, Tensor | None]:
        """Maximise mutual information by L-BFGS, from the smallest size to the largest: a map and waves, if
        the model has any."""
        change, free = torch.zeros(3, 3, requires_grad=True), torch.tensor(FREE[model])
        rough = Modes((1, 1), ORDER).roughness()
        waves = torch.zeros(2, len(rough), requires_grad=True) if model == "smooth" else None
        for level in levels:
            variable = [change if waves is None else waves]
            optimiser = torch.optim.LBFGS(variable, max_iter=STEPS, line_search_fn="strong_wolfe")

            def loss(level: int = level, optimiser: torch.optim.LBFGS = optimiser) -> Tensor:
                optimiser.zero_grad()
                value = -self.information(level, map + free * change, waves)
                if waves is not None:
                    value = value + STIFFNESS * (rough * waves**2).sum()
                value.backward()
                return value

            optimiser.step(loss)
        return (map + free * change).detach(), None if waves is None else waves.detach()

    def information(self, level: int, map: Tensor, waves: Tensor | None = None) -> Tensor:
        """Mutual information at a size, times the part of the fixed image that is covered.

        Both images are sampled beside their pixels' centres, each pixel's place moved at random by up to half
        a pixel. On the centres alone it has a cusp wherever a whole shift spares the moving image the blur of
        interpolation: there L-BFGS stays, or leaves in a direction that the last bit decides.
        """
        moving, fixed = self.levels[level]
        size = fixed.shape[-2:]
        grid = self._grid(size, map, waves, self.jitter[level])
        sampled = F.grid_sample(moving, grid, align_corners=False)[0].flatten(1)
        joint = sampled @ fixed[0].flatten(1).T  # outside, memberships are zero
        covered = joint.sum() / (size[0] * size[1])
        p = joint / joint.sum().clamp(min=1e-9)
        independent = p.sum(1, keepdim=True) * p.sum(0, keepdim=True)
        return covered * (p * ((p + 1e-9) / (independent + 1e-9)).log()).sum()

    def fit(
        self, map: Tensor, waves: Tensor | None = None, *, near: float = 0.0, level: int = SEARCHED
    ) -> BestShift:
        """How well edges fit within a part of the longer side around that place, at a size."""
        moving, fixed = self.images[level]
        longer = max(fixed.shape[-2:])
        placed = _on_grid(moving, self._grid(fixed.shape[-2:], map, waves))
        return best_shift(
            directions(placed), directions(fixed), reach=REACH * longer, near=near * longer, far=FAR * longer
        )

    def best(self, *maps: Tensor) -> Tensor:
        """That of some maps where edges fit best at the largest size."""
        return max(maps, key=lambda map: self.fit(map, level=-1).gain)

    def settle(self, map: Tensor) -> Tensor:
        """Move to the whole pixel nearby, at the largest size, where edges fit best."""
        move = torch.eye(3)
        longer = max(self.images[-1][1].shape[-2:])
        move[:2, 2] = torch.tensor(self.fit(map, near=NEAR, level=-1).offset) / (longer / 2)
        return map @ torch.linalg.inv(move)

    def score(self, map: Tensor, waves: Tensor | None = None) -> float:
        """How much better edges fit there than elsewhere; see `Registration`.

        The larger of the ratios at two sizes: fine edges tell most where the place is exact, coarse ones
        where it nearly is.
        """
        found = [self.fit(map, waves, near=NEAR, level=level) for level in range(SEARCHED, len(SIZES))]
        return max(each.gain / max(each.elsewhere, LEAST_GAIN) for each in found)

    def _grid(
        self, size: Sequence[int], map: Tensor, waves: Tensor | None, beside: Tensor | float = 0.0
    ) -> Tensor:
        """Where pixels of the fixed image, reduced to `size`, lie in the moving one, as `grid_sample` takes
        it.

        `beside`, (2, H, W) in pixels, is added to their places.
        """
        places = (_places(size, 1.0) + beside) / (max(size) / 2)
        v = torch.einsum("ab,bhw->ahw", map[:, :2], places) + map[:, 2, None, None]
        v = v[:2] / v[2].clamp(min=0.1)
        if waves is not None:
            v = v + Modes((size[0], size[1]), ORDER).combine(waves, Window(0, 0, *size))
        sides = torch.tensor([n / (2 * self.half * self.zoom) for n in self.moving_shape])
        return (v / sides[:, None, None]).flip(0).permute(1, 2, 0)[None]  # -1 … 1 over the moving image

    def to_matrix(self, map: Tensor) -> NDArray:
        """The matrix in pixels, moving to fixed, that a map stands for."""
        matrix = np.linalg.inv(self._to_fixed()) @ np.linalg.inv(map.double().numpy()) @ self._to_moving()
        return matrix / matrix[2, 2]

    def from_matrix(self, matrix: NDArray) -> Tensor:
        """The map that a matrix in pixels, moving to fixed, stands for."""
        return torch.from_numpy(
            np.linalg.inv(self._to_fixed() @ matrix @ np.linalg.inv(self._to_moving()))
        ).float()

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

"""Registration of images of different modalities: affine and smooth, from points or by mutual information."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.nn import functional as F

from napari_bitsnet.core.colours import ColourBasis, fit_centres
from napari_bitsnet.core.displacement import Modes, Window
from napari_bitsnet.core.guided_filter import box_mean
from napari_bitsnet.core.images import normalise
from napari_bitsnet.core.point_pairs import matrix_of_points

Model = Literal["shift", "affine", "smooth"]

CLASSES, WIDTH = 16, 0.07
"""Clusters of values or colours of either image, and their width on the [0, 1] scale."""
SIZES = (64, 128, 256)
"""Longer sides, in pixels, of the reduced images on which the transform is refined."""
REACH = 0.2
"""Largest shift that is tried at the start, as a part of the longer side."""
TURNS = (-6.0, -3.0, 0.0, 3.0, 6.0)
"""Rotations that are tried with it, in degrees."""
ORDER = 5
"""Half waves along each side, and one, of the smooth deformation."""
STIFFNESS = 1.0
"""Weight of the deformation's squared coefficients (in halves of the longer side) against mutual information in nats."""
SHADING = 1 / 8
"""Radius of the window whose mean is taken off, as a part of the longer side."""
STEPS = 30
"""Of L-BFGS at each size."""


@dataclass(frozen=True)
class Registration:
    """How an image lies on another one.

    Parameters
    ----------
    matrix : ndarray of shape (3, 3)
        Homogeneous, in the order (y, x, 1): pixel coordinates of the moving image to those of the fixed one. It is what a
        napari layer of the moving image takes as ``affine`` beside an untransformed fixed one.
    score : float
        Mutual information over its median at other places: 1 is no better than anywhere else.
    mutual_information : float
        In nats.
    fixed_shape, moving_shape : (Y, X)
        Of the two images.
    coefficients : ndarray of shape (2, J), optional
        Of the smooth deformation's cosine modes, in pixels of the moving image, added after the inverse of `matrix`.
    """

    matrix: NDArray
    score: float
    mutual_information: float
    fixed_shape: tuple[int, int]
    moving_shape: tuple[int, int]
    coefficients: NDArray | None = None

    def places(self) -> NDArray:
        """Where each pixel of the fixed image lies in the moving one: (2, Y, X) of y and x."""
        y, x = np.mgrid[: self.fixed_shape[0], : self.fixed_shape[1]].astype(np.float64)
        inverse = np.linalg.inv(self.matrix)
        places = np.stack([row[0] * y + row[1] * x + row[2] for row in inverse[:2]])
        if self.coefficients is not None:
            modes = Modes(self.fixed_shape, _order(self.coefficients.shape[1]))
            whole = Window(0, 0, *self.fixed_shape)
            places += modes.combine(torch.from_numpy(self.coefficients), whole).numpy()
        return places

    def covered(self) -> NDArray:
        """Which pixels of the fixed image the moving one covers: (Y, X) of bool."""
        return _within(self.places(), self.moving_shape)

    def warp(self, image: ArrayLike, *, labels: bool = False) -> NDArray:
        """Bring an image of the moving one's grid onto the fixed one's.

        Parameters
        ----------
        image : array of shape (Y, X) or (Y, X, C)
            Of the moving image's size.
        labels : bool
            Whether values are names: the nearest pixel's is taken instead of interpolating.

        Returns
        -------
        ndarray of shape (Y, X) or (Y, X, C)
            Of the fixed image's size and `image`'s type; NaN, or 0 for integers, where the moving image does not reach.

        Raises
        ------
        ValueError
            If the image has another size than the moving one.

        Notes
        -----
        Linear interpolation; where the image shrinks by a factor f it is smoothed first by a Gaussian of
        ``sqrt(f**2 - 1) / 2`` pixels. The image reaches half a pixel beyond the centres of its outermost pixels.
        """
        from scipy.ndimage import gaussian_filter, map_coordinates

        image = np.asarray(image)
        if image.shape[:2] != self.moving_shape:
            raise ValueError(
                f"Expected an image of {self.moving_shape} pixels (Y, X), as was registered, got {image.shape[:2]}."
            )
        planes = image[..., None] if image.ndim == 2 else image
        if not labels:
            planes = planes.astype(np.float32)
            shrink = abs(np.linalg.det(self.matrix)) ** -0.5
            if shrink > 1:
                sigma = np.sqrt(shrink**2 - 1) / 2
                planes = gaussian_filter(planes, (sigma, sigma, 0), mode="nearest")
        integer = np.issubdtype(image.dtype, np.integer) or image.dtype == bool
        places = self.places()
        moved = np.stack(
            [
                map_coordinates(plane, places, order=0 if labels else 1, mode="nearest")
                for plane in np.moveaxis(planes, -1, 0)
            ],
            axis=-1,
        )
        moved[~_within(places, self.moving_shape)] = 0 if integer else np.nan
        if integer and not labels:
            moved = np.round(moved)
        return moved.astype(image.dtype).reshape(*self.fixed_shape, *image.shape[2:])

    def as_guide(self, image: ArrayLike) -> NDArray:
        """Bring an image over to serve as a guide: what it does not cover counts as missing, not as black.

        Parameters
        ----------
        image : array of shape (Y, X) or (Y, X, C)
            Of the moving image's size.

        Returns
        -------
        ndarray of shape (Y, X) or (Y, X, C)
            What `warp` returns if all is covered. Else colours in integers have a fourth channel, opacity, which is 0 where
            nothing is covered; all others are float32, NaN there. `normalise` takes both for missing.

        Raises
        ------
        ValueError
            See `warp`.
        """
        image = np.asarray(image)
        brought, covered = self.warp(image), self.covered()
        if covered.all():
            return brought
        if np.issubdtype(image.dtype, np.integer) and image.ndim == 3 and image.shape[-1] in (3, 4):
            if image.shape[-1] == 4:
                return brought  # its opacity is 0 there already
            opacity = np.where(covered, np.iinfo(image.dtype).max, 0).astype(image.dtype)
            return np.concatenate([brought, opacity[..., None]], axis=-1)
        brought = brought.astype(np.float32, copy=False)
        brought[~covered] = np.nan
        return brought


def register(
    moving: ArrayLike,
    fixed: ArrayLike,
    *,
    model: Model = "affine",
    points: tuple[ArrayLike, ArrayLike] | None = None,
    seed: int = 0,
) -> Registration:
    """Find how one image lies on another one of the same object in another modality.

    Parameters
    ----------
    moving : array of shape (Y, X) or (Y, X, C)
        What is brought into place: a photograph.
    fixed : array of shape (Y, X) or (Y, X, C)
        Where to: the X-radiograph.
    model : {"shift", "affine", "smooth"}
        What may change: place, also rotation, scales and shear, also a smooth deformation.
    points : (moving points, fixed points), each of shape (N, 2), optional
        (y, x) in pixels of each image, where the same things are. One pair gives a shift, two a shift, rotation and scale,
        three or more an affine map by least squares; nothing but a smooth deformation is then searched for.
    seed : int
        Of the clusters.

    Returns
    -------
    Registration

    Raises
    ------
    TypeError, ValueError
        If an image cannot be worked on, the model is unknown, or points are not in pairs or all on one line.

    Notes
    -----
    Maximises the mutual information ``sum_ab p_ab log(p_ab / (p_a p_b))``, p_ab the part of the overlap where the moving
    image belongs to cluster a and the fixed one to b. Clusters are of colour, so that a colour image tells more than
    its lightness; memberships are soft, so that the gradient is known. Both images are first freed of slow shading.
    Shifts up to `REACH` and the rotations `TURNS` are tried at the smallest size, the best of each rotation refined by
    L-BFGS, and the best of these once more at each of `SIZES`. Both images are taken to show roughly the same area.

    References
    ----------
    Maes et al., "Multimodality Image Registration by Maximization of Mutual Information", IEEE TMI 16(2), 1997,
    doi:10.1109/42.563664. Departure: clusters of colours in place of bins of grey levels.
    """
    if model not in ("shift", "affine", "smooth"):
        raise ValueError(f"Expected a model of shift, affine or smooth, got {model!r}.")
    pair = _Pair(
        normalise(moving, what="the moving image").tensor,
        normalise(fixed, what="the fixed image").tensor,
        seed,
    )
    if points is None:
        rigid: Model = "shift" if model == "shift" else "affine"
        with torch.no_grad():
            starts = pair.search((0.0,) if model == "shift" else TURNS)
        linear, shift = pair.best(starts, rigid)
        linear, shift, _ = pair.refine(linear, shift, rigid)
    else:
        linear, shift = pair.from_matrix(matrix_of_points(*points))
    waves = None
    if model == "smooth":
        linear, shift, waves = pair.refine(linear, shift, "smooth")
    return pair.registration(linear, shift, waves)


class _Pair:
    """Two images as soft clusters at several sizes.

    Places are measured from the middle of the images in halves of the fixed image's longer side: u of the fixed
    image lies at ``linear @ u + shift + waves(u)`` of the moving one.
    """

    def __init__(self, moving: Tensor, fixed: Tensor, seed: int) -> None:
        self.moving_shape = (moving.shape[-2], moving.shape[-1])
        self.fixed_shape = (fixed.shape[-2], fixed.shape[-1])
        self.half = max(self.fixed_shape) / 2
        ratios = [m / f for m, f in zip(self.moving_shape, self.fixed_shape, strict=True)]
        self.zoom = float(np.mean(ratios))  # pixels of the moving image in one of the fixed one
        self.levels = []
        for size in SIZES:
            factor = min(1.0, size / (2 * self.half))
            self.levels.append(
                (
                    _clusters(_reduced(moving, factor / self.zoom), seed),
                    _clusters(_reduced(fixed, factor), seed),
                )
            )

    def search(self, turns: Sequence[float]) -> list[tuple[Tensor, Tensor]]:
        """Try shifts and rotations at the smallest size; the best shift of each rotation."""
        step = 2 * 2 / SIZES[0]  # two pixels of it
        count = round(2 * REACH / step)
        grid = [step * i for i in range(-count, count + 1)]
        starts = []
        for turn in turns:
            c, s = float(np.cos(np.deg2rad(turn))), float(np.sin(np.deg2rad(turn)))
            linear = torch.tensor([[c, -s], [s, c]])
            shifts = [torch.tensor([dy, dx]) for dy in grid for dx in grid]
            values = [float(self.information(0, linear, shift)) for shift in shifts]
            starts.append((linear, shifts[int(np.argmax(values))]))
        return starts

    def best(self, starts: Sequence[tuple[Tensor, Tensor]], model: Model) -> tuple[Tensor, Tensor]:
        """Refine each start at the two smallest sizes; the one with most mutual information."""
        refined = [self.refine(*start, model, levels=(0, 1))[:2] for start in starts]
        with torch.no_grad():
            values = [float(self.information(1, *one)) for one in refined]
        return refined[int(np.argmax(values))]

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
        """Mutual information at a size, times the part of the fixed image that is covered."""
        moving, fixed = self.levels[level]
        height, width = fixed.shape[-2:]
        unit = max(height, width) / 2
        y = (torch.arange(height) + 0.5 - height / 2) / unit
        x = (torch.arange(width) + 0.5 - width / 2) / unit
        place = torch.stack(torch.broadcast_tensors(y[:, None], x[None]))
        v = torch.einsum("ab,bhw->ahw", linear, place) + shift[:, None, None]
        if waves is not None:
            v = v + Modes((height, width), ORDER).combine(waves, Window(0, 0, height, width))
        sides = torch.tensor([n / (2 * self.half * self.zoom) for n in self.moving_shape])
        at = v / sides[:, None, None]  # -1 … 1 over the moving image
        sampled = F.grid_sample(moving, at.flip(0).permute(1, 2, 0)[None], align_corners=False)[0].flatten(1)
        joint = sampled @ fixed[0].flatten(1).T  # outside, memberships are zero
        covered = joint.sum() / (height * width)
        p = joint / joint.sum().clamp(min=1e-9)
        independent = p.sum(1, keepdim=True) * p.sum(0, keepdim=True)
        return covered * (p * ((p + 1e-9) / (independent + 1e-9)).log()).sum()

    def from_matrix(self, matrix: NDArray) -> tuple[Tensor, Tensor]:
        """The linear part and shift that a matrix in pixels, moving to fixed, stands for."""
        inverse = np.linalg.inv(self._to_fixed() @ matrix @ np.linalg.inv(self._to_moving()))
        return torch.from_numpy(inverse[:2, :2]).float(), torch.from_numpy(inverse[:2, 2]).float()

    def registration(self, linear: Tensor, shift: Tensor, waves: Tensor | None) -> Registration:
        """The result in pixels, with its score."""
        inner = np.eye(3)
        inner[:2, :2], inner[:2, 2] = linear.double().numpy(), shift.double().numpy()
        matrix = np.linalg.inv(self._to_fixed()) @ np.linalg.inv(inner) @ self._to_moving()
        with torch.no_grad():
            found = float(self.information(1, linear, shift, waves))
            away = [0.15 * torch.tensor([np.sin(a), np.cos(a)]).float() for a in np.linspace(0, 2 * np.pi, 9)]
            elsewhere = [float(self.information(1, linear, shift + d, waves)) for d in away[:-1]]
        coefficients = None if waves is None else waves.double().numpy() * self.half * self.zoom
        return Registration(
            matrix,
            found / max(float(np.median(elsewhere)), 1e-9),
            found,
            self.fixed_shape,
            self.moving_shape,
            coefficients,
        )

    def _to_fixed(self) -> NDArray:
        """Pixels of the fixed image to the places of this class."""
        return _centred(self.fixed_shape, 1 / self.half)

    def _to_moving(self) -> NDArray:
        return _centred(self.moving_shape, 1 / (self.half * self.zoom))


def _within(places: NDArray, shape: tuple[int, int]) -> NDArray:
    """Whether places (2, Y, X) lie on the pixels, half a pixel around their centres, of an image of a shape."""
    beyond = np.reshape(shape, (2, 1, 1)) - 0.5
    return np.asarray(((places >= -0.5) & (places <= beyond)).all(axis=0))


def _centred(shape: Sequence[int], scale: float) -> NDArray:
    middle = [(n - 1) / 2 for n in shape]
    return np.array(
        [[scale, 0, -scale * middle[0]], [0, scale, -scale * middle[1]], [0, 0, 1]], dtype=np.float64
    )


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


def _order(modes: int) -> int:
    """The order of `Modes` that has so many."""
    return round(((8 * modes + 1) ** 0.5 - 1) / 2)

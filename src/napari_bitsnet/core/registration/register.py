"""Registration of images of different modalities: affine and smooth, from points or by mutual information."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from napari_bitsnet.core.arrays import as_array
from napari_bitsnet.core.displacement import Modes, Window
from napari_bitsnet.core.images import normalise
from napari_bitsnet.core.registration.image_pair import MOST_ZOOM, Assumed, ImagePair, Model, search_places
from napari_bitsnet.core.registration.point_pairs import matrix_of_points

LEAST_SCORE = 3.0
"""Score below which a registration is doubtful. On the data it was chosen on, images that belong together had
3.6 and more, others up to 2.6."""
COARSE, FINE = (0, 1), (2,)
"""Of the sizes at which it is refined: those that decide between the places it may start from, and those that
follow."""


@dataclass(frozen=True)
class Registration:
    """How an image lies on another one.

    Parameters
    ----------
    matrix : ndarray of shape (3, 3)
        Homogeneous, in the order (y, x, 1): pixel coordinates of the moving image to those of the fixed one.
        It is what a napari layer of the moving image takes as ``affine`` beside an untransformed fixed one,
        if `affine`.
    score : float
        How much better edges fit there (within `NEAR`) than at any other place (beyond `FAR`): the ratio of
        the gains of `best_shift`. It has one scale for all kinds of images: about 1 for a place that is not
        better than others. Below `LEAST_SCORE` the place is `doubtful`.
    mutual_information : float
        In nats.
    fixed_shape, moving_shape : (Y, X)
        Of the two images.
    coefficients : ndarray of shape (2, J), optional
        Of the smooth deformation's cosine modes, in pixels of the moving image, added after the inverse of
        `matrix`.
    assumed : {"same area", "same pixel size", "points"}
        What the search for it started from. Images of one size are taken to show the same area.
    """

    matrix: NDArray
    score: float
    mutual_information: float
    fixed_shape: tuple[int, int]
    moving_shape: tuple[int, int]
    coefficients: NDArray | None = None
    assumed: Assumed = "same area"

    @property
    def affine(self) -> bool:
        """Whether the matrix says all: no perspective, no deformation."""
        return self.coefficients is None and bool((self.matrix[2, :2] == 0).all())

    @property
    def verdict(self) -> str:
        """The score in words."""
        doubt = "doubtful: look at it" if self.doubtful else "a place of its own"
        return f"edges fit {self.score:.1f} times as well as anywhere else ({doubt})"

    @property
    def doubtful(self) -> bool:
        """Whether edges fit hardly better there than elsewhere."""
        return self.score < LEAST_SCORE

    def places(self) -> NDArray:
        """Where each pixel of the fixed image lies in the moving one: (2, Y, X) of y and x."""
        y, x = np.mgrid[: self.fixed_shape[0], : self.fixed_shape[1]].astype(np.float64)
        rows = np.stack([row[0] * y + row[1] * x + row[2] for row in np.linalg.inv(self.matrix)])
        places = rows[:2] / rows[2]
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
            Of the fixed image's size and `image`'s type; NaN, or 0 for integers, where the moving image does
            not reach.

        Raises
        ------
        ValueError
            If the image has another size than the moving one.

        Notes
        -----
        Linear interpolation; where the image shrinks by a factor f it is smoothed first by a Gaussian of
        ``sqrt(f**2 - 1) / 2`` pixels. The image reaches half a pixel beyond the centres of its outermost
        pixels.
        """
        from scipy.ndimage import gaussian_filter, map_coordinates

        image = as_array(image, labels=labels)
        if image.shape[:2] != self.moving_shape:
            raise ValueError(
                f"Expected an image of {self.moving_shape} pixels (Y, X), as was registered, got "
                f"{image.shape[:2]}."
            )
        planes = image[..., None] if image.ndim == 2 else image
        if not labels:
            planes = planes.astype(np.float32)
            shrink = abs(np.linalg.det(self.matrix[:2, :2])) ** -0.5
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
            What `warp` returns if all is covered. Else colours in integers have a fourth channel, opacity,
            which is 0 where nothing is covered; all others are float32, NaN there. `normalise` takes both for
            missing.

        Raises
        ------
        ValueError
            See `warp`.
        """
        image = as_array(image)
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
    model : {"shift", "affine", "projective", "smooth"}
        What may change: place; also rotation, scales and shear; also perspective, as of a camera that is held
        askew; or a smooth deformation beside the affine map.
    points : (moving points, fixed points), each of shape (N, 2), optional
        (y, x) in pixels of each image, where the same things are. One pair gives a shift, two a shift,
        rotation and scale, three or more an affine map by least squares; nothing but perspective or a smooth
        deformation is then searched for.
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
    Maximises the mutual information ``sum_ab p_ab log(p_ab / (p_a p_b))``, p_ab the part of the overlap where
    the moving image belongs to cluster a and the fixed one to b. Clusters are of colour, so that a colour
    image tells more than its lightness; memberships are soft, so that the gradient is known. Both images are
    first freed of slow shading. It starts from the few places where edges run alike best (`best_shift`),
    whatever their contrast, among `TURNS`, `ZOOMS` and all shifts up to `REACH`. Where sizes differ both are
    tried: the images show the same area, or a part of each other at the same pixel size. L-BFGS refines each
    at the smaller of `SIZES`, and the one where edges fit best at the largest, unless they fit better at the
    nearest whole pixel.

    References
    ----------
    Maes et al., "Multimodality Image Registration by Maximization of Mutual Information", IEEE TMI 16(2),
    1997, doi:10.1109/42.563664.
    Departure: clusters of colours in place of bins of grey levels.
    """
    if model not in get_args(Model):
        raise ValueError(f"Expected a model of shift, affine, projective or smooth, got {model!r}.")
    photograph = normalise(moving, what="the moving image").tensor
    goal = normalise(fixed, what="the fixed image").tensor
    assumed: Assumed = "points"
    rigid: Model = "shift" if model == "shift" else "affine"
    if points is None:
        starts, found = search_places(photograph, goal, turned=model != "shift"), []
        for start in starts:
            pair = ImagePair(photograph, goal, start.zoom, seed)
            rough = pair.refine(start.map, rigid, COARSE)[0]
            found.append((pair.fit(rough).gain, start, pair, rough))
        _, start, pair, rough = max(found, key=lambda each: each[0])
        whole = [pair.settle(each.map) for each in starts if each.zoom == start.zoom]
        assumed, place = (
            start.assumed,
            pair.best(pair.refine(rough, rigid, FINE)[0], pair.settle(rough), *whole),
        )
    else:
        matrix = matrix_of_points(*points)
        pair = ImagePair(photograph, goal, _zoom(matrix, photograph.shape, goal.shape), seed)
        place = pair.from_matrix(matrix)
    waves = None
    if model == "projective":
        place = pair.best(place, pair.refine(place, model)[0])
    elif model == "smooth":
        place, waves = pair.refine(place, model)
    with torch.no_grad():
        information = float(pair.information(1, place, waves))
    return Registration(
        pair.to_matrix(place),
        pair.score(place, waves),
        information,
        pair.fixed_shape,
        pair.moving_shape,
        None if waves is None else waves.double().numpy() * pair.half * pair.zoom,
        assumed,
    )


def _within(places: NDArray, shape: tuple[int, int]) -> NDArray:
    """Whether places (2, Y, X) lie on the pixels, half a pixel around their centres, of an image of a
    shape."""
    beyond = np.reshape(shape, (2, 1, 1)) - 0.5
    return np.asarray(((places >= -0.5) & (places <= beyond)).all(axis=0))


def _order(modes: int) -> int:
    """The order of `Modes` that has so many."""
    return round(((8 * modes + 1) ** 0.5 - 1) / 2)


def _zoom(matrix: NDArray, moving: Sequence[int], fixed: Sequence[int]) -> float:
    """Pixels of the moving image in one of the fixed one, within bounds, as points may be wrong and memory
    short."""
    ratio = float(np.sqrt(np.prod(moving[-2:]) / np.prod(fixed[-2:])))
    return float(np.clip(abs(np.linalg.det(matrix)) ** -0.5, ratio / MOST_ZOOM, ratio * MOST_ZOOM))

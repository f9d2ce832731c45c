"""What a user should know before trusting a result."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.core.metrics import copy_fraction
from napari_bitsnet.core.problem import Traits

PACKAGE = str(Path(__file__).parents[1])
LOOKED_AT, BAND = 2**20, 16
"""Pixels of a large image that are looked at, in bands of so many rows."""
UNEXPLAINED_LIMIT = 0.1
"""Contrast of what no guide explains, relative to the mixture's, above which it is said where it went."""

COPY_LIMIT = 0.9
"""Squared correlation of gradients above which a source counts as the mixture again."""

DOUBTFUL = 0.25
"""Mean confidence of trained networks below which a result is called doubtful; see the model card."""

AROUND = 0.6
"""Part of the image's edge that is foreground above which the marks are asked about: with marks in their places at most 0.4
on the benchmark's ten photographs, with exchanged ones above it on at least eight."""

REPEATS = 0.6
"""`repetition` from which patterns are spoken of: at 256 x 256, 14 of 17 mixtures with drawn or photographed
patterns reach it, and one of 70 without."""
REPEATS_AT, REPEATS_FROM = 256, 64
"""Longer side, in pixels, at which it is measured, and shorter side from which on: smaller images resemble themselves by chance."""

WAYS_OUT = (
    "What helps: a guide (a photograph of one source), hints (scribbles that say which edge is whose), "
    "or a second mixture of the same sources."
)


class NotSeparatedWarning(UserWarning):
    """The sources are little more than shifted or scaled copies of the mixture."""


def not_separated(
    sources: Sequence[NDArray], mixture: NDArray, traits: Traits, *, patterns: bool = False
) -> str | None:
    """Return a warning if every source is little more than the mixture again, else None.

    Parameters
    ----------
    sources : sequence of K arrays of shape (Y, X[, C])
        Shares of the mixture.
    mixture : array of shape (Y, X[, C])
        The observed image.
    traits : Traits
        What the method had to go on.
    patterns : bool
        Whether `repeating` knows of a method that may do better; then this image alone may be enough.

    Notes
    -----
    An empty answer has every edge of the mixture in every source. See `copy_fraction`.
    """
    mixture = np.asarray(mixture)
    if mixture.ndim == 3:
        mixture = mixture[..., : sources[0].shape[-1]]
    fraction = copy_fraction(np.stack([bands(source) for source in sources]), bands(mixture))
    if fraction < COPY_LIMIT:
        return None
    alone = "" if traits.n_guides or traits.has_hints else " from this image alone"
    if patterns:
        alone = " by this method"
    return (
        f"Not separable{alone}: the sources are little more than shifted or scaled copies of the mixture "
        f"(gradient correlation {fraction**0.5:.2f}). {WAYS_OUT}"
    )


def bands(image: NDArray) -> NDArray:
    """Evenly spaced bands of rows of a large image, `LOOKED_AT` pixels together; a small one as it is."""
    wanted = max(1, LOOKED_AT // (BAND * image.shape[1]))
    if wanted * BAND >= image.shape[0]:
        return image
    tops = np.linspace(0, image.shape[0] - BAND, wanted).round().astype(int)
    return np.concatenate([image[top : top + BAND] for top in tops])


@contextmanager
def collected(notices: list[str]) -> Iterator[None]:
    """Add to `notices` what this package warns of inside; warnings of other packages pass."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield
    for entry in caught:
        if issubclass(entry.category, UserWarning) and entry.filename.startswith(PACKAGE):
            notices.append(str(entry.message))
        else:
            warnings.warn_explicit(entry.message, entry.category, entry.filename, entry.lineno)


def doubtful(outputs: Mapping[str, NDArray]) -> str | None:
    """Return a notice if trained networks hardly told the sources apart, by their own confidence; else None.

    Parameters
    ----------
    outputs : mapping of str to ndarray
        ``confidence`` (Y, X) in [0, 1], if there is one, among them.
    """
    if "confidence" not in outputs:
        return None
    mean = float(np.nanmean(bands(outputs["confidence"])))
    if mean >= DOUBTFUL:
        return None
    return f"Hardly told apart: the confidence is {mean:.2f} on average (0 to 1), and little is right where it is low. {WAYS_OUT}"


def repeating(mixture: NDArray, traits: Traits, method: str) -> str | None:
    """Return a notice if an image that was taken apart by another method holds patterns that repeat; else None.

    Parameters
    ----------
    mixture : array of shape (Y, X[, C])
        The observed image.
    traits : Traits
        What the method had to go on.
    method : str
        Its name.
    """
    if method == "periodic" or traits.n_guides or traits.has_hints or traits.n_sources != 2:
        return None
    from skimage.transform import resize

    from napari_bitsnet.methods.periodic.lattices import repetition

    image = np.nan_to_num(np.atleast_3d(np.asarray(mixture, dtype=np.float64))[..., :3], posinf=0, neginf=0)
    factor = min(1.0, REPEATS_AT / max(image.shape[:2]))
    size = (round(factor * image.shape[0]), round(factor * image.shape[1]))
    if min(size) < REPEATS_FROM:
        return None
    found = repetition(np.moveaxis(resize(image, size, anti_aliasing=factor < 1), -1, 0))
    if found < REPEATS:
        return None
    return (
        f"This image resembles itself at a distance (correlation {found:.2f}): if it holds patterns that repeat, such as tiles, "
        'weave or a screen, they come apart much better with method="periodic".'
    )


def foreground_around(labels: NDArray) -> str | None:
    """Return a notice if the foreground lies around the background, as it does where marks were exchanged; else None.

    Parameters
    ----------
    labels : integer array of shape (Y, X)
        1 foreground, 2 background, 0 unknown.
    """
    edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    known = edge[edge > 0]
    part = float((known == 1).mean()) if known.size else 0.0
    if part <= AROUND or not (labels == 2).any():
        return None
    return (
        f"The foreground reaches {part:.0%} of the image's edge and lies around the background: if the marks are the "
        "other way round, exchange the labels 1 (foreground) and 2 (background)."
    )


def divided_unexplained(outputs: Mapping[str, NDArray], guides: int) -> str | None:
    """Return a notice if much of the mixture is explained by no guide and was divided between the sources.

    Parameters
    ----------
    outputs : mapping of str to ndarray
        Of a task with guides.
    guides : int
        How many there were.
    """
    sources = [image for name, image in outputs.items() if name.startswith("source_")]
    if "unexplained" not in outputs or guides < len(sources):
        return None
    mixed = np.sum([bands(source) for source in sources], axis=0, dtype=np.float64)
    rest = bands(outputs["unexplained"])
    part = float(np.nanstd(rest) / max(float(np.nanstd(mixed)), 1e-30))
    if part < UNEXPLAINED_LIMIT:
        return None
    return (
        f"What no guide explains ({part:.0%} of the mixture's contrast) is divided between the sources, so that a "
        'hidden design stands in each of them, weakened: see the output "unexplained", or keep it out of the sources '
        'with unexplained="apart".'
    )

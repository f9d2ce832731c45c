"""From a fitted `GuidedModel` to shares that add up to the observation."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from napari_bitsnet.core.problem import Problem
    from napari_bitsnet.methods.guided.correction import Correction
    from napari_bitsnet.methods.guided.model import GuidedModel

DARKEST = 0.005
"""Quantile of a source's values that counts as its darkest part."""
LOOKED_AT = 2**20
"""Largest number of pixels that quantiles are taken from."""


def explained_shares(
    problem: Problem, model: GuidedModel, correction: Correction | None = None
) -> dict[str, Tensor]:
    """Split the observation into what guides explain and what they do not.

    Parameters
    ----------
    problem : Problem
        What was fitted.
    model : GuidedModel
        After the fit.
    correction : Correction, optional
        Of the same fit, at any size.

    Returns
    -------
    dict
        ``"explained"`` (K, C, H, W): what guide k explains; a constant for sources without a guide.
        ``"unexplained"`` (1, C, H, W): the observation minus their sum, of mean zero.
        ``"sources"`` (K, C, H, W): explained plus a part of unexplained: an even one where all sources have guides, else
        all of it for those without. Then the correction is added to all three.

    Notes
    -----
    Gradients do not tell constants: they are chosen so that the darkest parts of all sources agree, as all have places
    where next to nothing is in the beam.
    """
    observation, k = problem.observations, problem.n_sources
    explained = observation.new_zeros((k, *observation.shape[1:]))
    for window in model.strips():
        for term in model.terms:
            window.crop(explained)[term.source] += model.explain(term, window)
    guided = sorted({term.source for term in model.terms})
    for source in guided:
        explained[source] -= mean_of(explained[source : source + 1], problem.valid)[0]
    unexplained = observation - explained.sum(dim=0, keepdim=True)
    level = mean_of(unexplained, problem.valid)
    unexplained -= level

    takers = [s for s in range(k) if s not in guided] or list(range(k))
    sources = explained.clone()
    for taker in takers:
        sources[taker].add_(unexplained[0], alpha=1 / len(takers))
    if correction is not None:
        for source in range(k):  # one at a time, for the sake of memory
            sources[source] += at_size(correction.sources[source], observation)
            change = at_size(correction.explained[source], observation)
            explained[source] += change
            unexplained[0] -= change
    dark = _darkest(sources, problem.valid)
    offset = (level + dark.sum(dim=0, keepdim=True)) / k - dark
    return {"sources": sources.add_(offset), "explained": explained.add_(offset), "unexplained": unexplained}


def at_size(image: Tensor, like: Tensor) -> Tensor:
    """An image (C, h, w) at the height and width of `like`."""
    from torch.nn import functional as F

    size = like.shape[-2:]
    return image if image.shape[-2:] == size else F.interpolate(image[None], size, mode="bilinear")[0]


def mean_of(images: Tensor, valid: Tensor | None) -> Tensor:
    """Mean of the valid pixels of each image and channel, (N, C, 1, 1)."""
    if valid is None:
        return images.mean(dim=(2, 3), keepdim=True)
    return (images * valid).sum(dim=(2, 3), keepdim=True) / valid.sum()


def _darkest(images: Tensor, valid: Tensor | None) -> Tensor:
    """`DARKEST` quantile of the valid pixels of each image and channel, (N, C, 1, 1)."""
    pixels = images.flatten(2) if valid is None else images[:, :, valid[0, 0]]
    pixels = pixels[..., :: max(1, pixels.shape[-1] // LOOKED_AT)]
    rank = max(1, round(DARKEST * pixels.shape[-1]))
    return pixels.kthvalue(rank, dim=-1).values[..., None, None]

"""What a fit at reduced size says about a window of the full size: huge images are solved in tiles."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from napari_bitsnet.core.displacement import Window, strips
from napari_bitsnet.core.large_image import LargeImage, at_window
from napari_bitsnet.core.stages import exhaust
from napari_bitsnet.methods import Answer
from napari_bitsnet.methods.guided import shares
from napari_bitsnet.methods.guided.model import STRIP, GuidedModel
from napari_bitsnet.methods.guided.settings import GuidedRegressionConfig
from napari_bitsnet.methods.guided.solve import enlarging

if TYPE_CHECKING:
    from torch import Tensor

    from napari_bitsnet.core.problem import Problem


@dataclass(frozen=True)
class EnlargedFit:
    """``e_k = r m_k + (what the answer at reduced size explains beyond r m_k)``, m the colours' model.

    Parameters
    ----------
    model : GuidedModel
        For the guides at full size, registered there.
    strength : float
        r, the reliability of what it explains.
    shares : list of float
        Share of each source in what no guide explains.
    explained : Tensor of shape (K, C, h, w)
        What the answer explains beyond the model, at reduced size.
    moved : Tensor of shape (K, C, h, w)
        What the answer's sources have beyond their explained parts and shares, at reduced size.
    factor : int
        Full size over reduced size.

    Notes
    -----
    All is a function of the whole image at reduced size and of the guides around a pixel, so that there are
    no seams. Averaged to the reduced size, sources are those of the answer there.
    """

    model: GuidedModel
    strength: float
    shares: list[float]
    explained: Tensor
    moved: Tensor
    factor: int

    def __call__(self, observation: Tensor, window: Window) -> Answer:
        """Return the answer of a window of the observation, (1, C, h, w)."""
        explained = at_window(self.explained, window, self.factor)
        local = self._held(window)
        for part in strips(window.height, window.width, STRIP):
            place = Window(window.top + part.top, window.left, part.height, part.width)
            for term in local.terms:
                part.crop(explained)[term.source].add_(local.explain(term, place), alpha=self.strength)
        unexplained = observation - explained.sum(dim=0, keepdim=True)
        sources = explained + at_window(self.moved, window, self.factor)
        for source, share in enumerate(self.shares):
            sources[source].add_(unexplained[0], alpha=share)
        return {"sources": sources, "explained": explained, "unexplained": unexplained}

    def _held(self, window: Window) -> GuidedModel:
        """Return the model with the guides read once, as far as the window needs them."""
        terms = []
        for term in self.model.terms:
            image = term.image
            if isinstance(image, LargeImage):
                image = image.held(self.model.seen(term, window))
            terms.append(replace(term, image=image))
        return replace(self.model, terms=terms)


def enlarged_fit(
    reduced: Problem,
    model: GuidedModel,
    answer: Answer,
    energy: float,
    whole: Problem,
    factor: int,
    config: GuidedRegressionConfig,
) -> EnlargedFit:
    """Return what a finished fit at reduced size says about the whole image.

    Parameters
    ----------
    reduced : Problem
        The problem at reduced size.
    model, answer, energy
        Of its fit; energy is the explained part in held-out blocks.
    whole : Problem
        The problem at full size, whose images may be `LargeImage`.
    factor : int
        Full size over reduced size.
    config : GuidedRegressionConfig
        Settings of the fit.
    """
    guided = [term.source for term in model.terms]
    strength = shares.reliability(energy, shares.doubt(reduced.n_sources, len(guided)))
    parts = shares.rest_shares(energy, reduced.n_sources, guided)
    raw = answer["explained"].new_zeros(answer["explained"].shape)
    for window in model.strips():
        for term in model.terms:
            window.crop(raw)[term.source] += model.explain(term, window)
    left = answer["unexplained"]
    held = torch.stack([share * left[0] for share in parts])
    return EnlargedFit(
        exhaust(enlarging(model, whole, config)),
        strength,
        parts,
        answer["explained"] - strength * raw,
        answer["sources"] - answer["explained"] - held,
        factor,
    )

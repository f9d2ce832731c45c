"""What guides explain of an observation: functions of colour, seen through smooth displacement fields."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from napari_bitsnet.core.colours import ColourBasis
    from napari_bitsnet.core.displacement import Modes, Window

STRIP = 2**17
"""Pixels that are explained at a time."""
PIECE = 2**16
"""Pixels of an image that are fitted to at a time: their features have to fit into memory."""
ALIGNED = 16
"""Strips begin at multiples of this many rows, so that blocks of the scales lie as in the whole image."""
BEYOND = 2
"""Pixels beyond a displaced place that bicubic interpolation looks at."""
CRACK_SPREAD = 2.0
"""Standard deviation expected of what a crack changes, on the observation's [0, 1] scale, over the light that
it takes."""


@dataclass
class GuideTerm:
    """One guide's part of the model, ``e_g(p) = w · features(guide(p + d(p)), p)``.

    Parameters
    ----------
    image : Tensor or LargeImage of shape (1, C_g, H, W)
        The guide, in [0, 1].
    source : int
        Index of the source that it shows.
    basis : ColourBasis
        Colour clusters whose weights hold for the whole image.
    coarse : ColourBasis
        Fewer and wider ones, whose weights drift over the image.
    displacement : Tensor of shape (2, J)
        d, as coefficients of the model's `modes`, in pixels.
    weights : Tensor of shape (N, C)
        w; zero before the first fit.
    cracks : Tensor of shape (1, 1, H, W), optional
        Part of the light that cracks take from the guide: divided out of its colours, and seen in the
        observation as well.
    """

    image: Tensor
    source: int
    basis: ColourBasis
    coarse: ColourBasis
    displacement: Tensor
    weights: Tensor
    cracks: Tensor | None = None

    @cached_property
    def limits(self) -> tuple[Tensor, Tensor]:
        """Smallest and largest value of each channel of the guide."""
        from napari_bitsnet.core.large_image import LargeImage

        if isinstance(self.image, LargeImage):
            assert self.image.limits is not None
            return self.image.limits
        return self.image.amin(dim=(0, 2, 3)), self.image.amax(dim=(0, 2, 3))

    @cached_property
    def depths(self) -> tuple[Tensor, Tensor]:
        """Smallest and largest value of the cracks."""
        assert self.cracks is not None
        return self.cracks.amin(dim=(0, 2, 3)), self.cracks.amax(dim=(0, 2, 3))


def healed(colours: Tensor, cracks: Tensor | None) -> Tensor:
    """Colours (..., C, h, w) of a guide without its cracks (..., 1, h, w): ``g / (1 - m)``, at most 1."""
    return colours if cracks is None else (colours / (1 - cracks)).clamp(max=1)


@dataclass
class GuidedModel:
    """``I(p) = sum_g e_g(p) + unexplained(p)``.

    Parameters
    ----------
    modes : Modes
        Of the displacement fields.
    drift : Modes
        Along which weights vary over the image; of order 1 they do not.
    terms : list of GuideTerm
        One a guide.
    """

    modes: Modes
    drift: Modes
    terms: list[GuideTerm] = field(default_factory=list)

    @property
    def weights(self) -> Tensor:
        """Weights of all terms, (N, C)."""
        import torch

        return torch.cat([term.weights for term in self.terms])

    def aligned(self, term: GuideTerm, window: Window) -> Tensor:
        """The guide's colours (C_g, h, w) as they lie on the observation."""
        from napari_bitsnet.core.displacement import Window, sample
        from napari_bitsnet.core.large_image import LargeImage

        image, moved = term.image, self.modes.combine(term.displacement, window)
        place = window
        if isinstance(image, LargeImage):
            area = self.seen(term, window)
            image = image.read(area)
            place = Window(window.top - area.top, window.left - area.left, window.height, window.width)
        colours = sample(image, moved, place, term.limits)
        return colours if term.cracks is None else healed(colours, self.cracks(term, window))

    def seen(self, term: GuideTerm, window: Window) -> Window:
        """Return the part of the guide that `aligned` looks at for a window."""
        from napari_bitsnet.core.large_image import grown

        moved = self.modes.combine(term.displacement, window)
        return grown(window, math.ceil(float(moved.abs().max())) + BEYOND, self.modes.size)

    def aligned_guide(self, term: GuideTerm) -> Tensor:
        """The whole guide as it lies on the observation, (1, C_g, H, W)."""
        import torch

        return torch.cat([self.aligned(term, strip) for strip in self.strips()], dim=1)[None]

    def cracks(self, term: GuideTerm, window: Window) -> Tensor:
        """A guide's cracks (1, h, w) as they lie on the observation."""
        from napari_bitsnet.core.displacement import sample

        assert term.cracks is not None
        return sample(term.cracks, self.modes.combine(term.displacement, window), window, term.depths)

    def features(self, term: GuideTerm, window: Window) -> Tensor:
        """Feature images (N, h, w): memberships and colour; coarse memberships times each drift mode, and
        times cracks."""
        made = term.image.new_empty((sum(self._counts(term)), window.height, window.width))
        self._write_features(term, window, made)
        return made

    def all_features(self, window: Window) -> Tensor:
        """Feature images of all terms, one after the other."""
        counts = [sum(self._counts(term)) for term in self.terms]
        made = self.terms[0].image.new_empty((sum(counts), window.height, window.width))
        for term, part in zip(self.terms, made.split(counts), strict=True):
            self._write_features(term, window, part)
        return made

    def take(self, weights: Tensor) -> None:
        """Give each term its part of the weights (N, C) of all terms."""
        counts = [sum(self._counts(term)) for term in self.terms]
        for term, part in zip(self.terms, weights.split(counts), strict=True):
            term.weights = part

    def _counts(self, term: GuideTerm) -> list[int]:
        """Number of features of each kind: memberships, colour, drift, cracks."""
        coarse = len(term.coarse.centres)
        return [
            len(term.basis.centres),
            term.image.shape[1],
            coarse * (len(self.drift) - 1),
            0 if term.cracks is None else coarse,
        ]

    def _write_features(self, term: GuideTerm, window: Window, out: Tensor) -> None:
        """Write a term's features into `out` (N, h, w): the largest arrays of a fit, of which no copies are
        made."""
        import torch

        members, colour, drifting, cracked = out.split(self._counts(term))
        colours = self.aligned(term, window)
        members.copy_(term.basis.memberships(colours))
        colour.copy_(colours)
        if not len(drifting) and term.cracks is None:
            return
        coarse = term.coarse.memberships(colours)
        if len(drifting):
            fields = self.drift.fields(window, colours)[1:]
            torch.mul(
                coarse[:, None], fields, out=drifting.view(len(coarse), len(fields), *colours.shape[1:])
            )
        if term.cracks is not None:
            torch.mul(coarse, self.cracks(term, window), out=cracked)

    def precision(self, term: GuideTerm, prior_std: float, drift_std: float) -> Tensor:
        """One over the variance expected of each weight, (N,).

        Parameters
        ----------
        prior_std : float
            Standard deviation expected of a cluster's density, on the observation's [0, 1] scale.
        drift_std : float
            That of its first drift coefficients; finer ones are expected to be smaller.
        """
        import torch

        parts = [torch.full((len(term.basis),), prior_std**-2)]
        count = len(term.coarse.centres)
        if self.drift.order > 1:
            parts.append((self.drift.roughness()[1:] / drift_std**2).repeat(count))
        if term.cracks is not None:
            parts.append(torch.full((count,), CRACK_SPREAD**-2))
        return torch.cat(parts)

    def explain(self, term: GuideTerm, window: Window) -> Tensor:
        """Return e_g on a window, (C, h, w); its mean is arbitrary."""
        import torch

        return torch.einsum("nc,nhw->chw", term.weights, self.features(term, window))

    def resized(
        self,
        size: tuple[int, int],
        guides: Mapping[int, Tensor] | None = None,
        cracks: Mapping[int, Tensor | None] | None = None,
    ) -> GuidedModel:
        """The same model for images of another size.

        Parameters
        ----------
        size : (H, W)
            Of these.
        guides : mapping of int to Tensor or LargeImage (1, C_g, H, W), optional
            The guides of that size by their source; default this model's, averaged or interpolated.
        cracks : mapping of int to Tensor (1, 1, H, W) or None, optional
            Their cracks; given with `guides`.
        """
        from torch.nn import functional as F

        if size == self.modes.size:
            return self

        def at_size(image: Any) -> Tensor:
            return F.interpolate(image, size, mode="area")

        terms = []
        for term in self.terms:
            found = term.cracks if cracks is None else cracks[term.source]
            terms.append(
                replace(
                    term,
                    image=at_size(term.image) if guides is None else guides[term.source],
                    cracks=found if found is None or cracks is not None else at_size(found),
                    displacement=term.displacement * (size[0] / self.modes.size[0]),
                )
            )
        return GuidedModel(replace(self.modes, size=size), replace(self.drift, size=size), terms)

    def strips(self) -> list[Window]:
        """Return windows of whole rows that cover the image, of about `STRIP` pixels."""
        from napari_bitsnet.core.displacement import strips

        return strips(*self.modes.size, STRIP)


def sample_windows(size: tuple[int, int], pixels: int, side: int = 128) -> list[Window]:
    """Windows to fit on: the whole image, in strips of rows, if it has at most `pixels`, else evenly spaced
    squares.

    Parameters
    ----------
    size : (H, W)
        Of the image.
    pixels : int
        About how many to cover.
    side : int
        Of each square.
    """
    from napari_bitsnet.core.displacement import Window

    height, width = size
    if height * width <= pixels:
        step = -(-height // max(1, height * width // PIECE))  # rows, about equally many in each
        step = -(-step // ALIGNED) * ALIGNED
        return [Window(top, 0, min(step, height - top), width) for top in range(0, height, step)]
    tall, wide = min(side, height), min(side, width)
    count = max(1, pixels // (tall * wide))
    rows = min(max(1, round((count * height / width) ** 0.5)), height // tall)
    columns = min(max(1, count // rows), width // wide)
    tops = [
        round((height - tall) * (r + 0.5) / rows) if rows > 1 else (height - tall) // 2 for r in range(rows)
    ]
    lefts = [
        round((width - wide) * (c + 0.5) / columns) if columns > 1 else (width - wide) // 2
        for c in range(columns)
    ]
    return [Window(top, left, tall, wide) for top in tops for left in lefts]

"""Common functions of tasks whose sources add up to one observation, in its units or in optical density."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.core.config import Config, setting
from napari_bitsnet.core.encoding import DESCRIPTION, Transfer, may_be_photograph, transfer_of
from napari_bitsnet.core.exposure import Exposure, expose
from napari_bitsnet.core.hints import hint_maps
from napari_bitsnet.core.images import (
    ENOUGH_SHOWN,
    Normalised,
    check_image,
    normalise,
    restore,
    without_opacity,
)
from napari_bitsnet.core.notices import Notice
from napari_bitsnet.core.outputs import numbered
from napari_bitsnet.core.problem import Problem
from napari_bitsnet.tasks import Built, Inputs

if TYPE_CHECKING:
    from torch import Tensor


class SharesConfig(Config):
    """Settings of the superposition of shares, and of the value range."""

    mixing: Literal["linear", "attenuation"] = setting(
        "linear", "How sources superimpose: they add (linear), or each weakens the beam (attenuation)."
    )
    encoding: Literal["linear", "srgb", "auto"] = setting(
        "linear",
        DESCRIPTION.format(
            auto="as the file says, and without a word like photographs for colours of 8 bits"
        ),
    )
    i0: float | None = setting(
        None,
        "Attenuation only: intensity without an object (I0); none takes the flat frame's mean or the "
        "percentile.",
        ge=1e-6,
        le=1e9,
        step=1.0,
    )
    percentile: float = setting(
        99.5,
        "Attenuation only: percentile of the intensities that gives I0 without a flat frame and i0.",
        ge=50,
        le=100,
        step=0.1,
        unit="%",
    )
    flat: Path | None = setting(None, "Attenuation only: image file of the beam without an object.")
    dark: Path | None = setting(None, "Attenuation only: image file of the detector without a beam.")
    output: Literal["density", "intensity"] = setting(
        "density", "Attenuation only: sources as optical densities, which add, or transmitted intensities."
    )
    low: float | None = setting(
        None, "Value that counts as 0; none takes the smallest value.", ge=-1e9, le=1e9, step=1.0
    )
    high: float | None = setting(
        None, "Value that counts as 1; none takes the largest value.", ge=-1e9, le=1e9, step=1.0
    )

    def transfer(self, image: NDArray, stored: np.dtype) -> Transfer:
        """Return the conversion of the mixture's stored values to light; without a file that says more,
        colours of 8 bits are taken for photographs with ``"auto"``."""
        encoding = self.encoding
        if encoding == "auto":
            encoding = "srgb" if may_be_photograph(image, stored) else "linear"
        return transfer_of(encoding, without_opacity(image), stored, self.high)

    def density_range(self, density: NDArray) -> tuple[float | None, float | None]:
        """Set the lower end of optical densities to 0 (no object), or to the minimum if noise is below 0."""
        low = min(0.0, float(np.nanmin(density))) if self.low is None else self.low
        return low, self.high


def build_shares_problem(inputs: Inputs, config: SharesConfig, *, n_sources: int) -> Built:
    """State ``I = y_1 + … + y_K`` for one plane; guides, hints and masks are checked and scaled.

    Raises
    ------
    TypeError, ValueError
        If an input cannot be worked on; see `normalise`.
    """
    image, i0, observed = inputs.mixture, None, without_opacity(inputs.mixture)
    low, high = config.low, config.high
    notices: list[Notice] = []
    transfer = Transfer()
    if config.mixing == "linear":
        transfer = config.transfer(check_image(image, "the mixture"), inputs.dtype)
        image = transfer.to_light(image)
        if config.encoding == "auto" and not transfer.is_identity:
            notices.append(taken_for_photograph())
        low, high = (None if end is None else float(transfer.to_light(np.array(end))) for end in (low, high))
    else:
        exposure = expose_mixture(image, config, inputs.dtype)
        notices += exposure.notices()
        image, i0, observed = exposure.density, exposure.i0, exposure.intensity
        low, high = config.density_range(image)
    guides = [None if g is None else normalise(g, what=f"guide {k + 1}") for k, g in enumerate(inputs.guides)]
    mask = _left_out(inputs.mask, [g for g in guides if g is not None], np.shape(image)[:2], notices)
    mixture = normalise(image, lo=low, hi=high, mask=mask, what="the mixture")
    size = (mixture.tensor.shape[-2], mixture.tensor.shape[-1])
    hints = None if inputs.hints is None else hint_maps(inputs.hints, n_sources, shape=size)
    problem = Problem(
        mixture.tensor,
        n_sources,
        guides=tuple(None if g is None else g.tensor for g in guides),
        hints=hints,
        valid=mixture.valid,
        scaling=mixture.scaling,
        density_of=i0,
    )
    return Built(problem, observed, notices, transfer)


def taken_for_photograph() -> Notice:
    """Say that values were decoded although no file said so."""
    return Notice(
        "encoding",
        "Nothing says how the values follow the light; as colours of 8 bits, they are taken for a photograph "
        "(sRGB) and were decoded.",
        'encoding="linear" leaves them as they are.',
    )


def _left_out(
    mask: NDArray | None, guides: Sequence[Normalised], size: tuple[int, ...], notices: list[Notice]
) -> NDArray | None:
    """Return the mask, extended by pixels that a guide does not cover; repeated border colours would cause
    stripes."""
    shown = [g.valid[0, 0].numpy() for g in guides if g.valid is not None]
    shown = [each for each in shown if each.shape == size]  # `Problem` rejects guides of another size
    if not shown or (mask is not None and np.shape(mask) != size):  # `normalise` rejects such a mask
        return mask
    uncovered = ~np.logical_and.reduce(shown)
    if uncovered.mean() > 1 - ENOUGH_SHOWN:
        notices.append(
            Notice(
                "coverage",
                "{part:.1%} of the image are not covered by all guides: they are left out, as with a mask, "
                "and the sources are empty there.",
                numbers={"part": float(uncovered.mean())},
            )
        )
    return uncovered if mask is None else uncovered | np.asarray(mask).astype(bool)


def expose_mixture(image: NDArray, config: SharesConfig, stored: np.dtype | None = None) -> Exposure:
    """Return the mixture's intensities, corrected by the frames and I0 of the settings; see `expose`.

    Raises
    ------
    TypeError, ValueError
        If the image, a frame's file or its size cannot be worked on.
    """
    image = check_image(image, "the mixture")
    transfer = config.transfer(image, image.dtype if stored is None else stored)
    return expose(
        transfer.to_light(image),
        flat=_frame(config.flat, transfer),
        dark=_frame(config.dark, transfer),
        i0=config.i0,
        percentile=config.percentile,
        stored=image.dtype if stored is None else stored,
    )


def _frame(path: Path | None, transfer: Transfer) -> NDArray | None:
    if path is None:
        return None
    from napari_bitsnet.io.read import read_image

    return transfer.to_light(read_image(path).array)


def shares_outputs(built: Built, shares: Tensor, config: SharesConfig) -> dict[str, NDArray]:
    """Name shares ``source_1`` … in the mixture's units, with ``residual`` = mixture minus their sum.

    Shares of light are encoded as the mixture is; ``residual`` compares the mixture with their sum, encoded.

    With attenuation the sources are optical densities, which add, or transmitted intensities, which
    multiply: ``residual`` is then the intensity (freed of dark and flat frames) minus
    ``I0 * exp(-sum of densities)``.
    """
    problem = built.problem
    sources = restore(shares, problem.scaling, share_of=problem.n_sources, valid=problem.valid)
    total = np.zeros(sources.shape[1:], dtype=np.float64)
    for source in sources:
        total += source
    residual = built.observed.astype(np.float64)  # a copy
    if problem.density_of is None:
        residual -= built.transfer.to_stored(total)
        sources = built.transfer.to_stored(sources)
    elif config.output == "intensity":
        residual -= problem.density_of * np.exp(-total)
        for source in sources:
            source[:] = problem.density_of * np.exp(-source.astype(np.float64))
    else:
        with np.errstate(divide="ignore", invalid="ignore"):
            residual = np.log(problem.density_of) - np.log(residual) - total
    residual[np.isnan(total)] = np.nan
    return {**numbered(sources), "residual": residual.astype(np.float32)}

"""Settings of colour regression and of the networks that refine it."""

from __future__ import annotations

from typing import Literal

from napari_bitsnet.core.config import Config as BaseConfig
from napari_bitsnet.core.config import setting

MOST_PIXELS = 2**24
"""Larger images than this many pixels are fitted by colours alone, without the networks, for the sake of
memory."""


class GuidedRegressionConfig(BaseConfig):
    """Settings of the method."""

    n_clusters: int = setting(
        96, "Colours of each guide that may have a density of their own.", ge=4, le=256, step=4
    )
    width: float = setting(
        0.06, "Width of the colour clusters, on the guide's [0, 1] scale.", ge=0.01, le=0.5, step=0.01
    )
    registration: Literal["none", "shift", "smooth"] = setting(
        "smooth",
        "Registration of the guides: as they are (none), moved by whole pixels (shift), or shifted and bent "
        "(smooth).",
    )
    max_shift: int = setting(3, "Largest whole-pixel shift that is tried.", ge=0, le=12, step=1, unit="px")
    n_modes: int = setting(
        6, "Half waves of the displacement along each side; 1 is a sub-pixel shift.", ge=1, le=12, step=1
    )
    steps: int = setting(5, "Largest number of registration steps.", ge=1, le=30, step=1)
    drift: int = setting(
        3, "Half waves, and one, along which a colour's density may drift; 1 is no drift.", ge=1, le=6, step=1
    )
    prior_std: float = setting(
        0.15, "Standard deviation expected of a colour's density (ridge).", ge=0.001, le=10, step=0.01
    )
    drift_std: float = setting(
        0.03, "Standard deviation expected of a density's drift (ridge).", ge=0.001, le=10, step=0.01
    )
    scales: int = setting(4, "Scales at which gradients are compared.", ge=1, le=8, step=1)
    n_reweightings: int = setting(4, "Rounds of reweighting that make the fit robust.", ge=1, le=30, step=1)
    pixels: int = setting(
        2**19,
        "Pixels that are fitted to; of larger images, evenly spaced squares of the image reduced to four "
        "times as many.",
        ge=2**12,
        le=2**24,
        step=2**12,
    )
    cracks: bool = setting(
        True,
        "Look for cracks in colour photographs, by a trained network, and heal their colours before the fit; "
        "not above 16 megapixels.",
    )
    correct: bool = setting(
        True,
        "Let a trained network mend what the fit missed, and divide what it left; two sources and colour "
        "photographs only.",
    )
    context: bool = setting(
        True,
        "Fit functions of blurred colours, too, and add them as far as they predict held-out blocks better; "
        "not above 16 megapixels.",
    )
    attribution: bool = setting(
        True,
        "Divide what two guides leave unexplained by where their own parts have edges, not evenly; not above "
        "16 megapixels.",
    )
    uncertainty: bool = setting(
        True,
        "Judge the fit: the 90 % interval as a map, and how much holds in parts that were not fitted to.",
    )


class GuidedNetworkConfig(GuidedRegressionConfig):
    """Settings of the method: those of colour regression, and of the networks after it."""

    units: bool = setting(
        True,
        "With a guide for every source: fit random units of colours and surroundings, with a drift, and "
        "average as far as context helps; not above 16 megapixels.",
    )
    network_steps: int = setting(
        150,
        "Training steps of the networks; 0 leaves them out. With a guide for every source they count as far "
        "as context helps.",
        ge=0,
        le=2000,
        step=10,
    )
    check_steps: int = setting(
        100,
        "With one guide: training steps, on half of the image's blocks, of the networks that are checked on "
        "the other half.",
        ge=10,
        le=2000,
        step=10,
    )


ROUGH = GuidedRegressionConfig(
    n_clusters=32,
    width=0.08,
    drift=1,
    scales=2,
    n_reweightings=2,
    steps=2,
    pixels=2**15,
    cracks=False,
    correct=False,
    context=False,
    attribution=False,
    uncertainty=False,
)
"""What is fitted for a first look, if somebody looks before the fit: a second or two for two guides."""

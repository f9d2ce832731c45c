"""Double-DIP for transparency, of one image or several mixtures: deep image priors with exclusion of
edges."""

from __future__ import annotations

from collections.abc import Mapping

from napari_bitsnet.core.config import Config as BaseConfig
from napari_bitsnet.core.problem import Traits
from napari_bitsnet.methods import METHODS, Cost
from napari_bitsnet.methods.dip.settings import UntrainedConfig
from napari_bitsnet.methods.dip.transparency import UntrainedMethod


class DoubleDipConfig(UntrainedConfig):
    """Settings of Double-DIP."""


@METHODS.register("double_dip")
class DoubleDip(UntrainedMethod):
    """``min_Theta L1(I, y_1 + … + y_K) + alpha Excl(y_1, …, y_K)``, with ``y_k = DIP_k(z_k; Theta_k)``.

    The preset ``"official"`` has the settings of the released code, but looks for the best remix on every
    upright step instead of every eighth step. ``"official_mixtures"`` has those for several mixtures.
    Departures: the weights are fitted directly (the code uses two more networks), and the remix is compared
    by absolute differences (the code: squares).

    References
    ----------
    Gandelsman, Shocher & Irani, "Double-DIP: Unsupervised Image Decomposition via Coupled Deep-Image-Priors",
    CVPR 2019, doi:10.1109/CVPR.2019.01128.
    """

    name = "double_dip"
    title = "Double-DIP"
    summary = "Two untrained networks and the exclusion loss only; for comparison, and for textures."
    Config = DoubleDipConfig
    presets: Mapping[str, BaseConfig] = {
        "quick": DoubleDipConfig(iterations=50),
        "balanced": DoubleDipConfig(),
        "best": DoubleDipConfig(iterations=600),
        "official": DoubleDipConfig(
            iterations=8000,
            learning_rate=5e-4,
            start="none",
            correction=0,
            anchor=0,
            exact=False,
            alpha_exclusion=0.01,
            kernel_size=5,
            keep="best",
            early_stopping=False,
        ),
        "official_mixtures": DoubleDipConfig(
            iterations=4000,
            learning_rate=1e-3,
            start="none",
            correction=0,
            anchor=0,
            exact=False,
            alpha_exclusion=0.1,
            kernel_size=5,
            input_channels=2,
            jitter=False,
            orientations=False,
            keep="best",
            early_stopping=False,
        ),
    }
    cost = Cost(1.5, 1.0, 1500)
    config: DoubleDipConfig

    def unsupported_reason(self, traits: Traits) -> str | None:
        if traits.mixing not in ("linear", "weighted"):
            return (
                "Double-DIP for transparency needs sources that add up or are weighted, "
                f"got {traits.mixing} mixing."
            )
        if traits.mixing == "linear" and traits.n_observations != 1:
            return "Sources that add up need one image; several mixtures have weights."
        return None
